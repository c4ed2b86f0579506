"""The encoder itself: word pieces in, what speaks for each value of a field out.

The architecture is BERT's, with the lower layers of multilingual-e5-small; from one of them on each two neighbours are
one. The text's vector is the mean of what is left, at a fixed length. Weights lie in one file, half a byte or a byte
each, and are mapped, not read: a matrix is made of 32-bit numbers only while it is multiplied.
"""

from __future__ import annotations

import mmap
import os
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from normalizer.encoder.pieces import Pieces

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

FILE = "weights.bin"
LENGTH = 10.0
"""Of a text's vector, before the answers are taken from it."""
BLOCK = 32
"""Weights of a piece that share a scale."""
_TINY = 1e-12

Heard = dict[str, dict[str, float]]
"""By field, then by value: log odds."""


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """Where in the file an array lies and what it holds: `f4`, `f2`, `i1` or `u1`."""

    start: int
    shape: tuple[int, ...]
    kind: str


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """All of an encoder but its weights."""

    name: str
    layers: int
    heads: int
    paired: int
    """The layer before which each two neighbours become one; `layers` or more: none."""
    pieces: tuple[str, ...]
    answers: tuple[str, ...]
    """`nature=complaint`, `category=logistics.delay`, …"""
    placed: dict[str, Placed]
    share: dict[str, float]
    """By field: how much the encoder counts beside the linear model, of 1."""
    warmth: dict[str, float]
    """By field: both together are divided by this before they are probabilities."""
    bars: dict[str, float]
    """By expectation: the probability of both together from which it is taken as said."""


class _Step(NamedTuple):
    """A matrix of bytes (a row for each output), what each row is multiplied by, what is added."""

    weights: NDArray[np.int8]
    scales: Array
    start: Array


class _Norm(NamedTuple):
    weights: Array
    start: Array


class _Layer(NamedTuple):
    asked: _Step
    """Queries, keys and values, one below the other."""
    heard: _Step
    wide: _Step
    narrow: _Step
    first: _Norm
    second: _Norm


