"""A mailbox on a Graph in miniature, behind respx."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock
from connectors.graph_mail import GraphMailConnector, GraphMailSettings
from tests.connectors._mail.hosted import answered_by, make_remote
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
    with answered_by(graph.answer):
        yield graph


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return make_remote(clock)


@pytest.fixture
def connect(context: Context) -> Connect:
    """`connect(after="delete")`: a connector on the test's mailbox."""
    return lambda **settings: GraphMailConnector(make_settings(**settings), context)


def make_settings(**more: Any) -> GraphMailSettings:
    return GraphMailSettings.model_validate({"mailbox": MAILBOX, "oauth": APPLICATION} | more)
