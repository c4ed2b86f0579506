"""Puts a console page into a response."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from allears.console.pages import Pages
from allears.console.sight import Sight
from allears.http.admin_state import state_of

_NO_HEADERS: Mapping[str, str] = {}


async def ready_pages(request: web.Request) -> Pages:
    """Templates are read and compiled off the loop, the first time somebody looks."""
    pages = state_of(request).pages
    if not pages.is_loaded:
        await asyncio.to_thread(pages.load)
    return pages


async def render(
    request: web.Request,
    name: str,
    sight: Sight,
    status: int = 200,
    headers: Mapping[str, str] = _NO_HEADERS,
    **facts: Any,
) -> web.Response:
    pages = await ready_pages(request)
    html = pages.render(name, sight, **facts)
    return web.Response(
        status=status, text=html, content_type="text/html", headers={"Vary": "Cookie, Accept-Language", **headers}
    )
