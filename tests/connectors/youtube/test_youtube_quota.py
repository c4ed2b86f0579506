"""One project's units: shared by its channels, kept over restarts, used up by others too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from allears_sdk.accounts import Accounts, Quotas
from allears_sdk.connector import Words
from allears_sdk.context import Context
from allears_sdk.errors import OverBudget
from allears_sdk.testing import FakeClock, MemoryLedger
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.youtube import YoutubeConnector
from tests.connectors.youtube.conftest import YouTube, make_settings

Channel = Callable[..., YoutubeConnector]


@pytest.fixture
def channel(youtube: YouTube, context: Context, clock: FakeClock) -> Channel:
    """A channel of one daemon."""
    ledger, quotas = MemoryLedger(), Quotas()

    def make(**settings: Any) -> YoutubeConnector:
        own = replace(context, accounts=Accounts(ledger, quotas, clock))
        return YoutubeConnector(make_settings(youtube.url, **settings), own)

    return make


async def test_channels_of_a_project_share_its_day(
    channel: Channel, youtube: YouTube, journal: MiniJournal, clock: FakeClock
) -> None:
    one, two = channel(units_per_day=10), channel(units_per_day=10)
    for _ in range(5):
        await hear(one, journal)
        await hear(two, journal)
    for connector in (one, two):
        with pytest.raises(OverBudget, match="10 units per day are used up"):
            await hear(connector, journal)
    assert len(youtube.asked) == 10
    [told] = two.context.accounts.quotas.values()
    assert [(quota.name, quota.left, quota.most) for quota in told] == [("units", 0, 10)]


async def test_projects_that_share_nothing_are_counted_apart(channel: Channel, journal: MiniJournal) -> None:
    await hear(channel(units_per_day=10, quota_project="reviews"), journal)
    one, two = channel(units_per_day=10, quota_project="reviews"), channel(units_per_day=10, quota_project="other")
    told = [tuple((await connector.check()).details) for connector in (one, two)]
    assert told == [(Words("7 units left today", zh=""),), (Words("8 units left today", zh=""),)], "to check costs two"


async def test_a_restart_begins_no_new_day(channel: Channel, journal: MiniJournal) -> None:
    for _ in range(10):
        await hear(channel(units_per_day=10), journal)
    with pytest.raises(OverBudget):
        await hear(channel(units_per_day=10), journal)
    await hear(channel(units_per_day=11), journal)


async def test_what_others_used_up_is_asked_for_by_nobody(
    channel: Channel, youtube: YouTube, journal: MiniJournal, clock: FakeClock
) -> None:
    one, two = channel(), channel()
    youtube.write(1, "视频里的优惠码用不了")
    youtube.fail(403, "quotaExceeded")
    with pytest.raises(OverBudget, match="until midnight Pacific") as over:
        await hear(one, journal)
    asked = len(youtube.asked)
    with pytest.raises(OverBudget):
        await hear(two, journal)
    assert len(youtube.asked) == asked
    assert over.value.after_seconds is not None
    clock.advance(timedelta(seconds=over.value.after_seconds))
    await hear(two, journal)
    assert len(journal.raws) == 1
