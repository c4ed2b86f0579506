"""Filed complaints, batch by batch, through a worker and back: what today's rules make of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from allears.filing.destinations import routing_of
from allears.filing.model_step_question import is_open
from allears.filing.own_addresses import own_addresses
from allears.journal.anew import Change, Filed, Standing
from allears.journal.journal import Journal
from allears.journal.records import Router
from allears.settings import Configuration
from allears.workers.pool import WorkerLost, Workers
from allears.workers.tasks import DeriveJob, Failed, derive_records, opened
from allears_sdk.complaint import Complaint
from allears_sdk.settings import ChannelSettings
from normalizer.conversation import Conversation, Draft, Facts

_BATCH = 48
_ANSWERED = ("nature", "category", "priority", "expectation", "product_or_order")
_BY_ENDPOINT = ("model-endpoint:", "nature:model-endpoint:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which complaints, and what is to become of them."""

    channel: str = ""
    since: datetime | None = None
    after: int = 0
    is_applied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reread:
    """Of one complaint."""

    number: int
    complaint: str
    channel: str
    standing: Standing | None = None
    """None: it failed."""
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    event_id: str = ""
    failure: str = ""

    @property
    def is_telling(self) -> bool:
        return bool(self.changes or self.failure)


@dataclass(slots=True, kw_only=True)
class Sum:
    """Of all of them."""

    version: str
    is_applied: bool
    last: int
    """The number of the last one that is done."""
    done: int = 0
    changed: int = 0
    same: int = 0
    awaited: int = 0
    failed: int = 0
    fields: Counter[str] = field(default_factory=Counter)

    def add(self, one: Reread) -> None:
        self.done += 1
        self.last = one.number
        name = one.standing.value if one.standing else "failed"
        setattr(self, name, getattr(self, name) + 1)
        self.fields.update(one.changes.keys())


async def reread(
    journal: Journal, configuration: Configuration, chosen: Chosen, version: str
) -> AsyncGenerator[Reread, None]:
    """In the order in which they were opened. Each is compared, or filed, by itself: stopping between any two loses
    nothing, and what was filed before is the same now."""
    workers, router, after = Workers(1), routing_of(configuration), chosen.after
    while page := await journal.anew.filed(channel=chosen.channel, since=chosen.since, after=after, limit=_BATCH):
        after = page[-1].conversation.id
        results = await _derived(workers, configuration, page)
        for filed, result in zip(page, results, strict=True):
            if isinstance(result, Failed):
                yield _told(filed, failure=result.reason)
            else:
                yield await _settled(
                    journal, configuration, filed, result, router if chosen.is_applied else None, version
                )


async def _settled(
    journal: Journal, configuration: Configuration, filed: Filed, draft: Draft, router: Router | None, version: str
) -> Reread:
    """With a router it is filed where it changes."""
    draft = replace(draft, record=with_answers(filed.record, draft.record, configuration), identifiers=None)
    if router is None:
        return _told(filed, await journal.anew.compare(filed.conversation, draft))
    return _told(filed, await journal.anew.apply(filed.conversation, draft, router, version))


def _told(filed: Filed, change: Change | None = None, failure: str = "") -> Reread:
    one = filed.conversation
    return Reread(
        number=one.id,
        complaint=one.reference,
        channel=one.channel,
        standing=change.standing if change else None,
        changes=change.changes if change else {},
        event_id=change.event_id if change else "",
        failure=failure,
    )


async def _derived(workers: Workers, configuration: Configuration, page: Sequence[Filed]) -> list[Draft | Failed]:
    """One whose words cannot be worked on costs the others nothing."""
    jobs = [_job(configuration, one) for one in page]
    thoroughly = configuration.understanding.listens
    try:
        return opened(await workers.run(derive_records, jobs, configuration.own_rules, thoroughly), Draft)
    except WorkerLost as error:
        if len(page) == 1:
            return [Failed(reason=str(error), is_bad=False)]
        return [result for one in page for result in await _derived(workers, configuration, [one])]


def _job(configuration: Configuration, filed: Filed) -> DeriveJob:
    due = filed.conversation
    settings = configuration.channels.get(due.channel) or ChannelSettings(connector=filed.record.connector)
    facts = Facts(
        channel=due.channel,
        connector=filed.record.connector,
        region=settings.region,
        max_rating=settings.max_rating,
        own=own_addresses(settings),
    )
    conversation = Conversation(
        reference=due.reference, opened_at=due.opened_at, messages=tuple(due.messages), related=tuple(due.related)
    )
    return DeriveJob(conversation=conversation, facts=facts, public=False)


def with_answers(before: Complaint, derived: Complaint, configuration: Configuration) -> Complaint:
    """What a model endpoint once answered is kept where today's rules still leave it open: nobody is asked again."""
    kept = {
        name: getattr(before, name)
        for name in _ANSWERED
        if (why := before.provenance.get(name)) is not None
        and why.source.startswith(_BY_ENDPOINT)
        and is_open(derived, name, configuration.model)
    }
    if not kept:
        return derived
    sources = {name: before.provenance[name] for name in kept}
    return replace(derived, provenance={**derived.provenance, **sources}, **kept)
