"""How Chatwoot reads what it is sent: nested forms, files, and Liquid in what agents write."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

_LIQUID = re.compile(r"`.*?`|\{\{(.*?)\}\}?|\{%.*?%\}", re.DOTALL)


async def read_request(request: web.Request) -> dict[str, Any]:
    """JSON, or a form whose names are nested with brackets."""
    if not request.content_type.startswith("multipart/"):
        read: dict[str, Any] = await request.json()
        return read
    given: dict[str, Any] = {}
    for name, value in (await request.post()).items():
        _put(given, re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name), value)
    return given


def _put(place: dict[str, Any], path: list[str], value: Any) -> None:
    head, *rest = path
    if not rest:
        place[head] = value
    elif rest == [""]:
        place.setdefault(head, []).append(value)
    else:
        _put(place.setdefault(head, {}), rest, value)


def size_of(file: web.FileField) -> int:
    return file.file.seek(0, 2)


def kept_file(file: web.FileField, contents: dict[str, bytes]) -> dict[str, Any]:
    """As a message shows it; its content goes into `contents`, by SHA-256."""
    file.file.seek(0)
    content = file.file.read()
    digest = hashlib.sha256(content).hexdigest()
    contents[digest] = content
    return {"name": file.filename, "content_type": file.content_type, "file_size": len(content), "sha256": digest}


def render_liquid(content: str, drops: Mapping[str, str]) -> str:
    """Outside backticks, what customers wrote in braces is gone."""

    def put(match: re.Match[str]) -> str:
        return match[0] if match[0].startswith("`") else drops.get((match[1] or "").strip(), "")

    return _LIQUID.sub(put, content)