class Encoder:
    """Some 20 ms a text on one core, with twelve layers; 48 MB with its library, most of it pages of the file."""

    def __init__(self, data: Any) -> None:
        import numpy as np

        self._numpy = np
        end = 4 + int.from_bytes(data[:4], "big")
        self.head = msgspec.json.decode(bytes(data[4:end]), type=Head)
        self._bytes = np.frombuffer(data, np.uint8, offset=end)
        self._pieces = Pieces(self.head.pieces, self._array("scores").data)
        self._word, self._word_scales = self._array("word"), self._array("word.scales")
        self._places, self._begun = self._array("places"), self._norm("begun")
        self._layers = [self._layer(f"{number}.") for number in range(self.head.layers)]
        self._answer = self._step("answer")

    def hear(self, text: str) -> Heard:
        """Never raises on any text."""
        found: Heard = {}
        odds = self._through(self._answer, self._vector(self._pieces.numbers(text)), self._scratch())
        for answer, given in zip(self.head.answers, odds.tolist(), strict=True):
            field, _, value = answer.partition("=")
            found.setdefault(field, {})[value] = given
        return found

    def _vector(self, numbers: list[int]) -> Array:
        scratch = self._scratch()
        state = self._evened(self._words(numbers) + self._places[: len(numbers)], self._begun)
        for number, layer in enumerate(self._layers):
            if number == self.head.paired:
                state = self._pairs(state)
            state = self._passed(state, layer, scratch)
        mean: Array = state.mean(axis=0)
        mean *= LENGTH / (float(mean @ mean) ** 0.5 + _TINY)
        return mean

    def _words(self, numbers: list[int]) -> Array:
        """Of each block the low halves of its bytes are its first weights, the high ones the others; 8 stands for 0."""
        halves = self._word[numbers].reshape(len(numbers), -1, BLOCK // 2)
        blocks = self._numpy.concatenate([halves & 15, halves >> 4], axis=2).astype(self._numpy.float32)
        blocks -= 8
        blocks *= self._word_scales[numbers].astype(self._numpy.float32)[:, :, None]
        return blocks.reshape(len(numbers), -1)

    def _pairs(self, state: Array) -> Array:
        whole = len(state) // 2
        pairs = (state[: 2 * whole : 2] + state[1 : 2 * whole : 2]) / self._numpy.float32(2)
        paired: Array = self._numpy.concatenate([pairs, state[2 * whole :]])
        return paired

    def _passed(self, state: Array, layer: _Layer, scratch: Array) -> Array:
        asked = self._through(layer.asked, state, scratch)
        queries, keys, values = asked.reshape(len(state), 3, self.head.heads, -1).transpose(1, 2, 0, 3)
        shares: Array = queries @ keys.transpose(0, 2, 1)
        shares *= keys.shape[2] ** -0.5
        shares -= shares.max(axis=2, keepdims=True)
        self._numpy.exp(shares, out=shares)
        shares /= shares.sum(axis=2, keepdims=True)
        heard = (shares @ values).transpose(1, 0, 2).reshape(state.shape)
        state = self._evened(self._through(layer.heard, heard, scratch) + state, layer.first)
        wide = self._bent(self._through(layer.wide, state, scratch))
        return self._evened(self._through(layer.narrow, wide, scratch) + state, layer.second)

    def _through(self, step: _Step, given: Array, scratch: Array) -> Array:
        weights = scratch[: step.weights.size].reshape(step.weights.shape)
        self._numpy.copyto(weights, step.weights)
        through: Array = given @ weights.T
        through *= step.scales
        through += step.start
        return through

    def _bent(self, given: Array) -> Array:
        """GELU, by the hyperbolic tangent [Hendrycks and Gimpel 2016]."""
        bent: Array = given * given
        bent *= 0.7978845608 * 0.044715
        bent += 0.7978845608
        bent *= given
        self._numpy.tanh(bent, out=bent)
        bent += 1
        bent *= given
        bent *= 0.5
        return bent

    def _evened(self, state: Array, norm: _Norm) -> Array:
        """In place."""
        state -= state.mean(axis=1, keepdims=True)
        spread = self._numpy.einsum("ij,ij->i", state, state) / self._numpy.float32(state.shape[1])
        state /= self._numpy.sqrt(spread + _TINY)[:, None]
        state *= norm.weights
        state += norm.start
        return state

    def _scratch(self) -> Array:
        """Room for the largest matrix; of each call its own, since threads may share an encoder."""
        return self._numpy.empty(max(step.weights.size for step in self._layers[0][:4]), self._numpy.float32)

    def _layer(self, name: str) -> _Layer:
        steps = {step: self._step(name + step) for step in ("asked", "heard", "wide", "narrow")}
        return _Layer(**steps, first=self._norm(f"{name}first"), second=self._norm(f"{name}second"))

    def _step(self, name: str) -> _Step:
        return _Step(self._array(name), self._array(f"{name}.scales"), self._array(f"{name}.start"))

    def _norm(self, name: str) -> _Norm:
        return _Norm(self._array(name), self._array(f"{name}.start"))

    def _array(self, name: str) -> NDArray[Any]:
        place = self.head.placed[name]
        kind = self._numpy.dtype(f"<{place.kind}")
        size = kind.itemsize
        for count in place.shape:
            size *= count
        return self._bytes[place.start : place.start + size].view(kind).reshape(place.shape)


@lru_cache(maxsize=1)
def load() -> Encoder | None:
    """The packaged encoder, mapped once per process; None where no file is shipped or numpy is not installed."""
    return read(Path(str(resources.files("normalizer.encoder").joinpath(FILE))))


def read(path: Path) -> Encoder | None:
    """None also for a damaged file: a voice that is missing costs no complaint."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a text is too small to be worth a second one
    try:
        with path.open("rb") as file:
            return Encoder(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (FileNotFoundError, ImportError, ValueError, KeyError):
        return None
