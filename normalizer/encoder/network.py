"""The encoder itself: word pieces in, what speaks for each value of a field out.

The architecture is BERT's with multilingual-e5-small's measures (12 layers of 384, 12 heads); the text's vector is the
mean of its pieces', at a fixed length. Weights lie in one file, a byte each, and are mapped, not read.
"""

from __future__ import annotations

import mmap
import os
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from normalizer.encoder.pieces import Pieces

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

FILE = "weights.bin"
LENGTH = 10.0
"""Of a text's vector, before the answers are taken from it."""
_TINY = 1e-12

Heard = dict[str, dict[str, float]]
"""By field, then by value: log odds."""


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """Where in the file a matrix lies: rows of bytes at `start`, a 32-bit scale for each row at `scales`; a vector
    (`rows` 1) of 32-bit numbers has none."""

    rows: int
    columns: int
    start: int
    scales: int = -1


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """All of an encoder but its weights."""

    name: str
    layers: int
    heads: int
    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    answers: tuple[str, ...]
    """`nature=complaint`, `category=logistics.delay`, …"""
    placed: dict[str, Placed]
    share: dict[str, float]
    """By field: how much the encoder counts beside the linear model, of 1."""
    warmth: dict[str, float]
    """By field: both together are divided by this before they are probabilities."""
    bars: dict[str, float]
    """By expectation: the probability of both together from which it is taken as said."""


class Encoder:
    """Some 15 ms a text on one core; 30 MB with its library, shared by all processes but for 5."""

    def __init__(self, data: Any) -> None:
        import numpy as np

        end = 4 + int.from_bytes(data[:4], "big")
        self.head = msgspec.json.decode(bytes(data[4:end]), type=Head)
        self._bytes = np.frombuffer(data, np.uint8, offset=end)
        self._pieces = Pieces(self.head.pieces, self.head.scores)
        self._numpy = np

    def hear(self, text: str) -> Heard:
        found: Heard = {}
        for answer, odds in zip(self.head.answers, self._answers(self._vector(text)), strict=True):
            field, _, value = answer.partition("=")
            found.setdefault(field, {})[value] = float(odds)
        return found

    def _answers(self, vector: Array) -> Array:
        return self._through("head", vector)

    def _vector(self, text: str) -> Array:
        numbers = self._pieces.numbers(text)
        state = self._rows("word", numbers) + self._rows("pos", range(len(numbers)))
        state = self._evened(state, "ln")
        for layer in range(self.head.layers):
            state = self._layer(state, f"{layer}.")
        mean = state.mean(axis=0)
        vector: Array = mean * (LENGTH / self._numpy.linalg.norm(mean))
        return vector

    def _layer(self, state: Array, layer: str) -> Array:
        queries, keys, values = (self._by_head(self._through(layer + name, state)) for name in "qkv")
        likeness = queries @ keys.transpose(0, 2, 1) / keys.shape[2] ** 0.5
        shares = self._numpy.exp(likeness - likeness.max(axis=2, keepdims=True))
        shares /= shares.sum(axis=2, keepdims=True)
        heard = (shares @ values).transpose(1, 0, 2).reshape(state.shape)
        state = self._evened(state + self._through(f"{layer}ao", heard), f"{layer}aln")
        wide = self._bent(self._through(f"{layer}fi", state))
        return self._evened(state + self._through(f"{layer}fo", wide), f"{layer}oln")

    def _by_head(self, state: Array) -> Array:
        return state.reshape(len(state), self.head.heads, -1).transpose(1, 0, 2)

    def _bent(self, given: Array) -> Array:
        """GELU; the error function by Abramowitz and Stegun 7.1.26, right to 1.5e-7."""
        size = self._numpy.abs(given) * self._numpy.float32(0.5**0.5)
        near = 1 / (1 + 0.3275911 * size)
        series = (((1.061405429 * near - 1.453152027) * near + 1.421413741) * near - 0.284496736) * near + 0.254829592
        tail = 0.5 * series * near * self._numpy.exp(-size * size)
        bent: Array = given * self._numpy.where(given >= 0, 1 - tail, tail)
        return bent

    def _evened(self, state: Array, name: str) -> Array:
        state = state - state.mean(axis=-1, keepdims=True)
        spread = self._numpy.sqrt((state * state).mean(axis=-1, keepdims=True) + _TINY)
        evened: Array = state / spread * self._line(f"{name}.w") + self._line(f"{name}.b")
        return evened

    def _through(self, name: str, given: Array) -> Array:
        place = self.head.placed[f"{name}.w"]
        weights = self._matrix(place).astype(self._numpy.float32)
        through: Array = (given @ weights.T) * self._floats(place.scales, place.rows) + self._line(f"{name}.b")
        return through

    def _rows(self, name: str, numbers: Any) -> Array:
        place, chosen = self.head.placed[name], list(numbers)
        scales = self._floats(place.scales, place.rows)[chosen]
        rows: Array = self._matrix(place)[chosen] * scales[:, None]
        return rows

    def _matrix(self, place: Placed) -> NDArray[np.int8]:
        size = place.rows * place.columns
        signed = self._bytes[place.start : place.start + size].view(self._numpy.int8)
        return signed.reshape(place.rows, place.columns)

    def _line(self, name: str) -> Array:
        place = self.head.placed[name]
        return self._floats(place.start, place.columns)

    def _floats(self, start: int, count: int) -> Array:
        return self._bytes[start : start + 4 * count].view(self._numpy.float32)


@lru_cache(maxsize=1)
def load() -> Encoder | None:
    """The packaged encoder, mapped once per process; None where no file is shipped or numpy is not installed."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a text is too small to be worth a second one
    path = Path(str(resources.files("normalizer.encoder").joinpath(FILE)))
    try:
        with path.open("rb") as file:
            return Encoder(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (FileNotFoundError, ImportError):
        return None
