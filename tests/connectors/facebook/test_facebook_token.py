"""When the token ends, as Meta tells it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.testing import FakeClock
from allears_sdk.testing.journal import MiniJournal, hear
from tests.connectors._meta.graph_server import Graph
from tests.connectors.facebook.conftest import PAGE, Connect


@pytest.fixture(autouse=True)
def quiet(graph: Graph) -> None:
    """A Page without posts."""
    graph.lists[f"{PAGE}/feed"] = []


def looks(graph: Graph) -> int:
    return [path for path, _ in graph.asked].count("debug_token")


async def test_the_end_is_known_and_looked_for_once_a_day(
    graph: Graph, connect: Connect, context: Context, journal: MiniJournal, clock: FakeClock
) -> None:
    end = clock.now().replace(microsecond=0) + timedelta(days=60)
    told = {"is_valid": True, "expires_at": int(end.timestamp()), "data_access_expires_at": int(end.timestamp()) + 60}
    graph.objects["debug_token"] = {"data": told}
    connector = connect()
    for _ in range(3):
        await hear(connector, journal)
    assert [(one.name, one.expires_at - end) for one in context.accounts.credentials] == [
        ("access_token", timedelta(0)),
        ("data access", timedelta(minutes=1)),
    ]
    assert looks(graph) == 1
    clock.advance(86_400)
    graph.objects["debug_token"] = {"data": {"is_valid": True, "expires_at": 0, "data_access_expires_at": 0}}
    await hear(connector, journal)
    assert looks(graph) == 2
    assert not context.accounts.credentials, "a token that never ends"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"data": []},
        {"data": {"expires_at": "soon"}},
        {"data": {"expires_at": 10**30}},
        {"data": {"expires_at": True}},
    ],
)
async def test_hearing_goes_on_where_meta_does_not_tell(
    graph: Graph, connect: Connect, context: Context, journal: MiniJournal, answer: Any
) -> None:
    if answer is not None:
        graph.objects["debug_token"] = answer
    await hear(connect(), journal)
    assert journal.cursors
    assert not context.accounts.credentials
