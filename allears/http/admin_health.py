"""`/healthz`: is the process alive. `/readyz`: can it do its work. `/metrics`: the figures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from aiohttp import web

from allears.console.veil import veil
from allears.http.admin_state import WHO, AdminState, state_of
from allears.http.metrics import EXPOSITION, gather, write
from allears.journal.errors import JournalBroken, JournalUnavailable

if TYPE_CHECKING:
    from allears.intake.intake import ChannelState


class Readiness(StrEnum):
    READY = "ready"
    DEGRADED = "degraded"
    """Works, though a channel fails for now; it is tried again without anybody's help."""
    NOT_READY = "not_ready"
    """Messages are not taken: the journal cannot write, or a channel has stopped until somebody mends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    status: Readiness
    reasons: Sequence[str]


def add_health(router: web.UrlDispatcher) -> None:
    router.add_get("/healthz", answer_health)
    router.add_get("/readyz", answer_readiness)
    router.add_get("/metrics", answer_metrics)


async def answer_health(request: web.Request) -> web.Response:
    if state_of(request).broken:
        return web.json_response({"status": "broken"}, status=500)
    return web.json_response({"status": "ok"})


async def answer_readiness(request: web.Request) -> web.Response:
    state = state_of(request)
    verdict = await look(state)
    facts: dict[str, object] = {"status": verdict.status}
    if request[WHO]:
        facts["reasons"] = verdict.reasons
    return web.json_response(facts, status=503 if verdict.status is Readiness.NOT_READY else 200)


async def answer_metrics(request: web.Request) -> web.Response:
    state = state_of(request)
    figures = await gather(
        state.journal,
        state.controls.states(),
        now=state.clock.now(),
        version=state.version,
        model=state.model,
        standing=state.standing,
    )
    return web.Response(body=await asyncio.to_thread(write, figures), headers={"Content-Type": EXPOSITION})


async def look(state: AdminState) -> Verdict:
    """Whether a write would work, then the channels. Raises nothing."""
    try:
        await state.journal.ready()
    except JournalUnavailable as error:
        return Verdict(status=Readiness.NOT_READY, reasons=[f"journal: {veil(str(error))}"])
    except JournalBroken as error:
        state.broken = str(error)
        return Verdict(status=Readiness.NOT_READY, reasons=[f"journal: {veil(str(error))}"])
    return judge(state.controls.states())


def judge(states: Mapping[str, ChannelState]) -> Verdict:
    """A stopped channel waits for a person: not ready. All failing: not ready. Some failing: degraded. Paused is
    what the admin wants."""
    found = {state.state for state in states.values()}
    troubled = {name: state for name, state in sorted(states.items()) if state.state in ("stopped", "failing")}
    said = [_say(name, state.state, state.reason) for name, state in troubled.items()]
    if "stopped" in found or found == {"failing"}:
        return Verdict(status=Readiness.NOT_READY, reasons=said)
    return Verdict(status=Readiness.DEGRADED if troubled else Readiness.READY, reasons=said)


def _say(name: str, state: str, reason: str) -> str:
    return f"channel {name} {state}: {veil(reason)}" if reason else f"channel {name} {state}"
