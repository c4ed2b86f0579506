"""Inline forwards: the mail inside the mail, whose author is the customer."""

from __future__ import annotations

import re

from allears_sdk.message import Author, Message
from normalizer import trim_patterns as words
from normalizer.header_lines import Mark, header_block, label_value
from normalizer.quotes import is_plain, is_rule, mark_at, title_kind
from normalizer.readers.address import parse_addresses
from normalizer.readers.automatic import is_no_reply
from normalizer.readers.mime_header import parse_date
from normalizer.trim import trim_reply
from normalizer.trim_patterns import plain_view

MAX_REMARK = 600
"""Characters that may stand above a forwarded mail: with more, the sender speaks for himself."""
_MAX_LINES_ABOVE = 80
_MAX_LINES = 20_000
_MAX_NESTED = 5
_PASSED_ON = 20
"""Characters above a further forward with which it was only passed on."""
_QUOTE_PREFIX = re.compile(r"^\s?(?:> ?)+")
_MAILTO = re.compile(r"\s*[\[<(]?mailto:([^\s\])>]{1,256})[\])>]?", re.IGNORECASE)
_NAMED_ADDRESS = re.compile(
    r"(?:,|^|\d|от)\s*(?P<name>[\"“«]?[^,<>\"@\d]{1,100}[\"”»]?)\s*<(?P<address>[^\s<>@]{1,100}@[\w.-]{1,200})>"
)
_FINNISH_REPLY = re.compile(r"\s*vs:", re.IGNORECASE)


def is_forward_subject(subject: str) -> bool:
    """Of what was last done: `Re: Fwd:` answers a forward."""
    return bool(words.FORWARD_PREFIX.match(subject[:200]))


def find_original(message: Message, depth: int = 0) -> Message | None:
    """The mail that `message` forwards in its text; none for a reply, when much is said above it, or when what
    is forwarded came from us."""
    lines = message.text.split("\n", _MAX_LINES)
    mark = _forward_mark(lines, message.subject)
    if mark is None:
        return None
    original = _original(lines, mark, message)
    if original is None or _is_ours(original.author.email, message):
        return None
    return _innermost(original, message, depth)


def only_passes_on(message: Message) -> bool:
    """Whether a mail with another one attached says little itself: evidence attached to a complaint is no forward."""
    if len(trim_reply(message.text)) > MAX_REMARK:
        return False
    return not message.text.strip() or not message.subject.strip() or is_forward_subject(message.subject)


def find_attached_original(message: Message, attached: Message) -> Message | None:
    """The customer's mail in `attached`, which `message` forwards; none when it came from us."""
    if _is_ours(attached.author.email, message):
        return None
    inner = attached.original
    return inner if inner is not None and _passed_on(attached, message) else attached


def _forward_mark(lines: list[str], subject: str) -> Mark | None:
    """The first announcement, when it says forward or the subject does, below at most a short remark."""
    for index in range(min(len(lines), _MAX_LINES_ABOVE)):
        line = lines[index].rstrip()
        if not line or is_plain(line):
            continue
        mark = mark_at(lines, index)
        if mark is None:
            continue
        if mark.kind != "forwarded" and not (mark.kind in ("original", "header") and is_forward_subject(subject)):
            return None
        if _FINNISH_REPLY.match(subject) and "Lähettäjä" in lines[mark.start]:
            return None
        return mark if len(trim_reply("\n".join(lines[: mark.start]))) <= MAX_REMARK else None
    return None


def _is_ours(address: str, message: Message) -> bool:
    """Whether the forwarded mail came from whom the forward goes to: a customer sends our own answer back."""
    domain = address.partition("@")[2]
    if address in message.participants and address != message.author.email:
        return True
    if not domain or domain in words.PUBLIC_DOMAINS or message.author.email.endswith(f"@{domain}"):
        return False
    return any(recipient.endswith(f"@{domain}") for recipient in message.participants)


