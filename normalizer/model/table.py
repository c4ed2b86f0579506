"""The trained weights as they ship: one row for each word sequence and each measure, one lane for each answer."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain

import msgspec

_HALF = 128
_LANE_BYTES = 4
_MIDDLE = 1 << 31


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """All of a model but its weights."""

    name: str
    lanes: tuple[str, ...]
    """`nature=complaint`, `category=logistics.delay`, …"""
    sequences: tuple[str, ...]
    """Single characters and words first: `singles` of them."""
    singles: int
    measures: tuple[str, ...]
    scales: tuple[float, ...]
    """By lane: what one step of a weight is worth."""
    start: tuple[float, ...]
    """By lane: what it has before anything is read."""
    warmth: dict[str, float]
    """By field: its sums are divided by this before they are probabilities."""
    trust: dict[str, dict[str, float]]
    """By field, then by what the rules' answer stands on (`public strong`): what it has in advance, as log odds."""
    rare: tuple[str, ...]
    """Categories of which too few examples were seen to gainsay rules that name them."""
    bars: dict[str, float]
    """By expectation: the probability from which it is taken as said; `heard`: that which is enough where rules hear
    it."""


class Table:
    """Weights of a model; rows are the head's sequences, then its measures.

    A row's weights lie in the lanes of one whole number, 32 bits each, so that adding two rows adds all their lanes.
    """

    def __init__(self, head: Head, weights: bytes) -> None:
        """`weights`: row by row, a byte for each lane, 128 being nothing."""
        self.head = head
        count = len(head.lanes)
        self._lanes = [weights[lane::count] for lane in range(count)]
        zero = _packed(bytes([_HALF]) * count)
        self.rows = [_packed(weights[at : at + count]) - zero for at in range(0, len(weights), count)]
        self.measures = {name: len(head.sequences) + row for row, name in enumerate(head.measures)}
        self._middle = sum(_MIDDLE << (8 * _LANE_BYTES * lane) for lane in range(count))

    def total(self, added: Iterable[int]) -> Sequence[int]:
        """By lane, of rows added up: from a distance to the middle to a signed number is one bit of each lane."""
        summed = (sum(added) + self._middle) ^ self._middle
        lanes = array("i", summed.to_bytes(_LANE_BYTES * len(self.head.lanes), sys.byteorder))
        if sys.byteorder == "big":
            lanes.reverse()
        return lanes.tolist()

    def strongest(self, rows: Iterable[int], lane: int, most: int) -> list[int]:
        """Of some rows those that speak for a lane, the strongest first, among equals the earlier row."""
        weights = self._lanes[lane]
        speaking = [row for row in sorted(rows) if weights[row] > _HALF]
        speaking.sort(key=weights.__getitem__, reverse=True)
        return speaking[:most]

    @property
    def weights(self) -> bytes:
        """As they ship: row by row."""
        return bytes(chain.from_iterable(zip(*self._lanes, strict=True)))

    @cached_property
    def fields(self) -> dict[str, dict[str, int]]:
        """By field, then by value: its lane."""
        found: dict[str, dict[str, int]] = {}
        for lane, name in enumerate(self.head.lanes):
            field, _, value = name.partition("=")
            found.setdefault(field, {})[value] = lane
        return found


def _packed(row: bytes) -> int:
    wide = bytearray(_LANE_BYTES * len(row))
    wide[::_LANE_BYTES] = row
    return int.from_bytes(wide, "little")


def dump(head: Head, weights: bytes) -> bytes:
    described = msgspec.json.encode(head)
    return len(described).to_bytes(4, "big") + described + weights


def parse(data: bytes) -> Table:
    end = 4 + int.from_bytes(data[:4], "big")
    return Table(msgspec.json.decode(data[4:end], type=Head), data[end:])
