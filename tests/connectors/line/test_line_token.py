"""When a token that somebody issued ends, as LINE tells it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allears_sdk.context import Context
from allears_sdk.testing import FakeClock
from allears_sdk.testing.journal import MiniJournal, hear
from tests.connectors.line.conftest import Connect
from tests.connectors.line.line_server import LineServer

TOKEN = "issued-in-the-console-7f3a9c"
OF_V21, OF_OTHERS = "/oauth2/v2.1/verify", "/v2/oauth/verify"
DAY = 86_400


@pytest.mark.parametrize("path", [OF_V21, OF_OTHERS])
async def test_the_end_is_announced_and_asked_for_once_a_day(
    line: LineServer, connect: Connect, context: Context, journal: MiniJournal, clock: FakeClock, path: str
) -> None:
    connector = connect(channel_id="", access_token=TOKEN)
    line.ends[TOKEN] = (path, 30 * DAY)
    for _ in range(3):
        await hear(connector, journal)
    (told,) = context.accounts.credentials
    assert (told.name, told.expires_at) == ("access_token", clock.now() + timedelta(days=30))
    assert "channel_id" in told.advice
    assert line.asked.count(path) == 1
    clock.advance(DAY)
    line.ends[TOKEN] = (path, 3_138_007_490)
    await hear(connector, journal)
    assert not context.accounts.credentials, "long-lived ones end in a century"


@pytest.mark.parametrize("fault", ["unknown", "away", "nonsense"])
async def test_hearing_goes_on_where_line_does_not_tell(
    line: LineServer, connect: Connect, context: Context, journal: MiniJournal, fault: str
) -> None:
    if fault == "away":
        line.fail(OF_V21, 500)
    if fault == "nonsense":
        line.ends[TOKEN] = (OF_V21, "soon")  # type: ignore[assignment] # what a broken service says
    await hear(connect(channel_id="", access_token=TOKEN), journal)
    assert journal.cursors
    assert not context.accounts.credentials


async def test_tokens_that_renew_themselves_are_not_asked_about(
    line: LineServer, connect: Connect, journal: MiniJournal
) -> None:
    await hear(connect(), journal)
    assert line.asked == []
