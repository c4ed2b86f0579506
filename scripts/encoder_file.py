"""Writes what normalizer/encoder reads: a head as JSON, then weights: a byte each, half a byte those of pieces."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from encoder_base import Base

from normalizer.encoder.network import Head, Placed
from normalizer.encoder.pieces import MOST, UNKNOWN

LINE = 64
"""Bytes that every array begins at a multiple of."""
MOST_PIECES = 24_000
LONGEST = 16
"""Characters of a piece that is kept for texts to come."""
KEPT = re.compile("\u2581?(?:[ -~]+|[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef·…—“”‘’]+)")
HEADS = 12
NORMS = {"aln": "first", "oln": "second"}
STEPS = {"ao": "heard", "fi": "wide", "fo": "narrow"}

Tuned = dict[str, np.ndarray]
"""Tensors by their names in `Base`, those of training among them, and `answer.w`, `answer.b`."""


@dataclass(slots=True)
class Writer:
    data: bytearray = field(default_factory=bytearray)
    placed: dict[str, Placed] = field(default_factory=dict)

    def put(self, name: str, numbers: np.ndarray, kind: str) -> None:
        self.data.extend(bytes(-len(self.data) % LINE))
        self.placed[name] = Placed(start=len(self.data), shape=numbers.shape, kind=kind)
        self.data.extend(numbers.astype(f"<{kind}").tobytes())

    def step(self, name: str, weights: np.ndarray, start: np.ndarray) -> None:
        scales = np.abs(weights).max(axis=1) / 127
        scales[scales == 0] = 1.0
        self.put(name, np.rint(weights / scales[:, None]), "i1")
        self.put(f"{name}.scales", scales, "f4")
        self.put(f"{name}.start", start, "f4")

    def norm(self, name: str, weights: np.ndarray, start: np.ndarray) -> None:
        self.put(name, weights, "f4")
        self.put(f"{name}.start", start, "f4")


def kept_pieces(base: Base, used: set[int]) -> list[int]:
    """Those that the texts at hand need, then the most frequent Chinese and English ones."""
    kept = set(used) | set(range(UNKNOWN + 1))
    for number in range(UNKNOWN + 1, len(base.pieces)):
        if len(kept) >= MOST_PIECES:
            break
        if len(base.pieces[number]) <= LONGEST and KEPT.fullmatch(base.pieces[number]):
            kept.add(number)
    return sorted(kept)


def write_encoder(
    path: Path,
    base: Base,
    tuned: Tuned,
    used: set[int],
    answers: Sequence[str],
    paired: int,
    settings: dict[str, dict[str, float]],
) -> str:
    """The name of what was written, a digest of its weights in it."""
    kept, writer = kept_pieces(base, used), Writer()
    layers = sum(name.endswith(".q.w") for name in tuned)
    width = tuned["emb.ln.w"].size
    writer.put("word", base.words[0][kept], "u1")
    writer.put("word.scales", base.words[1][kept], "f2")
    writer.put("scores", np.array(base.scores)[kept], "f4")
    writer.put("places", tuned["emb.pos"].reshape(-1, width)[:MOST] + tuned["emb.type"][:width], "f2")
    writer.norm("begun", tuned["emb.ln.w"], tuned["emb.ln.b"])
    for layer in range(layers):
        own = {name.removeprefix(f"l{layer}."): one for name, one in tuned.items() if name.startswith(f"l{layer}.")}
        asked = [np.concatenate([own[f"{name}.{end}"] for name in "qkv"]) for end in "wb"]
        writer.step(f"{layer}.asked", *asked)
        for name, step in STEPS.items():
            writer.step(f"{layer}.{step}", own[f"{name}.w"], own[f"{name}.b"])
        for name, norm in NORMS.items():
            writer.norm(f"{layer}.{norm}", own[f"{name}.w"], own[f"{name}.b"])
    writer.step("answer", tuned["answer.w"], tuned["answer.b"])
    head = Head(
        name=f"encoder@{hashlib.sha256(writer.data).hexdigest()[:8]}",
        layers=layers,
        heads=HEADS,
        paired=paired,
        pieces=tuple(base.pieces[number] for number in kept),
        answers=tuple(answers),
        placed=writer.placed,
        **settings,
    )
    described = msgspec.json.encode(head)
    described += b" " * (-(4 + len(described)) % LINE)
    path.write_bytes(len(described).to_bytes(4, "big") + described + writer.data)
    return head.name
