"""A submitted complaint form (`multipart/form-data`, RFC 7578) → one Message."""

from __future__ import annotations

import hashlib
import re

from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Message, Raw
from normalizer.readers import charset, mime
from normalizer.readers.file_name import clean_name
from normalizer.readers.mime import Part
from normalizer.readers.mime_header import parameters

MAX_FIELD_BYTES = 262_144
MAX_PARTS = 500
_FILE_FIELDS = frozenset({"files", "files[]", "file", "attachments", "attachments[]"})


def read_form(raw: Raw, *, with_content: bool = False) -> Message:
    """Fields `text` (required), name, email, phone, wechat, order, product, subject, language, and files.
    Raises `BadMessage` when the body is not a form or says nothing."""
    _, declared = parameters(raw.media_type.encode("utf-8", "replace"))
    boundary = declared.get("boundary", "").encode("utf-8", "replace")
    spans = mime.exact_spans(raw.body, 0, len(raw.body), boundary) if boundary else []
    if not spans:
        raise BadMessage("not a submitted form: its boundary is missing or matches nothing")
    if len(spans) > MAX_PARTS:
        raise BadMessage(f"a form of {len(spans)} parts, at most {MAX_PARTS} are read")
    fields: dict[str, str] = {}
    files: list[Attachment] = []
    for start, end in spans:
        _take(mime.parse(raw.body[start:end]), fields, files, with_content)
    return _message(fields, files, raw)


def _take(part: Part, fields: dict[str, str], files: list[Attachment], with_content: bool) -> None:
    name = part.disposition_parameters.get("name", "").strip()
    if "filename" in part.disposition_parameters or name in _FILE_FIELDS:
        content = part.body
        file = clean_name(part.disposition_parameters.get("filename", "")).replace("%22", '"')
        if content or file:
            files.append(_attachment(file, part, content, with_content))
    elif name:
        value = charset.decode(part.body[:MAX_FIELD_BYTES], part.parameters.get("charset", ""))
        fields.setdefault(name, value.replace("\r\n", "\n").strip())


def _attachment(name: str, part: Part, content: bytes, with_content: bool) -> Attachment:
    return Attachment(
        name=name,
        media_type=part.media_type if part.header("content-type") else "application/octet-stream",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content=content if with_content else None,
    )


def _message(fields: dict[str, str], files: list[Attachment], raw: Raw) -> Message:
    text = fields.get("text", "")
    if not text:
        raise BadMessage("the form has no text")
    email = fields.get("email", "").lower()
    phone, wechat = fields.get("phone", ""), fields.get("wechat", "")
    return Message(
        text=text,
        subject=_line(fields.get("subject", "")),
        author=Author(
            id=email or re.sub(r"[^\d+]", "", phone) or wechat,
            name=_line(fields.get("name", "")),
            handle=_line(wechat),
            email=_line(email),
            phone=_line(phone),
        ),
        posted_at=raw.received_at,
        order=_line(fields.get("order", "")),
        product=_line(fields.get("product", "")),
        language=_line(fields.get("language", "")),
        attachments=tuple(files),
        is_automatic=bool(raw.context.get("honeypot")),
        automatic_reason="honeypot" if raw.context.get("honeypot") else "",
    )


def _line(value: str) -> str:
    return " ".join(value.split())[:500]
