"""One Outlook message (.msg) → one Message, by way of the mail it once was.

What the file keeps is laid out as a mail again and read like any other, so that threads, forwards, automatic mail
and quotes are found by the same code. A message inside an attachment becomes a mail inside that mail.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.utils import format_datetime
from hashlib import sha256
from urllib.parse import quote

from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Message
from normalizer.readers import rtf
from normalizer.readers.oxmsg import Stored, name_of, open_msg
from normalizer.readers.rfc822 import read_mail

MAX_DEPTH = 8
NOT_INSIDE = "application/x-allears-not-inside"
"""Marks what the file names and does not hold, on its way through the mail reader; its Content-ID says why."""

# Property ids of [MS-OXPROPS], without the leading PidTag.
_MESSAGE_CLASS, _SUBJECT, _TRANSPORT_HEADERS = 0x001A, 0x0037, 0x007D
_BODY, _RTF, _HTML, _INTERNET_CODEPAGE = 0x1000, 0x1009, 0x1013, 0x3FDE
_MESSAGE_ID, _REFERENCES, _IN_REPLY_TO = 0x1035, 0x1039, 0x1042
_SUBMITTED, _DELIVERED, _CREATED = 0x0039, 0x0E06, 0x3007
_DISPLAY_NAME, _ADDRESS_TYPE, _ADDRESS, _SMTP_ADDRESS, _RECIPIENT_TYPE = 0x3001, 0x3002, 0x3003, 0x39FE, 0x0C15
_REPRESENTED = (0x0042, 0x0064, 0x0065, 0x5D02)
_SENDER = (0x0C1A, 0x0C1E, 0x0C1F, 0x5D01)
"""Name, address type, address, SMTP address. On Exchange the address is an X.500 name; the last one is what mail
knows."""
_CONTENT, _METHOD, _FILE_NAME, _LONG_FILE_NAME, _LONG_PATH = 0x3701, 0x3705, 0x3704, 0x3707, 0x370D
_MIME_TYPE, _CONTENT_ID, _CONTENT_LOCATION = 0x370E, 0x3712, 0x3713

_FIELD = re.compile(r"^([!-9;-~]{1,200})[ \t]*:.*(?:\n[ \t].*)*", re.MULTILINE)
_BREAKS = re.compile(r"[\r\n\0]+")
_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}")
_AUTOMATIC = re.compile(
    r"report\.|ipm\.note\.rules\.(?:oof|reply)template|ipm\.schedule\.meeting\.resp|ipm\.recall\.report", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """An attachment on its way into the mail."""

    name: str
    media_type: str
    content: bytes
    content_id: str = ""
    location: str = ""


def read_msg(data: bytes, *, with_content: bool = False) -> Message:
    """Raises BadMessage for what is no Outlook message, or too damaged to be read."""
    stored = open_msg(data)
    try:
        message = read_mail(_mail(stored, 0), with_content=with_content)
    except BadMessage:
        raise
    except Exception as error:  # whatever a damaged file leads to, it is kept and says so
        raise BadMessage(f"this .msg file is damaged: {type(error).__name__}") from error
    return _with_reasons(message)


def _with_reasons(message: Message) -> Message:
    """What is not inside says why; here and in the message that this one forwards."""
    return replace(
        message,
        attachments=tuple(_with_reason(one) for one in message.attachments),
        original=_with_reasons(message.original) if message.original else None,
    )


def _with_reason(attachment: Attachment) -> Attachment:
    if attachment.media_type != NOT_INSIDE:
        return attachment
    return Attachment(name=attachment.name, skipped=attachment.content_id)


def _mail(stored: Stored, depth: int) -> bytes:
    """The message as RFC 5322 mail, bodies and attachments as they are."""
    texts = list(_bodies(stored))
    files = [_part(file) for file in _files(stored, depth)]
    body = _multipart("alternative", texts) if len(texts) > 1 else texts[0] if texts else b"\n"
    if files:
        body = _multipart("mixed", [body, *files])
    return "".join(f"{line}\n" for line in _header(stored)).encode("utf-8", "replace") + body


def _multipart(kind: str, parts: list[bytes]) -> bytes:
    """The boundary is made of what it separates, so that no content can hold it."""
    boundary = sha256(b"".join(sha256(part).digest() for part in parts)).hexdigest()[:40].encode()
    head = b'Content-Type: multipart/%s; boundary="%s"\n\n' % (kind.encode(), boundary)
    return head + b"".join(b"--%s\n%s\n" % (boundary, part) for part in parts) + b"--%s--\n" % boundary


# Header


def _header(stored: Stored) -> Iterator[str]:
    """The fields the mail travelled with, where the file keeps them; else what Outlook knows of it."""
    transport = stored.text(_TRANSPORT_HEADERS).replace("\r\n", "\n").replace("\r", "\n")
    fields = {name: value for name, value in _fields_of(stored) if value}
    for found in _FIELD.finditer(transport):
        name = found[1].lower()
        if name.startswith("content-") or name in ("mime-version", "subject" if "subject" in fields else ""):
            continue
        fields.pop(name, None)
        yield found[0].replace("\0", "")
    for name, value in fields.items():
        yield f"{name.title()}: {_one_line(value)}"


def _fields_of(stored: Stored) -> Iterator[tuple[str, str]]:
    yield "from", _mailbox(stored, _REPRESENTED) or _mailbox(stored, _SENDER)
    yield "subject", _word(stored.text(_SUBJECT))
    recipients = stored.items("__recip_version1.0_")
    yield "to", _mailboxes(one for one in recipients if one.number(_RECIPIENT_TYPE) in (None, 1))
    yield "cc", _mailboxes(one for one in recipients if one.number(_RECIPIENT_TYPE) == 2)
    moment = stored.time(_SUBMITTED, _DELIVERED, _CREATED)
    yield "date", format_datetime(moment) if moment else ""
    yield "message-id", stored.text(_MESSAGE_ID)
    yield "in-reply-to", stored.text(_IN_REPLY_TO)
    yield "references", stored.text(_REFERENCES)
    if _AUTOMATIC.match(stored.text(_MESSAGE_CLASS)):
        yield "auto-submitted", "auto-generated"


def _mailboxes(recipients: Iterator[Stored]) -> str:
    found = (_mailbox(one, (_DISPLAY_NAME, _ADDRESS_TYPE, _ADDRESS, _SMTP_ADDRESS)) for one in recipients)
    return ", ".join(filter(None, found))


def _mailbox(stored: Stored, ids: tuple[int, int, int, int]) -> str:
    name, kind, address, smtp = (_one_line(stored.text(id_)).strip() for id_ in ids)
    if "@" not in smtp:
        smtp = address if kind.upper() in ("", "SMTP") and "@" in address else ""
    shown = name.strip("'") if name.strip("'") != smtp else ""
    return f"{_word(shown)} <{smtp}>" if shown else smtp


def _word(text: str) -> str:
    """RFC 2047, so that no reader has to guess; names in it need no quotes."""
    text = _one_line(text)
    if re.fullmatch(r"[\w !#$%&'*+/^`{|}~-]*", text, re.ASCII):
        return text
    return f"=?utf-8?B?{b64encode(text.encode('utf-8', 'replace')).decode()}?=" if text else ""


def _one_line(text: str) -> str:
    return _BREAKS.sub(" ", text)


# Bodies


def _bodies(stored: Stored) -> Iterator[bytes]:
    """Plain text and HTML, each as a part. RTF speaks where there is no HTML, for it mostly wraps one."""
    text, markup = stored.text(_BODY), _html(stored)
    if markup is None and (packed := stored.binary(_RTF)):
        plain, inside = rtf.read(rtf.unpack(packed))
        text = text if text.strip() else plain
        markup = _text_part("html", inside) if inside else None
    if text.strip():
        yield _text_part("plain", text)
    if markup is not None:
        yield markup


def _html(stored: Stored) -> bytes | None:
    content = stored.binary(_HTML)
    if content:
        number = stored.number(_INTERNET_CODEPAGE) or 0
        charset = f'; charset="{name_of(number)}"' if number else ""
        return f"Content-Type: text/html{charset}\n\n".encode() + content
    said = stored.text(_HTML)
    return _text_part("html", said) if said.strip() else None


def _text_part(kind: str, text: str) -> bytes:
    return f'Content-Type: text/{kind}; charset="utf-8"\n\n'.encode() + text.encode("utf-8", "replace")


# Attachments


def _files(stored: Stored, depth: int) -> Iterator[_File]:
    for attached in stored.items("__attach_version1.0_"):
        inner = attached.inner_message(_CONTENT)
        if inner is not None:
            yield _inner_mail(attached, inner, depth)
        else:
            yield _file(attached)


def _inner_mail(attached: Stored, inner: Stored, depth: int) -> _File:
    name = inner.text(_SUBJECT) or attached.text(_DISPLAY_NAME, _LONG_FILE_NAME)
    name = re.sub(r'[\\/:*?"<>|\s]+', " ", name).strip()[:120] or "message"
    if depth >= MAX_DEPTH:
        return _missing(f"{name}.eml", "nested too deeply")
    return _File(name=f"{name}.eml", media_type="message/rfc822", content=_mail(inner, depth + 1))


def _file(attached: Stored) -> _File:
    name = attached.text(_LONG_FILE_NAME, _FILE_NAME, _DISPLAY_NAME)
    content = attached.binary(_CONTENT)
    if content is None:
        link = attached.text(_LONG_PATH)
        reason = f"only linked: {link}" if link else "an object of another program, or damaged"
        return _missing(name, reason)
    said = attached.text(_MIME_TYPE).strip().lower()
    is_usable = _TYPE.fullmatch(said) and not said.startswith("multipart/") and said != NOT_INSIDE
    return _File(
        name=name,
        media_type=said if is_usable else "application/octet-stream",
        content=content,
        content_id=attached.text(_CONTENT_ID),
        location=attached.text(_CONTENT_LOCATION),
    )


def _missing(name: str, reason: str) -> _File:
    return _File(name=name, media_type=NOT_INSIDE, content=b"", content_id=reason)


def _part(file: _File) -> bytes:
    name = quote(_one_line(file.name).encode("utf-8", "replace"))
    lines = [f"Content-Type: {file.media_type}", f"Content-Disposition: attachment; filename*=utf-8''{name}"]
    if file.content_id:
        lines.append(f"Content-ID: <{_one_line(file.content_id).strip('<>')}>")
    if file.location:
        lines.append(f"Content-Location: {_one_line(file.location)}")
    return "\n".join(lines).encode("utf-8", "replace") + b"\n\n" + file.content
