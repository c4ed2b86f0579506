"""Strangers' bytes on their way out: never shown, whatever they claim to be."""

from __future__ import annotations

from urllib.parse import quote

MEDIA_TYPE = "application/octet-stream"


def download_headers(name: str) -> dict[str, str]:
    """A file to save, in a sandbox should a browser open it after all."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)
    return {
        "Content-Disposition": f"attachment; filename=\"{plain[:150]}\"; filename*=UTF-8''{quote(name[:150], safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
    }
