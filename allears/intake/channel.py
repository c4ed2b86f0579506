"""What the parts of one running channel share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from allears.intake.condition import Condition
from allears.intake.timing import Timing
from allears.journal.journal import Journal
from allears.journal.records import Deposit, Policy
from allears_sdk.connector import Accepted, Batch, Connector, ConnectorSpec
from allears_sdk.context import Log
from allears_sdk.settings import ChannelSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    name: str
    settings: ChannelSettings
    connector: Connector[Any]
    policy: Policy
    journal: Journal
    condition: Condition
    timing: Timing
    log: Log
    backlog: Callable[[], str]
    """Why pollers are to wait, or ""."""

    async def deposit(self, batch: Batch, *, stream: str = "") -> Sequence[Accepted]:
        """The batch is on disk when this returns; a cursor moves only where there is a stream."""
        for gap in batch.gaps:
            self.log.warning("gap", stream=stream, since=gap.since, until=gap.until, reason=gap.reason)
        if not (batch.raws or batch.missing or batch.gaps or (stream and batch.cursor is not None)):
            return ()
        return await self.journal.accept(
            Deposit(
                channel=self.name,
                raws=batch.raws,
                policy=self.policy,
                stream=stream,
                cursor=batch.cursor if stream else None,
                missing=batch.missing,
                gaps=batch.gaps,
            )
        )


def policy_of(spec: ConnectorSpec, settings: ChannelSettings) -> Policy:
    return Policy(
        threading=spec.threading,
        public=spec.public,
        settle_seconds=settings.settle_seconds,
        settle_max_seconds=settings.settle_max_seconds,
        idle_seconds=settings.idle_hours * 3600,
    )
