"""Raws and attachments: strangers' bytes. Shown as escaped text, otherwise only ever downloaded."""

from __future__ import annotations

import asyncio
import hashlib
from urllib.parse import quote

from aiohttp import web

from allears.http.admin_render import render
from allears.http.admin_state import Controls, note_reveal, sight_of, state_of
from allears.journal.records import StoredRaw
from allears_sdk.errors import AllearsError, BadMessage
from allears_sdk.message import Attachment

SHOWN_BYTES = 64 * 1024

_SUFFIXES = {
    "message/rfc822": ".eml",
    "application/vnd.ms-outlook": ".msg",
    "application/json": ".json",
    "text/plain": ".txt",
    "multipart/form-data": ".txt",
}


def add_files(router: web.UrlDispatcher) -> None:
    router.add_get(r"/raws/{raw:\d{1,18}}", show_raw)
    router.add_get(r"/raws/{raw:\d{1,18}}/download", download_raw)
    router.add_get(r"/complaints/{id}/attachments/{message:\d{1,6}}/{place:\d{1,6}}", download_attachment)


async def show_raw(request: web.Request) -> web.Response:
    stored = await _find_raw(request, int(request.match_info["raw"]))
    sight = sight_of(request)
    body = stored.raw.body
    text = body[:SHOWN_BYTES].decode("utf-8", "replace")
    return await render(
        request, "raw", sight, stored=stored, text=text, is_cut=len(body) > SHOWN_BYTES, shown_bytes=SHOWN_BYTES
    )


async def download_raw(request: web.Request) -> web.Response:
    stored = await _find_raw(request, int(request.match_info["raw"]))
    note_reveal(request)
    media_type = stored.raw.media_type.partition(";")[0].strip().lower()
    suffix = ".json" if media_type.endswith("+json") else _SUFFIXES.get(media_type, ".bin")
    return _download(stored.raw.body, f"raw-{stored.id}{suffix}")


async def download_attachment(request: web.Request) -> web.Response:
    """404 too where the bytes are not ours to give: skipped, or still at the platform."""
    found = request.match_info
    file = await state_of(request).journal.complaint(found["id"])
    message, place = int(found["message"]), int(found["place"])
    if file is None or message >= len(file.messages) or place >= len(file.messages[message].message.attachments):
        raise web.HTTPNotFound
    row = file.messages[message]
    attachment = row.message.attachments[place]
    note_reveal(request)
    content = await state_of(request).journal.fetches.content(found["id"], attachment.sha256)
    if content is None:
        stored = await _find_raw(request, row.raw_id)
        index = place + sum(
            len(other.message.attachments) for other in file.messages[:message] if other.raw_id == row.raw_id
        )
        content = await asyncio.to_thread(_content, stored, attachment, index, state_of(request).controls)
    return _download(content, attachment.shown_name)


async def _find_raw(request: web.Request, raw_id: int) -> StoredRaw:
    stored = await state_of(request).journal.raw(raw_id)
    if stored is None:
        raise web.HTTPNotFound
    return stored


def _content(stored: StoredRaw, attachment: Attachment, index: int, controls: Controls) -> bytes:
    """Read out of the raw again: attachments are not kept twice."""
    if attachment.content is not None:
        return attachment.content
    try:
        content = _read_again(stored, index, controls)
    except (AllearsError, KeyError):
        raise web.HTTPNotFound from None
    if attachment.sha256 and attachment.sha256 != hashlib.sha256(content).hexdigest():
        raise web.HTTPNotFound  # better none than another one's
    return content


def _read_again(stored: StoredRaw, index: int, controls: Controls) -> bytes:
    from normalizer.readers import attachment_content, can_read

    if can_read(stored.raw.media_type):
        return attachment_content(stored.raw, index)
    found = [one for message in controls.parse(stored.channel, stored.raw) for one in message.attachments]
    content = found[index].content if index < len(found) else None
    if content is None:
        raise BadMessage(f"no bytes of attachment {index}")
    return content


def _download(content: bytes, name: str) -> web.Response:
    """Never shown, whatever it claims to be: a file to save, in a sandbox should a browser open it after all."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)
    disposition = f"attachment; filename=\"{plain[:150]}\"; filename*=UTF-8''{quote(name[:150], safe='')}"
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": disposition,
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return web.Response(body=content, headers=headers)
