"""Answers when something is not as asked: a page for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from allears.console.texts import load_texts
from allears.http.admin_render import render
from allears.http.admin_state import log, sight_of, state_of
from allears.journal.errors import JournalBroken, JournalUnavailable

_MESSAGES = {400: "bad_request", 403: "forbidden", 404: "not_found", 405: "method", 409: "gone", 413: "bad_request"}


def prefers_json(request: web.Request) -> bool:
    return request.path.startswith(("/api/", "/metrics")) or "text/html" not in request.headers.get("Accept", "")


async def failure(request: web.Request, status: int, message: str, **facts: object) -> web.Response:
    """`message` names a text of the `error` section."""
    headers = {"Retry-After": str(facts["seconds"])} if "seconds" in facts else {}
    if prefers_json(request):
        text = load_texts("en")(f"error.{message}", **facts)
        return web.json_response({"error": text}, status=status, headers=headers)
    sight = sight_of(request)
    return await render(request, "error", sight, status, headers, message=sight.texts(f"error.{message}", **facts))


@web.middleware
async def answer_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Outermost: no exception's own words reach a reader."""
    try:
        return await handler(request)
    except web.HTTPRedirection:
        raise
    except web.HTTPException as error:
        return await failure(request, error.status, _MESSAGES.get(error.status, "failed"))
    except JournalUnavailable as error:
        log.warning("admin_journal_unavailable", path=request.path, reason=str(error))
        return await failure(request, 503, "unavailable")
    except JournalBroken as error:
        state_of(request).broken = str(error)
        log.error("admin_journal_broken", path=request.path, reason=str(error))
        return await failure(request, 503, "unavailable")
    except Exception:
        log.exception("admin_request_failed", path=request.path)
        return await failure(request, 500, "failed")
