"""One mail of ours, byte for byte. Pure: the same mail is the same bytes in every attempt.

Written by hand: `email.policy` makes encoded words of a Message-ID that is longer than a line, which ends the thread.
"""

from __future__ import annotations

import base64
import quopri
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from textwrap import wrap

from allears_sdk.connector import Address
from allears_sdk.errors import Void
from allears_sdk.reference import OWN_MAIL_HEADER, mail_id

MAX_REFERENCES = 20
_LINE = 76
_WORD_BYTES = 42
"""Of UTF-8 in one encoded word: RFC 2047 allows 75 characters with its marks."""
_ID = re.compile(r"(?!.*=\?)[!-;=?-~]{1,200}@[!-;=?-~]{1,200}")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_NEWLINE = re.compile(r"\r\n?")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9 .,'&()-]+")
_LANGUAGES = {"zh": "zh-CN", "en": "en"}


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Who writes: an ASCII address, and the name people see beside it."""

    address: str
    name: str = ""

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What stands in the header."""

    recipients: str
    """ASCII addresses, parted by commas."""
    subject: str
    at: datetime
    message_id: str
    """Without angle brackets, as all ids here."""
    reference: str
    answered: str = ""
    """Id of the mail that this one answers."""
    thread: Sequence[str] = ()
    """Ids of those before it, nearest first."""
    automatic: str = "auto-generated"
    language: str = ""
    reply_to: str = ""


def compose(address: Address, text: str, recipient: str, ours: Mailbox, *, bounces: bool) -> bytes:
    """An answer. `recipient` is an ASCII address; `bounces`: the envelope names us as its sender."""
    draft = Draft(
        recipients=recipient,
        subject=address.subject,
        at=address.at,
        message_id=mail_id(address.reference, ours.domain),
        reference=address.reference,
        answered=next(iter(address.known_as), ""),
        thread=address.thread,
        automatic="auto-replied",
        language=address.language,
    )
    return write(draft, text, ours, bounces=bounces)


def write(draft: Draft, text: str, ours: Mailbox, *, bounces: bool) -> bytes:
    """Header and body with CRLF."""
    answered = [draft.answered] if _ID.fullmatch(draft.answered) else []
    encoding, body = _body(text)
    headers = (
        ("From", _mailbox(ours)),
        ("To", draft.recipients.replace(", ", ",\r\n ")),
        ("Reply-To", draft.reply_to),
        ("Subject", _unstructured(draft.subject)),
        ("Date", format_datetime(draft.at)),
        ("Message-ID", f"<{draft.message_id}>"),
        ("In-Reply-To", _ids(answered)),
        ("References", _ids(_chain(draft.thread, answered))),
        ("Auto-Submitted", draft.automatic),
        ("X-Auto-Response-Suppress", "All"),
        # Old vacation programs know only this; where the envelope is empty nobody can answer it anyway, and the word
        # costs a place among the mails people read.
        ("Precedence", "bulk" if bounces else ""),
        (OWN_MAIL_HEADER, draft.reference),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Language", _LANGUAGES.get(draft.language, "")),
        ("Content-Transfer-Encoding", encoding),
    )
    lines = [f"{name}: {value}" for name, value in headers if value]
    return "\r\n".join([*lines, "", body]).encode("ascii")


def compose_answer(address: Address, text: str, ours: Mailbox) -> bytes:
    """For a service that sends as the mailbox itself. Raises Void where there is nobody to write to."""
    return compose(address, text, recipient_of(address, (ours.address,)), ours, bounces=True)


def _chain(thread: Sequence[str], answered: list[str]) -> list[str]:
    """The root, the nearest ones, and the mail itself: oldest first."""
    oldest_first = [one for one in reversed(thread) if _ID.fullmatch(one)]
    nearest = oldest_first[1:][-MAX_REFERENCES:]
    return list(dict.fromkeys((*oldest_first[:1], *nearest, *answered)))


def _ids(ids: Sequence[str]) -> str:
    """One a line: the limit of a line is far, that of most readers is not."""
    return "\r\n ".join(f"<{one}>" for one in ids)


def _mailbox(ours: Mailbox) -> str:
    name = _one_line(ours.name)
    if not name:
        return ours.address
    shown = f'"{name}"' if _PLAIN_NAME.fullmatch(name) else _encoded(name)
    return f"{shown}\r\n <{ours.address}>"


def _unstructured(text: str) -> str:
    text = _one_line(text)
    if not text.isascii() or "=?" in text or max(map(len, text.split()), default=0) > _LINE - 10:
        return _encoded(text)
    return "\r\n ".join(wrap(text, _LINE - 10, break_long_words=False, break_on_hyphens=False))


def _encoded(text: str) -> str:
    words = (base64.b64encode(word).decode() for word in _pieces(text))
    return "\r\n ".join(f"=?utf-8?B?{word}?=" for word in words)


def _pieces(text: str) -> Iterator[bytes]:
    """No character stands in two of them."""
    piece = b""
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(piece) + len(encoded) > _WORD_BYTES:
            yield piece
            piece = b""
        piece += encoded
    yield piece


def _one_line(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())


def _body(text: str) -> tuple[str, str]:
    """Its encoding, and the text in it: readable as it is where most of it is ASCII."""
    data = (_NEWLINE.sub("\n", text).removesuffix("\n") + "\n").encode("utf-8", "replace")
    if len(data) <= 1.3 * len(text):
        return "quoted-printable", quopri.encodestring(data).decode().replace("\n", "\r\n")
    return "base64", base64.encodebytes(data.replace(b"\n", b"\r\n")).decode().replace("\n", "\r\n")


def recipient_of(address: Address, ours: Collection[str]) -> str:
    """The customer's ASCII address; raises Void where there is none, or it is one of `ours`."""
    recipient = ascii_address(address.to.email)
    if not recipient:
        raise Void("there is no address that mail can be sent to")
    if recipient.lower() in {one.lower() for one in ours}:
        raise Void("the customer is this mailbox itself")
    return recipient


def is_address(text: str) -> bool:
    """One that any server takes: a plain local part and a domain, both ASCII."""
    return _ADDRESS.fullmatch(text) is not None and ".." not in text


def ascii_address(text: str) -> str:
    """The address with its domain as the name service has it; "" when it cannot be written in ASCII."""
    local, _, domain = text.strip().rpartition("@")
    try:
        written = f"{local}@{domain if domain.isascii() else domain.encode('idna').decode()}"
    except UnicodeError:
        return ""
    return written if is_address(written) else ""
