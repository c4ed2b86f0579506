"""The token of Instagram Login: renewed while it lives, kept, and told of before it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allears_sdk.context import Context
from allears_sdk.errors import AuthError
from allears_sdk.testing import FakeClock
from allears_sdk.testing.journal import MiniJournal, hear
from tests.connectors._meta.graph_server import TOKEN, Graph
from tests.connectors.instagram.conftest import ACCOUNT, Connect, make_settings

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def quiet(graph: Graph) -> None:
    graph.lists[f"{ACCOUNT}/media"] = []
    graph.objects[ACCOUNT] = {"username": "example_shop"}


def ends(context: Context) -> list[tuple[str, object]]:
    return [(one.name, one.expires_at) for one in context.accounts.credentials]


async def test_it_is_renewed_long_before_it_ends_and_known_after_a_restart(
    graph: Graph, connect: Connect, context: Context, journal: MiniJournal, clock: FakeClock
) -> None:
    first = clock.now()
    for _ in range(3):
        await hear(connect(renew_token=True), journal)
    assert graph.renewed == [TOKEN], "kept by the house: one that was renewed today is not renewed again"
    assert ends(context) == [("access_token", first + 60 * DAY)]
    await connect(renew_token=True).check()
    renewed = graph.token
    clock.advance(11 * DAY)
    await hear(connect(renew_token=True), journal)
    assert graph.renewed == [TOKEN, renewed]
    assert ends(context) == [("access_token", first + 71 * DAY)]


async def test_one_that_cannot_be_renewed_is_told_of_and_serves_until_it_ends(
    graph: Graph, connect: Connect, context: Context, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect(renew_token=True)
    graph.may_renew = False
    await hear(connector, journal)
    assert (ends(context), graph.renewed) == ([], [TOKEN]), "younger than a day, say"
    graph.may_renew = True
    clock.advance(DAY)
    await hear(connector, journal)
    graph.may_renew = False
    end = clock.now() + 60 * DAY
    clock.advance(30 * DAY)
    for _ in range(2):
        await hear(connector, journal)
    assert len(graph.renewed) == 3
    assert ends(context) == [("access_token", end)]
    clock.advance(31 * DAY)
    graph.token = "another"
    with pytest.raises(AuthError):
        await hear(connector, journal)


async def test_another_token_in_the_settings_takes_its_place(
    graph: Graph, connect: Connect, journal: MiniJournal
) -> None:
    await hear(connect(renew_token=True), journal)
    graph.token = "IGAAfromtheconsole0123456789"
    await hear(connect(renew_token=True, access_token=graph.token), journal)
    assert graph.renewed == [TOKEN, "IGAAfromtheconsole0123456789"]


async def test_only_tokens_of_instagram_login_are_renewed(graph: Graph, connect: Connect, journal: MiniJournal) -> None:
    await hear(connect(), journal)
    assert graph.renewed == []
    assert make_settings(url="https://graph.instagram.com").effective_renew_token
    assert not make_settings(url="https://graph.instagram.com", renew_token=False).effective_renew_token
    assert not make_settings().effective_renew_token
