"""Figures for Prometheus, counted from the journal's rows when somebody asks. Names: docs/monitoring.md."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from allears.journal.journal import Journal
from allears.journal.records import ChannelRow, DestinationRow, FetchCount, LetterKind
from allears.journal.retention import Kept
from allears.journal.unfiled import UnfiledCount

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from allears.filing.model_step import ModelFigures, ModelStep
    from allears.intake.intake import ChannelState
    from allears.standing import Held, Standing
    from allears_sdk.quota import Quota

EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"

MOST_LETTERS = 10_000
"""Letters are counted up to here; more are no finer an alarm."""

_LETTER_PAGE = 500
_STATES = ("running", "failing", "paused", "stopped")
_RESULTS = ("seen", "stored", "duplicate", "quarantined")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything one scrape shows, taken from the journal before it is written out."""

    now: datetime
    version: str
    channels: Sequence[ChannelRow]
    states: Mapping[str, ChannelState]
    destinations: Sequence[DestinationRow]
    letters: Mapping[str, int]
    journal_bytes: int
    unfiled: Sequence[UnfiledCount] = ()
    fetches: Sequence[FetchCount] = ()
    model: ModelFigures | None = None
    kept: Sequence[Kept] = ()
    to_forget: int = 0
    quotas: Sequence[tuple[str, Quota]] = ()
    credentials: Sequence[Held] = ()

    def collect(self) -> Iterator[Metric]:
        """prometheus_client's collector interface."""
        yield from _build_info(self)
        yield from _channels(self)
        yield from _unfiled(self)
        yield from _fetches(self)
        yield from _destinations(self)
        yield from _journal(self)
        yield from _upkeep(self)
        yield from _quotas(self)
        yield from _credentials(self)
        if self.model is not None:
            yield from _model(self.model)


async def gather(
    journal: Journal,
    states: Mapping[str, ChannelState],
    *,
    now: datetime,
    version: str,
    model: ModelStep | None = None,
    standing: Standing | None = None,
) -> Figures:
    return Figures(
        now=now,
        version=version,
        channels=await journal.channels(),
        states=states,
        destinations=await journal.destinations(),
        letters=await count_letters(journal),
        journal_bytes=await journal.size_bytes(),
        unfiled=await journal.unfiled_counts(),
        fetches=await journal.fetches.counts(),
        model=await model.figures() if model is not None else None,
        kept=await journal.upkeep.standing(),
        to_forget=await journal.upkeep.to_forget(),
        quotas=standing.quotas if standing is not None else (),
        credentials=standing.credentials if standing is not None else (),
    )


async def count_letters(journal: Journal) -> Mapping[str, int]:
    """Open letters by kind."""
    counts: Counter[str] = Counter({kind.value: 0 for kind in LetterKind})
    before: int | None = None
    while counts.total() < MOST_LETTERS:
        page = await journal.letters(limit=_LETTER_PAGE, before=before)
        counts.update(letter.kind.value for letter in page)
        if len(page) < _LETTER_PAGE:
            break
        before = page[-1].id
    return counts


def write(figures: Figures) -> bytes:
    """The text exposition, with the process's own figures."""
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
    from prometheus_client.registry import Collector

    class Once(Collector):
        def collect(self) -> Iterator[Metric]:
            return figures.collect()

    registry = CollectorRegistry()
    registry.register(Once())
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _build_info(figures: Figures) -> Iterator[Metric]:
    from prometheus_client.core import InfoMetricFamily

    facts = {"version": figures.version, "python": platform.python_version()}
    yield InfoMetricFamily("allears_build", "Which allears this is.", value=facts)


def _channels(figures: Figures) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    raws = CounterMetricFamily("allears_channel_raws", "Raws by what became of them.", labels=["channel", "result"])
    up = GaugeMetricFamily("allears_channel_up", "1 while the channel runs.", labels=["channel"])
    state = GaugeMetricFamily("allears_channel_state", "1 for the state it is in.", labels=["channel", "state"])
    lag = GaugeMetricFamily(
        "allears_channel_lag_seconds", "Age of the oldest raw not parsed yet; 0 without.", labels=["channel"]
    )
    contact = GaugeMetricFamily(
        "allears_channel_last_success_timestamp_seconds", "When the source last answered.", labels=["channel"]
    )
    refused = CounterMetricFamily(
        "allears_channel_refused", "Requests refused since the start (signature, replay).", labels=["channel"]
    )
    waiting = GaugeMetricFamily("allears_raws_waiting", "Raws not parsed yet.", labels=["channel"])
    for row in figures.channels:
        for result in _RESULTS:
            raws.add_metric([row.name, result], getattr(row, result))
        lag.add_metric([row.name], _age(row.oldest_waiting_at, figures.now))
        waiting.add_metric([row.name], row.waiting)
        if row.last_success_at is not None:
            contact.add_metric([row.name], row.last_success_at.timestamp())
    for name, current in figures.states.items():
        up.add_metric([name], float(current.state == "running"))
        refused.add_metric([name], current.refused)
        for each in _STATES:
            state.add_metric([name, each], float(current.state == each))
    yield from (raws, up, state, lag, contact, waiting, refused)


