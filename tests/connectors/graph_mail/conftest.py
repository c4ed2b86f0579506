"""A mailbox on a Graph in miniature, behind respx."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from allears_sdk.testing.journal import MiniJournal
from connectors.graph_mail import GraphMailConnector, GraphMailSettings
from tests.connectors.graph_mail.graph import MAILBOX, SECRET, Graph

Connect = Callable[..., GraphMailConnector]

APPLICATION = {
    "provider": "microsoft",
    "tenant": "contoso.onmicrosoft.com",
    "grant": "client_credentials",
    "client_id": "6731de76-14a6-49ae-97bc-6eba6914391e",
    "client_secret": SECRET,
}


@pytest.fixture
def graph() -> Iterator[Graph]:
    graph = Graph()
    with respx.mock(using="httpx", assert_all_called=False) as router:
        router.route().mock(side_effect=graph.answer)
        yield graph


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def journal() -> MiniJournal:
    return MiniJournal()


@pytest.fixture
def log() -> RecordingLog:
    return RecordingLog()


@pytest.fixture
async def context(tmp_path: Path, clock: FakeClock, journal: MiniJournal, log: RecordingLog) -> AsyncIterator[Context]:
    remote = Remote(clock=clock, sleep=clock.sleep, transport=httpx.AsyncHTTPTransport)
    yield make_context("support-365", tmp_path, clock=clock, known=journal.known, log=log, remote=remote)
    await remote.aclose()


@pytest.fixture
def connect(context: Context) -> Connect:
    """`connect(after="delete")`: a connector on the test's mailbox."""
    return lambda **settings: GraphMailConnector(make_settings(**settings), context)


def make_settings(**more: Any) -> GraphMailSettings:
    return GraphMailSettings.model_validate({"mailbox": MAILBOX, "oauth": APPLICATION} | more)
