"""JSON under `/api/`: the same data the console shows, contacts masked unless `reveal=1`."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from aiohttp import web

from allears.console.case import known_contacts
from allears.console.overview import ChannelCard, channel_cards
from allears.console.veil import veil_tree
from allears.http.admin_state import state_of, wants_contacts
from allears.journal.records import DeliveryState, Letter
from allears_sdk.codec import encode, plain

PAGE = 50
MOST_LETTERS = 500


def add_api(router: web.UrlDispatcher) -> None:
    router.add_get("/api/channels", get_channels)
    router.add_post("/api/channels/{name}/{verb:pause|resume}", change_channel)
    router.add_get("/api/destinations", get_destinations)
    router.add_get("/api/complaints", get_complaints)
    router.add_get("/api/complaints/{id}", get_complaint)
    router.add_get("/api/unfiled", get_unfiled)
    router.add_post("/api/unfiled/{reference}/file", change_unfiled)
    router.add_get("/api/deliveries", get_deliveries)
    router.add_get("/api/letters", get_letters)
    router.add_get(r"/api/letters/{id:\d{1,18}}", get_letter)
    router.add_post(r"/api/letters/{id:\d{1,18}}/{verb:replay|discard}", change_letter)


async def get_channels(request: web.Request) -> web.Response:
    rows = [
        {
            **plain(card.row),
            "state": card.state,
            "reason": card.reason,
            "configured": card.configured,
            "fetches_waiting": card.fetches.waiting,
            "fetches_skipped": card.fetches.skipped,
            "quotas": [{"account": account, **plain(one)} for account, own in card.quotas.items() for one in own],
            "credentials": plain(card.credentials),
        }
        for card in await cards_of(request)
    ]
    return _answer(request, {"channels": rows})


async def cards_of(request: web.Request) -> list[ChannelCard]:
    state = state_of(request)
    rows, fetches = await state.journal.channels(), await state.journal.fetches.counts()
    return channel_cards(rows, state.controls.states(), fetches)


async def get_destinations(request: web.Request) -> web.Response:
    return _answer(request, {"destinations": plain(await state_of(request).journal.destinations())})


async def get_complaints(request: web.Request) -> web.Response:
    query = request.query
    page = page_of(request)
    rows, total = await state_of(request).journal.complaints(
        query=query.get("query", ""),
        channel=query.get("channel", ""),
        priority=query.get("priority", ""),
        limit=PAGE,
        offset=(page - 1) * PAGE,
    )
    facts = {"total": total, "page": page, "pages": pages_of(total), "complaints": plain(rows)}
    return _answer(request, facts)


async def get_complaint(request: web.Request) -> web.Response:
    file = await state_of(request).journal.complaint(request.match_info["id"])
    if file is None:
        raise web.HTTPNotFound
    body = await asyncio.to_thread(_encode, plain(file), wants_contacts(request), known_contacts(file.record))
    return web.Response(body=body, content_type="application/json")


async def get_unfiled(request: web.Request) -> web.Response:
    query, journal = request.query, state_of(request).journal
    rows = await journal.unfiled(
        channel=query.get("channel", ""),
        nature=query.get("nature", ""),
        limit=MOST_LETTERS,
        before=number_of(query.get("before", "")),
    )
    return _answer(request, {"counts": plain(await journal.unfiled_counts()), "unfiled": plain(rows)})


async def change_unfiled(request: web.Request) -> web.Response:
    reference = await file_unfiled(request)
    return _answer(request, {"reference": reference, "done": "filed"})


async def get_deliveries(request: web.Request) -> web.Response:
    query = request.query
    rows = await state_of(request).journal.deliveries(
        destination=query.get("destination", ""), state=delivery_state(query.get("state", "")), limit=MOST_LETTERS
    )
    return _answer(request, {"deliveries": plain(rows)})


async def get_letters(request: web.Request) -> web.Response:
    query = request.query
    rows = await state_of(request).journal.letters(
        state=query.get("state", "open"), limit=MOST_LETTERS, before=number_of(query.get("before", ""))
    )
    return _answer(request, {"letters": plain(rows)})


async def get_letter(request: web.Request) -> web.Response:
    return _answer(request, plain(await find_letter(request)))


async def change_letter(request: web.Request) -> web.Response:
    verb = await settle_letter(request)
    return _answer(request, {"id": int(request.match_info["id"]), "done": verb})


async def change_channel(request: web.Request) -> web.Response:
    verb = await steer_channel(request)
    return _answer(request, {"channel": request.match_info["name"], "done": verb})


async def find_letter(request: web.Request) -> Letter:
    """404 where there is none."""
    letter = await state_of(request).journal.letter(int(request.match_info["id"]))
    if letter is None:
        raise web.HTTPNotFound
    return letter


async def settle_letter(request: web.Request) -> str:
    """Replay or discard the letter the path names; says what was done. 409 when it is not open any more."""
    letter = await find_letter(request)
    journal, verb = state_of(request).journal, request.match_info["verb"]
    try:
        await (journal.replay_letter(letter.id) if verb == "replay" else journal.discard_letter(letter.id))
    except ValueError:
        raise web.HTTPConflict from None
    return "replayed" if verb == "replay" else "discarded"


async def file_unfiled(request: web.Request) -> str:
    """File what the path names, though it was judged to need no ticket. 404 when it is not there (any more)."""
    reference = request.match_info["reference"]
    try:
        await state_of(request).journal.file_unfiled(reference)
    except ValueError:
        raise web.HTTPNotFound from None
    return reference


async def steer_channel(request: web.Request) -> str:
    """Pause or resume the channel the path names; says what was done. 404 when it does not run here."""
    controls, name, verb = state_of(request).controls, request.match_info["name"], request.match_info["verb"]
    if name not in controls.states():
        raise web.HTTPNotFound
    await (controls.pause(name) if verb == "pause" else controls.resume(name))
    return f"{verb}d"


def page_of(request: web.Request) -> int:
    """From 1; what is no number is 1."""
    return max(1, min(number_of(request.query.get("page", "")) or 1, 1_000_000))


def pages_of(total: int) -> int:
    return max(1, -(-total // PAGE))


def number_of(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def delivery_state(text: str) -> DeliveryState | None:
    """None for what is no state: everything."""
    return DeliveryState(text) if text in list(DeliveryState) else None


def _answer(request: web.Request, facts: dict[str, Any]) -> web.Response:
    return web.Response(body=_encode(facts, wants_contacts(request)), content_type="application/json")


def _encode(facts: dict[str, Any], reveal: bool, contacts: Collection[str] = ()) -> bytes:
    return encode(facts if reveal else veil_tree(facts, contacts))
