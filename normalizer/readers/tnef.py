"""Outlook's winmail.dat opened: the files inside it, and the text where the mail has no other."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field

MAX_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class Winmail:
    """What was inside. `files` are (name, content)."""

    text: str = ""
    html: str = ""
    files: list[tuple[str, bytes]] = field(default_factory=list)


def open_winmail(data: bytes) -> Winmail | None:
    """None when it cannot be opened: then it stays the attachment it is."""
    if len(data) > MAX_BYTES or not data.startswith(b"\x78\x9f\x3e\x22"):
        return None
    from tnefparse import TNEF

    logging.getLogger("tnefparse").setLevel(logging.CRITICAL)
    try:
        tnef = TNEF(data, do_checksum=False)
        files = [(_name(attachment), bytes(attachment.data or b"")) for attachment in tnef.attachments]
    except Exception:
        return None
    text, html = _text(tnef, "body"), _text(tnef, "htmlbody")
    if not text.strip() and not html:
        text, html = _rich_text(tnef)
    return Winmail(text=text, html=html, files=files)


def _rich_text(tnef: object) -> tuple[str, str]:
    """Outlook's own format, when the body is in no other: as plain text or as the HTML inside it."""
    from normalizer.readers import rtf

    with contextlib.suppress(Exception):
        packed = bytes(getattr(tnef, "rtfbody", None) or b"")
        return rtf.read(rtf.unpack(packed) or packed) if packed else ("", "")
    return "", ""


def _name(attachment: object) -> str:
    for attribute in ("long_filename", "name"):
        with contextlib.suppress(Exception):
            value = getattr(attachment, attribute)
            value = value() if callable(value) else value
            if isinstance(value, bytes):
                from normalizer.readers.charset import decode

                value = decode(value)
            if value:
                return str(value).strip("\0 ")
    return ""


def _text(tnef: object, attribute: str) -> str:
    with contextlib.suppress(Exception):
        value = getattr(tnef, attribute)
        if isinstance(value, bytes):
            from normalizer.readers.charset import declared_in_html, decode

            return decode(value, declared_in_html(value))
        return str(value or "").replace("\0", "")
    return ""
