"""Address fields as they really arrive → (name, address) pairs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from normalizer.readers.mime_header import decode_words

MAX_ADDRESSES = 500
_MAX_CHARACTERS = 65_536
_MAX_GROUP_TOKENS = 12
_MAX_COMMON = 100
"""Characters of a field that is short enough to come again and again (To, most of all): read once."""

_TOKEN = re.compile(
    r"""(?P<quoted>"(?:\\.|[^"\\]){0,2000}")|(?P<angle><[^<>]{0,1000}>)|(?P<comment>\((?:\\.|[^()\\]){0,1000}\))"""
    r"""|(?P<word>=\?[^?\s]{1,60}\?[bBqQ]\?[^?]*\?=)|(?P<separator>[,;])|(?P<colon>:)|(?P<text>[^"<(,;:=]+|.)""",
    re.DOTALL,
)
_BARE = re.compile(
    r"[^\s<>()\[\]\"',;:@](?:[^\s<>()\[\]\",;:@]{0,254}[^\s<>()\[\]\"',;:@])?@(?:[^\s<>()\[\]\"',;:@]+|\[[\w.:]+\])"
)
_MAILTO = re.compile(r"\[mailto:([^\s\[\]<>]{1,256})\]", re.IGNORECASE)
_QUOTED_LOCAL = re.compile(r"""\s*("(?:\\.|[^"\\]){1,64}"@[\w.-]{1,255})\s*""")
_COMMENT = re.compile(r"\((?:\\.|[^()\\]){0,500}\)")
_ADDRESS = re.compile(r"[^\s<>,;@]{1,256}@[^\s<>,;@]+")


@dataclass(frozen=True, slots=True)
class Mailbox:
    name: str = ""
    address: str = ""
    """Lower-case; empty where none is given."""


def parse_addresses(text: str) -> Sequence[Mailbox]:
    """A From/To/Cc field's text (encoded words still in it) → the mailboxes it names. Entries without any
    address are kept when they have a name."""
    return _common_addresses(text) if len(text) <= _MAX_COMMON else _read_addresses(text)


def _read_addresses(text: str) -> Sequence[Mailbox]:
    found: list[Mailbox] = []
    carried = ""
    if "mailto:" in text:
        text = _MAILTO.sub(r"<\1>", text)
    if "&lt;" in text:  # from a web form that escaped too much
        text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    for piece in _pieces(text[:_MAX_CHARACTERS]):
        name, address, has_angle = _read_piece(piece)
        if not address and not has_angle:
            carried = f"{carried}, {name}" if carried and name else carried or name
            continue
        name = f"{carried}, {name}" if carried and name and has_angle else name or (carried if has_angle else "")
        carried = ""
        found.append(Mailbox(name, address))
    if carried:
        found.append(_from_decoded(carried))
    return tuple(mailbox for mailbox in found if mailbox.name or mailbox.address)


_common_addresses = lru_cache(maxsize=512)(_read_addresses)


def _pieces(text: str) -> list[list[re.Match[str]]]:
    """Tokens between the commas (or semicolons) that separate addresses; a group's name is dropped."""
    pieces: list[list[re.Match[str]]] = [[]]
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "separator":
            if len(pieces) >= MAX_ADDRESSES:
                break
            pieces.append([])
        elif token.lastgroup == "colon" and _names_group(pieces[-1], text, token.end()):
            pieces[-1] = []
        else:
            pieces[-1].append(token)
    return [piece for piece in pieces if piece]


def _names_group(piece: list[re.Match[str]], text: str, after: int) -> bool:
    if len(piece) > _MAX_GROUP_TOKENS:
        return False
    before = "".join(token[0] for token in piece)
    if "@" in before or "<" in before or before.strip().lower() == "mailto":
        return before.strip().lower() == "mailto"
    return text.find(";", after) >= 0


def _read_piece(piece: list[re.Match[str]]) -> tuple[str, str, bool]:
    if len(piece) < 4 and (quoted := _QUOTED_LOCAL.fullmatch("".join(token[0] for token in piece))):
        return "", decode_words(quoted[1]).lower(), False
    names: list[str] = []
    comments: list[str] = []
    address, has_angle = "", False
    for token in piece:
        if token.lastgroup == "angle":
            candidate = _clean(token[0][1:-1])
            has_angle = True
            address = candidate if "@" not in address and ("@" in candidate or not address) else address
        elif token.lastgroup == "comment":
            comments.append(decode_words(token[0][1:-1]))
        elif token.lastgroup == "quoted":
            names.append(re.sub(r"\\(.)", r"\1", token[0][1:-1]))
        else:
            names.append(token[0])
    name = _tidy(decode_words("".join(names)))
    if not address:
        name, address = _split_bare(name)
    return name or (_tidy(comments[0]) if comments and (address or has_angle) else ""), address, has_angle


def _split_bare(name: str) -> tuple[str, str]:
    """An address without angle brackets, or with only one of them, among its name."""
    found = _BARE.search(name)
    if not found:
        return name, ""
    rest = (name[: found.start()] + " " + name[found.end() :]).replace("<", " ").replace(">", " ")
    return _tidy(rest), _clean(found[0])


def _from_decoded(text: str) -> Mailbox:
    """The whole mailbox sat inside one encoded word."""
    name, address = _split_bare(text)
    return Mailbox(name, address)


def _clean(address: str) -> str:
    if '"' in address and (quoted := _QUOTED_LOCAL.fullmatch(address)):
        return quoted[1].lower()
    address = (
        _COMMENT.sub("", decode_words(address)).strip().strip("\"'<>").removeprefix("mailto:").removeprefix("MAILTO:")
    )
    if address.startswith("@") and ":" in address:
        address = address.partition(":")[2]
    if " " in address or "\t" in address:
        address = re.sub(r"\s{0,9}([.@])\s{0,9}", r"\1", address)
        found = _ADDRESS.search(address)
        address = found[0] if found else "".join(address.split())
    return address.rstrip(".,;").lower()


def _tidy(name: str) -> str:
    name = " ".join(name.replace("<>", " ").split())
    while len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        name = name[1:-1].strip()
    if name.count("<") != name.count(">") or name.startswith("<"):
        name = name.strip("<> \t")
    return name.strip('"') if name.count('"') == 1 else name
