"""The first page: how channels and destinations do, and what needs a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from allears.console.sight import Sight
from allears.console.standing import credential_line, ending
from allears.journal.records import ChannelRow, DestinationRow, FetchCount, Letter, LetterKind

if TYPE_CHECKING:
    from allears.intake.intake import ChannelState
    from allears_sdk.accounts import Credential
    from allears_sdk.quota import Quota

BEHIND = timedelta(minutes=5)
"""Raws that wait longer to be read than this are shown as trouble."""

SLOW = timedelta(minutes=15)
"""Deliveries that wait longer than this are shown as trouble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """One line of what needs a person."""

    grave: bool
    text: str
    detail: str
    href: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCard:
    row: ChannelRow
    state: str
    """The live state where the channel runs here, else what the journal remembers."""
    reason: str
    configured: bool
    fetches: FetchCount
    """What was still at the platform: on its way, and given up."""
    quotas: Mapping[str, Sequence[Quota]] = field(default_factory=dict)
    """By account."""
    credentials: Sequence[Credential] = ()

    @property
    def waits_for(self) -> str:
        """Why a channel that is well reads nothing for now."""
        return self.reason if self.state == "running" else ""

    @property
    def contact_at(self) -> datetime | None:
        """When we last reached it or it reached us: a receiver is never asked, it only brings something."""
        moments = [moment for moment in (self.row.last_success_at, self.row.last_item_at) if moment]
        return max(moments, default=None)


def channel_cards(
    rows: Sequence[ChannelRow], states: Mapping[str, ChannelState], fetches: Sequence[FetchCount]
) -> list[ChannelCard]:
    """Configured channels first, also those the journal has not heard of yet."""
    known = {row.name: row for row in rows}
    counts = {one.channel: one for one in fetches}
    names = [*sorted(states), *sorted(set(known) - set(states))]
    return [
        ChannelCard(
            row=known.get(name) or ChannelRow(name=name),
            state=states[name].state if name in states else known[name].state,
            reason=states[name].reason if name in states else known[name].reason,
            configured=name in states,
            fetches=counts.get(name) or FetchCount(channel=name),
            quotas=states[name].quotas if name in states else {},
            credentials=states[name].credentials if name in states else (),
        )
        for name in names
    ]


def attention(
    cards: Sequence[ChannelCard],
    destinations: Sequence[DestinationRow],
    letters: Sequence[Letter],
    sight: Sight,
    *,
    warning: timedelta = timedelta(days=14),
) -> list[Attention]:
    """Gravest first. `warning`: how long before its end a credential is told of."""
    found = [
        *(line for card in cards if card.configured for line in _of_credentials(card, warning, sight)),
        *(line for card in cards if card.configured for line in _of_channel(card, sight)),
        *(line for row in destinations for line in _of_destination(row, sight)),
        *_of_letters(letters, sight),
    ]
    return sorted(found, key=lambda line: not line.grave)


def _of_channel(card: ChannelCard, sight: Sight) -> list[Attention]:
    row, href = card.row, f"#channel-{card.row.name}"
    found = []
    if card.state in ("stopped", "failing"):
        text = sight.texts(f"attention.{card.state}", place=row.name)
        grave = card.state == "stopped"
        found.append(Attention(grave=grave, text=text, detail=sight.shown(card.reason), href=href, since=row.since))
    oldest = row.oldest_waiting_at
    if oldest is not None and sight.now - oldest > BEHIND:
        text = sight.texts("attention.behind", place=row.name, age=sight.span(oldest))
        found.append(Attention(grave=False, text=text, detail="", href=href))
    return found


def _of_credentials(card: ChannelCard, warning: timedelta, sight: Sight) -> list[Attention]:
    return [
        Attention(
            grave=one.expires_at <= sight.now,
            text=credential_line(one, card.row.name, sight),
            detail=sight.shown(one.advice),
            href=f"#channel-{card.row.name}",
        )
        for one in ending(card.credentials, warning, sight)
    ]


def _of_destination(row: DestinationRow, sight: Sight) -> list[Attention]:
    found, href = [], f"/deliveries?destination={row.name}"
    oldest = row.oldest_pending_at
    if oldest is not None and sight.now - oldest > SLOW:
        text = sight.texts("attention.slow", place=row.name, age=sight.span(oldest))
        found.append(Attention(grave=False, text=text, detail=sight.shown(row.last_reason), href=href))
    if row.doubt:
        text = sight.texts.counted("attention.doubt", row.doubt, place=row.name)
        found.append(Attention(grave=False, text=text, detail="", href=f"{href}&state=doubt"))
    return found


def _of_letters(letters: Sequence[Letter], sight: Sight) -> list[Attention]:
    """One line per place and kind, with its newest reason."""
    counts = Counter((letter.kind, letter.place) for letter in letters)
    newest: dict[tuple[LetterKind, str], Letter] = {}
    for letter in letters:
        newest.setdefault((letter.kind, letter.place), letter)
    return [
        Attention(
            grave=True,
            text=sight.texts.counted(f"attention.letter_{kind}", count, place=place),
            detail=sight.shown(newest[kind, place].reason),
            href="/letters",
            since=newest[kind, place].at,
        )
        for (kind, place), count in counts.items()
    ]
