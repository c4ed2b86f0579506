"""Writes what normalizer/encoder reads: a head as JSON, then the weights, a byte each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from encoder_base import MATRICES, Base

from normalizer.encoder.network import Head, Placed
from normalizer.encoder.pieces import MOST

LINE = 64
"""Bytes that every array begins at a multiple of."""
MOST_PIECES = 32_000
LONGEST = 16
"""Characters of a piece that is kept for texts to come."""
KEPT = re.compile("\u2581?(?:[ -~]+|[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef·…—“”‘’]+)")
HEADS = 12
NORMS = ("aln", "oln")

Tuned = dict[str, np.ndarray]
"""Tensors that training changed, by their names in `Base`, and `head.w`, `head.b`."""


class Writer:
    def __init__(self) -> None:
        self.data = bytearray()
        self.placed: dict[str, Placed] = {}

    def matrix(self, name: str, rows: np.ndarray) -> None:
        scales = np.abs(rows).max(axis=1) / 127
        scales[scales == 0] = 1.0
        start = self._append(np.rint(rows / scales[:, None]).astype(np.int8))
        count, columns = rows.shape
        self.placed[name] = Placed(rows=count, columns=columns, start=start, scales=self._append(scales))

    def line(self, name: str, numbers: np.ndarray) -> None:
        self.placed[name] = Placed(rows=1, columns=len(numbers), start=self._append(numbers))

    def _append(self, numbers: np.ndarray) -> int:
        self.data.extend(bytes(-len(self.data) % LINE))
        start = len(self.data)
        self.data.extend((numbers if numbers.dtype == np.int8 else numbers.astype("<f4")).tobytes())
        return start


def kept_pieces(base: Base, used: set[int]) -> list[int]:
    """Those that the texts at hand need, then the most frequent Chinese and English ones."""
    kept = set(used) | set(range(4))
    for number in range(4, len(base.pieces)):
        if len(kept) >= MOST_PIECES:
            break
        if len(base.pieces[number]) <= LONGEST and KEPT.fullmatch(base.pieces[number]):
            kept.add(number)
    return sorted(kept)


def write_encoder(
    path: Path, base: Base, tuned: Tuned, used: set[int], answers: Sequence[str], settings: dict[str, dict[str, float]]
) -> str:
    """The name of what was written, a digest of its weights among it."""
    kept, whole, writer = kept_pieces(base, used), base.tensors | tuned, Writer()
    layers = sum(name.endswith(".q.w") for name in base.tensors)
    width = whole["emb.ln.w"].size
    writer.matrix("word", whole["emb.word"][kept])
    writer.matrix("pos", whole["emb.pos"].reshape(-1, width)[:MOST] + whole["emb.type"][:width])
    for end in "wb":
        writer.line(f"ln.{end}", whole[f"emb.ln.{end}"])
    for layer in range(layers):
        for name in MATRICES:
            writer.matrix(f"{layer}.{name}.w", whole[f"l{layer}.{name}.w"])
            writer.line(f"{layer}.{name}.b", whole[f"l{layer}.{name}.b"])
        for norm in NORMS:
            for end in "wb":
                writer.line(f"{layer}.{norm}.{end}", whole[f"l{layer}.{norm}.{end}"])
    writer.matrix("head.w", whole["head.w"])
    writer.line("head.b", whole["head.b"])
    head = Head(
        name=f"encoder@{hashlib.sha256(writer.data).hexdigest()[:8]}",
        layers=layers,
        heads=HEADS,
        pieces=tuple(base.pieces[number] for number in kept),
        scores=tuple(base.scores[number] for number in kept),
        answers=tuple(answers),
        placed=writer.placed,
        **settings,
    )
    described = msgspec.json.encode(head)
    described += b" " * (-(4 + len(described)) % LINE)
    path.write_bytes(len(described).to_bytes(4, "big") + described + writer.data)
    return head.name
