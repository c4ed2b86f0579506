"""Raws and attachments: strangers' bytes. Shown as escaped text, otherwise only ever downloaded."""

from __future__ import annotations

from aiohttp import web

from allears.http.admin_render import render
from allears.http.admin_state import note_reveal, sight_of, state_of
from allears.http.downloads import MEDIA_TYPE, download_headers
from allears.journal.records import StoredRaw

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
    """404 too where the bytes are not ours to give."""
    found = request.match_info
    file = await state_of(request).journal.complaint(found["id"])
    message, place = int(found["message"]), int(found["place"])
    if file is None or message >= len(file.messages) or place >= len(file.messages[message].message.attachments):
        raise web.HTTPNotFound
    note_reveal(request)
    content = await state_of(request).attachments.content(file, message, place)
    if content is None:
        raise web.HTTPNotFound
    return _download(content, file.messages[message].message.attachments[place].shown_name)


async def _find_raw(request: web.Request, raw_id: int) -> StoredRaw:
    stored = await state_of(request).journal.raw(raw_id)
    if stored is None:
        raise web.HTTPNotFound
    return stored


def _download(content: bytes, name: str) -> web.Response:
    return web.Response(body=content, content_type=MEDIA_TYPE, headers=download_headers(name))
