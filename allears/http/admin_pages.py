"""The console's addresses: each fetches rows, lets `allears.console` make the page, and answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from aiohttp import web

from allears.console.case import SHOWN_CHARACTERS, lay_out
from allears.console.overview import attention
from allears.console.pages import STATIC, link
from allears.console.standing import quota_lines
from allears.http.admin_access import SESSION_COOKIE, SESSION_SECONDS
from allears.http.admin_api import (
    MOST_LETTERS,
    PAGE,
    cards_of,
    delivery_state,
    file_unfiled,
    find_letter,
    number_of,
    page_of,
    pages_of,
    settle_letter,
    steer_channel,
)
from allears.http.admin_render import ready_pages, render
from allears.http.admin_state import LANGUAGE_COOKIE, log, sight_of, state_of
from allears.journal.records import DeliveryState
from allears.journal.unfiled import UnfiledCount
from allears_sdk.words import LANGUAGES

LETTER_PAGE = 50
MOST_DELIVERIES = 200


def add_pages(router: web.UrlDispatcher) -> None:
    router.add_get("/", show_overview)
    router.add_get("/complaints", show_complaints)
    router.add_get("/complaints/{id}", show_complaint)
    router.add_get("/unfiled", show_unfiled)
    router.add_post("/unfiled/{reference}/file", change_unfiled)
    router.add_get("/deliveries", show_deliveries)
    router.add_get("/letters", show_letters)
    router.add_get(r"/letters/{id:\d{1,18}}", show_letter)
    router.add_post(r"/letters/{id:\d{1,18}}/{verb:replay|discard}", change_letter)
    router.add_post("/channels/{name}/{verb:pause|resume}", change_channel)
    router.add_get("/language/{language}", choose)
    router.add_get("/login", show_login)
    router.add_post("/login", sign_in)
    router.add_post("/logout", sign_out)
    router.add_get("/static/{digest}/{name}", send_static)


async def show_overview(request: web.Request) -> web.Response:
    state, sight = state_of(request), sight_of(request)
    journal = state.journal
    cards = await cards_of(request)
    destinations = await journal.destinations()
    letters = await journal.letters(limit=MOST_LETTERS)
    warning = {"warning": state.standing.warning} if state.standing is not None else {}
    return await render(
        request,
        "overview",
        sight,
        needs=attention(cards, destinations, letters, sight, **warning),
        channels=cards,
        quota_lines=quota_lines,
        destinations=destinations,
        public_url=state.public_url,
        stamps=await journal.stamps(),
        complaints=(await journal.complaints(limit=1))[1],
    )


async def show_complaints(request: web.Request) -> web.Response:
    state, page = state_of(request), page_of(request)
    query, channel, priority = (request.query.get(name, "")[:200] for name in ("query", "channel", "priority"))
    rows, total = await state.journal.complaints(
        query=query, channel=channel, priority=priority, limit=PAGE, offset=(page - 1) * PAGE
    )
    names = {row.name for row in await state.journal.channels()} | set(state.controls.states())
    return await render(
        request,
        "complaints",
        sight_of(request),
        rows=rows,
        total=total,
        page=page,
        pages=pages_of(total),
        channel_names=sorted(names),
        query=query,
        channel=channel,
        priority=priority,
    )


async def show_complaint(request: web.Request) -> web.Response:
    file = await state_of(request).journal.complaint(request.match_info["id"])
    if file is None:
        raise web.HTTPNotFound
    case = await asyncio.to_thread(lay_out, file, sight_of(request))
    return await render(request, "complaint", case.sight, case=case, shown_characters=SHOWN_CHARACTERS)


async def show_unfiled(request: web.Request) -> web.Response:
    channel, nature = (request.query.get(name, "")[:200] for name in ("channel", "nature"))
    journal, before = state_of(request).journal, number_of(request.query.get("before", ""))
    rows = await journal.unfiled(channel=channel, nature=nature, limit=PAGE, before=before)
    counts = await journal.unfiled_counts()
    return await render(
        request,
        "unfiled",
        sight_of(request),
        rows=rows,
        channel=channel,
        nature=nature,
        channels=sorted({one.channel for one in counts}),
        natures=natures_of(counts, channel),
        older=rows[-1].id if len(rows) == PAGE else None,
    )


def natures_of(counts: Sequence[UnfiledCount], channel: str) -> dict[str, int]:
    """How many of each nature, in one channel or ("") in all."""
    found: Counter[str] = Counter()
    for one in counts:
        if channel in ("", one.channel):
            found[one.nature] += one.count
    return dict(found.most_common())


async def change_unfiled(request: web.Request) -> web.Response:
    await file_unfiled(request)
    raise web.HTTPSeeOther(link("/unfiled", done="filed"))


async def show_deliveries(request: web.Request) -> web.Response:
    journal = state_of(request).journal
    destination, state = request.query.get("destination", ""), delivery_state(request.query.get("state", ""))
    rows = await journal.deliveries(destination=destination, state=state, limit=MOST_DELIVERIES)
    return await render(
        request,
        "deliveries",
        sight_of(request),
        rows=rows,
        limit=MOST_DELIVERIES,
        destination=destination,
        state=state.value if state else "",
        states=[value.value for value in DeliveryState],
        destinations=[row.name for row in await journal.destinations()],
    )


async def show_letters(request: web.Request) -> web.Response:
    state = request.query.get("state", "open")
    if state not in ("open", "replayed", "discarded"):
        state = "open"
    before = number_of(request.query.get("before", ""))
    rows = await state_of(request).journal.letters(state=state, limit=LETTER_PAGE, before=before)
    older = rows[-1].id if len(rows) == LETTER_PAGE else None
    return await render(request, "letters", sight_of(request), rows=rows, state=state, older=older)


async def show_letter(request: web.Request) -> web.Response:
    letter = await find_letter(request)
    stored = None if letter.raw_id is None else await state_of(request).journal.raw(letter.raw_id)
    context = stored.raw.context if stored else {}
    return await render(request, "letter", sight_of(request), row=letter, context=context)


async def change_letter(request: web.Request) -> web.Response:
    raise web.HTTPSeeOther(link("/letters", done=await settle_letter(request)))


async def change_channel(request: web.Request) -> web.Response:
    raise web.HTTPSeeOther(link("/", done=await steer_channel(request)))


async def choose(request: web.Request) -> web.Response:
    """Remember the language, go back to where the reader was."""
    language = request.match_info["language"]
    if language not in LANGUAGES:
        raise web.HTTPNotFound
    answer = web.HTTPSeeOther(own_path(request.query.get("next", "/")))
    answer.set_cookie(LANGUAGE_COOKIE, language, max_age=31_536_000, samesite="Lax", httponly=True)
    raise answer


async def show_login(request: web.Request) -> web.Response:
    access, onward = state_of(request).access, own_path(request.query.get("next", "/"))
    if not access.credentials.token or access.session_of(request):
        raise web.HTTPSeeOther(onward)
    return await render(request, "login", sight_of(request), next=onward, wrong="")


async def sign_in(request: web.Request) -> web.Response:
    access, sight, form = state_of(request).access, sight_of(request), await request.post()
    onward = own_path(str(form.get("next", "/")))
    address = request.remote or ""
    wait = access.guesses.wait_seconds(address)
    if wait:
        wrong = sight.texts("login.too_many", seconds=wait)
        return await render(request, "login", sight, 429, {"Retry-After": str(wait)}, next=onward, wrong=wrong)
    if not access.knows_token(str(form.get("token", "")).strip()):
        access.guesses.note_failure(address)
        log.warning("admin_login_failed", remote=address)
        return await render(request, "login", sight, 403, next=onward, wrong=sight.texts("login.wrong"))
    answer = web.HTTPSeeOther(onward)
    answer.set_cookie(
        SESSION_COOKIE,
        access.new_session(),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="Strict",
        secure=request.secure,
    )
    raise answer


async def sign_out(request: web.Request) -> web.Response:
    answer = web.HTTPSeeOther("/login")
    answer.del_cookie(SESSION_COOKIE, httponly=True, samesite="Strict")
    raise answer


async def send_static(request: web.Request) -> web.Response:
    pages, name = await ready_pages(request), request.match_info["name"]
    if name not in STATIC or request.match_info["digest"] != pages.digest:
        raise web.HTTPNotFound
    headers = {"Content-Type": STATIC[name], "Cache-Control": "public, max-age=31536000, immutable"}
    return web.Response(body=pages.static[name], headers=headers)


def own_path(path: str) -> str:
    """A path of this server, else "/": nobody is sent elsewhere by a link they clicked here."""
    is_own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if is_own else "/"
