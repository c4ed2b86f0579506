"""Writes Outlook message files: a small compound file writer ([MS-CFB]) and the property layout of [MS-OXMSG]."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

SECTOR, MINI, CUTOFF = 512, 64, 4096
END, FREE, FAT, NONE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFF

Tree = dict[str, "bytes | Tree"]
Value = str | bytes | int | bool | datetime


@dataclass(slots=True)
class Entry:
    name: str
    kind: int
    content: bytes = b""
    child: int = NONE
    right: int = NONE
    start: int = END
    size: int = 0


def compound_file(tree: Tree) -> bytes:
    """A version 3 file. Brothers hang to the right of each other, in the order the format wants."""
    entries = [Entry("Root Entry", 5)]
    _lay_out(tree, entries, 0)
    mini, mini_fat = _mini_stream(entries)
    sectors: list[bytes] = []
    fat: list[int] = []
    for entry in entries:
        if entry.kind == 2 and len(entry.content) >= CUTOFF:
            entry.start, entry.size = _chain(sectors, fat, entry.content), len(entry.content)
    entries[0].start, entries[0].size = _chain(sectors, fat, mini), len(mini)
    mini_fat_start = _chain(sectors, fat, b"".join(struct.pack("<I", one) for one in mini_fat))
    directory_start = _chain(sectors, fat, b"".join(map(_entry, entries)), filler=_entry(Entry("", 0)))
    count = 1
    while count * (SECTOR // 4) < len(fat) + count:
        count += 1
    first_fat = len(sectors)
    fat += [FAT] * count
    table = b"".join(struct.pack("<I", one) for one in fat)
    sectors += [table[at : at + SECTOR].ljust(SECTOR, b"\xff") for at in range(0, len(table), SECTOR)]
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6, 0, count,
        directory_start, 0, CUTOFF, mini_fat_start, (len(mini_fat) * 4 + SECTOR - 1) // SECTOR, END, 0, first_fat,
    )  # fmt: skip
    difat = [first_fat + at for at in range(1, count)]
    assert len(difat) < 109, "too large for this small writer"
    header += b"".join(struct.pack("<I", one) for one in difat)
    return header.ljust(SECTOR, b"\xff") + b"".join(sectors)


def _lay_out(tree: Tree, entries: list[Entry], parent: int) -> None:
    before = NONE
    for name, content in sorted(tree.items(), key=lambda item: (len(item[0]), item[0].upper())):
        entry = Entry(name, 2, content) if isinstance(content, bytes) else Entry(name, 1)
        entries.append(entry)
        here = len(entries) - 1
        if before == NONE:
            entries[parent].child = here
        else:
            entries[before].right = here
        before = here
        if not isinstance(content, bytes):
            _lay_out(content, entries, here)


def _mini_stream(entries: list[Entry]) -> tuple[bytes, list[int]]:
    mini, table = bytearray(), list[int]()
    for entry in entries:
        if entry.kind == 2 and 0 < len(entry.content) < CUTOFF:
            entry.start, entry.size = len(mini) // MINI, len(entry.content)
            mini += entry.content.ljust(-(-len(entry.content) // MINI) * MINI, b"\0")
            last = len(mini) // MINI
            table += [*range(len(table) + 1, last), END]
    return bytes(mini), table


def _chain(sectors: list[bytes], fat: list[int], content: bytes, filler: bytes = b"\xff") -> int:
    if not content:
        return END
    start = len(sectors)
    missing = -len(content) % SECTOR
    content += filler * (missing // len(filler))
    sectors += [content[at : at + SECTOR] for at in range(0, len(content), SECTOR)]
    fat += [*range(start + 1, len(sectors)), END]
    return start


def _entry(entry: Entry) -> bytes:
    name = entry.name.encode("utf-16-le")
    size = len(name) + 2 if entry.kind else 0
    place = (entry.start if entry.kind in (2, 5) else 0, entry.size)
    return struct.pack(
        "<64sHBBIII16sI8s8sIQ", name, size, entry.kind, 1, NONE, entry.right, entry.child, b"", 0, b"", b"", *place
    )


@dataclass(slots=True)
class Properties:
    """Property id → value: text as Unicode unless `codepage` is given, bytes as binary."""

    values: Mapping[int, Value]
    codepage: str = ""
    children: Tree = field(default_factory=dict)

    def tree(self, header: int) -> Tree:
        tree: Tree = dict(self.children)
        rows = b""
        for id_, value in self.values.items():
            kind, fixed, content = self._encoded(value)
            if content is not None:
                tree[f"__substg1.0_{id_:04X}{kind:04X}"] = content
            rows += struct.pack("<HHI8s", kind, id_, 6, fixed)
        tree["__properties_version1.0"] = bytes(header) + rows
        return tree

    def _encoded(self, value: Value) -> tuple[int, bytes, bytes | None]:
        if isinstance(value, bool):
            return 0x000B, struct.pack("<?7x", value), None
        if isinstance(value, int):
            return 0x0003, struct.pack("<i4x", value), None
        if isinstance(value, datetime):
            ticks = round((value - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds() * 10_000_000)
            return 0x0040, struct.pack("<Q", ticks), None
        if isinstance(value, bytes):
            return 0x0102, struct.pack("<I4x", len(value)), value
        if self.codepage:
            content = value.encode(self.codepage)
            return 0x001E, struct.pack("<I4x", len(content) + 1), content
        content = value.encode("utf-16-le")
        return 0x001F, struct.pack("<I4x", len(content) + 2), content


def message_tree(
    values: Mapping[int, Value],
    *,
    recipients: Sequence[Mapping[int, Value]] = (),
    attachments: Sequence[Mapping[int, Value] | Tree] = (),
    codepage: str = "",
    header: int = 24,
) -> Tree:
    """The storage of one message. An attachment is its properties, or the tree of a message inside."""
    children: Tree = {}
    for number, recipient in enumerate(recipients):
        children[f"__recip_version1.0_#{number:08X}"] = Properties(recipient, codepage).tree(8)
    for number, attachment in enumerate(attachments):
        name = f"__attach_version1.0_#{number:08X}"
        if any(isinstance(key, str) for key in attachment):
            children[name] = Properties({0x3705: 5}, children={"__substg1.0_3701000D": attachment}).tree(8)  # type: ignore[dict-item]  # the keys say that it is a tree
        else:
            children[name] = Properties(attachment, codepage).tree(8)  # type: ignore[arg-type]  # here they say it is none
    return Properties(values, codepage, children).tree(header)


def msg(
    values: Mapping[int, Value],
    *,
    recipients: Sequence[Mapping[int, Value]] = (),
    attachments: Sequence[Mapping[int, Value] | Tree] = (),
    codepage: str = "",
) -> bytes:
    """A whole .msg file."""
    tree = message_tree(values, recipients=recipients, attachments=attachments, codepage=codepage, header=32)
    names: Tree = {f"__substg1.0_{id_:04X}0102": b"" for id_ in (2, 3, 4)}
    return compound_file({"__nameid_version1.0": names, **tree})
