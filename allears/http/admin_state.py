"""What the admin server's handlers share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import TYPE_CHECKING, Protocol

import structlog
from aiohttp import web

from allears.attachments import Attachments
from allears.console.pages import Pages
from allears.console.sight import Sight
from allears.console.texts import choose_language, load_texts
from allears.http.admin_access import Access
from allears.journal.journal import Journal
from allears_sdk.context import Clock
from allears_sdk.message import Message, Raw

if TYPE_CHECKING:
    from allears.filing.model_step import ModelStep
    from allears.intake.intake import ChannelState
    from allears.standing import Standing

log = structlog.get_logger("allears.admin")

LANGUAGE_COOKIE = "allears_language"


class Controls(Protocol):
    """What the admin may do to the channels that run in this process."""

    async def pause(self, name: str) -> None: ...

    async def resume(self, name: str) -> None: ...

    def states(self) -> Mapping[str, ChannelState]:
        """Every enabled channel, as it is right now."""

    def parse(self, name: str, raw: Raw) -> Sequence[Message]:
        """A raw of the channel whose format is its own, read again with its attachments' bytes."""


@dataclass(kw_only=True)
class AdminState:
    """One per server."""

    journal: Journal
    controls: Controls
    clock: Clock
    access: Access
    language: str
    public_url: str
    attachments: Attachments
    version: str
    zone: tzinfo | None
    model: ModelStep | None = None
    standing: Standing | None = None
    pages: Pages = field(default_factory=Pages)
    broken: str = ""
    """Why the journal's file cannot be trusted any more."""


WHO = web.RequestKey("who", str)
"""Request key: how the request proved itself, "" where it did not."""

STATE = web.AppKey("state", AdminState)


def state_of(request: web.Request) -> AdminState:
    return request.app[STATE]


def sight_of(request: web.Request) -> Sight:
    """How this reader looks at pages: language, time, whether contacts are shown."""
    state = state_of(request)
    accepted = request.headers.get("Accept-Language", "")
    asked = request.query.get("lang", "")
    language = choose_language(asked, request.cookies.get(LANGUAGE_COOKIE, ""), accepted, state.language)
    texts = load_texts(language)
    done = request.query.get("done", "")
    return Sight(
        texts=texts,
        now=state.clock.now(),
        zone=state.zone,
        path=str(request.rel_url.without_query_params("lang")) if asked else request.path_qs,
        csrf=state.access.csrf(request),
        version=state.version,
        reveal=wants_contacts(request),
        signed_in=state.access.session_of(request) != "",
        done=done if f"done.{done}" in texts.table else "",
    )


def wants_contacts(request: web.Request) -> bool:
    return request.query.get("reveal") == "1"


def note_reveal(request: web.Request) -> None:
    """Showing personal data leaves a trace: who looked at what."""
    log.info("contacts_revealed", path=request.path, by=request[WHO], remote=request.remote)