def _innermost(original: Message, message: Message, depth: int) -> Message:
    inner = find_original(original, depth + 1) if depth < _MAX_NESTED else None
    return inner if inner is not None and _passed_on(original, message) else original


def _passed_on(original: Message, message: Message) -> bool:
    """A colleague of the sender's, or somebody who says nothing of his own, did not write what he forwarded."""
    domain = message.author.email.partition("@")[2]
    is_colleague = bool(domain) and domain not in words.PUBLIC_DOMAINS and original.author.email.endswith(f"@{domain}")
    return is_colleague or len(_remark(original)) <= _PASSED_ON


def _remark(message: Message) -> str:
    lines = message.text.split("\n", _MAX_LINES)
    mark = _forward_mark(lines, message.subject)
    return trim_reply("\n".join(lines[: mark.start]) if mark else message.text)


def _original(lines: list[str], mark: Mark, message: Message) -> Message | None:
    start = mark.start if mark.kind == "header" else _next_said(lines, mark)
    if start is None:
        return None
    bare = [_QUOTE_PREFIX.sub("", line) for line in lines[start : start + 40]]
    header = header_block(bare, 0)
    if header is not None:
        values = _header_values(bare[: header.end])
        below = start + header.end
    else:
        values, below = {"sender": _announced_author(bare[0])}, start + 1
    author = _author(values.get("sender", ""))
    if author is None or is_no_reply(author.email):
        return None
    return Message(
        text=_without_marks(lines[below:]),
        subject=values.get("subject", ""),
        author=author,
        posted_at=parse_date(values.get("date", "").encode("utf-8", "replace")),
        attachments=message.attachments,
    )


def _next_said(lines: list[str], mark: Mark) -> int | None:
    """The header below a title; where title and header were found as one, the title is its first line."""
    first = mark.start if mark.end - mark.start > 1 else mark.end - 1
    below = range(first + 1, min(first + 5, len(lines)))
    return next((index for index in below if lines[index].strip(" >\t\r")), None)


def _announced_author(line: str) -> str:
    """Yandex forwards with `14.01.2025, 09:02, "Name" <address>:` instead of a header."""
    found = _NAMED_ADDRESS.search(plain_view(line[:400]))
    return f"{found['name'].strip()} <{found['address']}>" if found else ""


def _header_values(lines: list[str]) -> dict[str, str]:
    """By kind (sender, subject, date …); a value may go on in the next line. In a language nobody taught us the
    first field is the sender's."""
    values: dict[str, str] = {}
    kind = ""
    for line in lines:
        found = label_value(line)
        if found:
            kind = found[0]
            values.setdefault(kind, found[1])
        elif kind and ":" not in line:
            values[kind] = f"{values[kind]} {line.strip()}".strip()
    if "sender" not in values and lines:
        values["sender"] = lines[0].partition(":")[2].strip()
    return values


def _author(value: str) -> Author | None:
    """None when nobody is named."""
    found = parse_addresses(_MAILTO.sub(r" <\1>", value[:1_000]))
    if not found:
        return None
    address = found[0].address if "@" in found[0].address else ""
    return Author(id=address, email=address, name=found[0].name.strip("*' "))


def _without_marks(lines: list[str]) -> str:
    """The text below a header: without marks of quotation where every line has one, the title some programs
    repeat there, and the line that ends a forward."""
    said = [line for line in lines if line.strip()]
    if said and all(line.lstrip().startswith(">") for line in said):
        lines = [_QUOTE_PREFIX.sub("", line) for line in lines]
    start = next((index for index, line in enumerate(lines) if line.strip()), 0)
    if lines and is_rule(lines[start][:2] + "-") and title_kind(plain_view(lines[start][:200])):
        start += 1
    return "\n".join(_until_end(lines[start:])).strip()


def _until_end(lines: list[str]) -> list[str]:
    for index, line in enumerate(lines):
        if line[:2] in ("--", "==", "——") and plain_view(line[:200]).strip("-=_—* :").lower() in words.FORWARD_ENDS:
            return lines[:index]
    return lines