def _unfiled(figures: Figures) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    unfiled = GaugeMetricFamily(
        "allears_conversations_unfiled", "Conversations that need no ticket, by nature.", labels=["channel", "nature"]
    )
    for one in figures.unfiled:
        unfiled.add_metric([one.channel, one.nature], one.count)
    yield unfiled


def _fetches(figures: Figures) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    fetches = GaugeMetricFamily(
        "allears_fetches", "Files and names at a platform: on their way, not to be had.", labels=["channel", "state"]
    )
    known = {one.channel: one for one in figures.fetches}
    for name in dict.fromkeys((*(row.name for row in figures.channels), *known)):
        one = known.get(name) or FetchCount(channel=name)
        fetches.add_metric([name, "waiting"], one.waiting)
        fetches.add_metric([name, "skipped"], one.skipped)
    yield fetches


def _destinations(figures: Figures) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    deliveries = GaugeMetricFamily(
        "allears_deliveries", "Deliveries by the state they are in.", labels=["destination", "state"]
    )
    oldest = GaugeMetricFamily(
        "allears_delivery_oldest_pending_seconds", "Age of the oldest one not sent; 0 without.", labels=["destination"]
    )
    last = GaugeMetricFamily(
        "allears_delivery_last_sent_timestamp_seconds", "When one was last sent.", labels=["destination"]
    )
    for row in figures.destinations:
        counts = {"pending": row.pending, "doubt": row.doubt, "sent": row.sent, "letter": row.letters}
        for state, count in counts.items():
            deliveries.add_metric([row.name, state], count)
        oldest.add_metric([row.name], _age(row.oldest_pending_at, figures.now))
        if row.last_sent_at is not None:
            last.add_metric([row.name], row.last_sent_at.timestamp())
    yield from (deliveries, oldest, last)


def _journal(figures: Figures) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    letters = GaugeMetricFamily("allears_letters_open", "Letters that wait for a person.", labels=["kind"])
    for kind, count in figures.letters.items():
        letters.add_metric([kind], count)
    yield letters
    yield GaugeMetricFamily(
        "allears_journal_bytes", "Size of the journal's database and its log, without blobs.", figures.journal_bytes
    )


def _model(figures: ModelFigures) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    counted = (
        ("allears_model_calls", "Calls of the model step by what came of them.", "result", figures.calls),
        ("allears_model_skipped", "Questions that were not asked, by reason.", "reason", figures.skipped),
        ("allears_model_ignored", "Parts of answers that were not believed, by reason.", "reason", figures.ignored),
        ("allears_model_fields", "Fields that were filled.", "field", figures.filled),
    )
    for name, meaning, label, counts in counted:
        family = CounterMetricFamily(name, meaning, labels=[label])
        for value, count in sorted(counts.items()):
            family.add_metric([value], count)
        yield family
    remembered = CounterMetricFamily("allears_model_remembered", "Questions that had been answered before.")
    remembered.add_metric([], figures.remembered)
    yield remembered
    yield GaugeMetricFamily("allears_model_up", "0 while the endpoint fails and is left alone.", float(figures.is_up))
    yield GaugeMetricFamily(
        "allears_model_calls_left", "Of the calls that an hour may have.", float(figures.calls_left)
    )


def _upkeep(figures: Figures) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    erased = CounterMetricFamily("allears_retention_erased", "Contents thrown away for their age.", labels=["kind"])
    waiting = GaugeMetricFamily("allears_retention_waiting", "Old enough, but needed not long ago.", labels=["kind"])
    last = GaugeMetricFamily(
        "allears_retention_last_round_timestamp_seconds", "When all that was due had gone.", labels=["kind"]
    )
    for one in figures.kept:
        erased.add_metric([one.name], one.erased)
        waiting.add_metric([one.name], one.waiting)
        last.add_metric([one.name], one.at.timestamp() if one.at is not None else 0.0)
    yield from (erased, waiting, last)
    yield GaugeMetricFamily(
        "allears_forgetting_left", "What is still to be erased at a customer's wish.", figures.to_forget
    )


def _quotas(figures: Figures) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    labels = ["account", "quota"]
    left = GaugeMetricFamily("allears_quota_left", "What a vendor's quota, or our budget, still allows.", labels=labels)
    most = GaugeMetricFamily("allears_quota_limit", "All that it allows in a window.", labels=labels)
    reset = GaugeMetricFamily("allears_quota_reset_timestamp_seconds", "When the window ends.", labels=labels)
    for account, quota in figures.quotas:
        left.add_metric([account, quota.name], quota.left)
        if quota.most is not None:
            most.add_metric([account, quota.name], quota.most)
        if quota.resets_at is not None:
            reset.add_metric([account, quota.name], quota.resets_at.timestamp())
    yield from (left, most, reset)


def _credentials(figures: Figures) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    ends = GaugeMetricFamily(
        "allears_token_expires_seconds",
        "Until a token, key or certificate ends; below 0 since it has.",
        labels=["channel", "destination", "credential"],
    )
    for held in figures.credentials:
        labels = [held.name if held.kind == kind else "" for kind in ("channel", "destination")]
        ends.add_metric([*labels, held.credential.name], (held.credential.expires_at - figures.now).total_seconds())
    yield ends


def _age(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0
