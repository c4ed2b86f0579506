"""Real IMAP servers for the mail tests: pymap everywhere, Dovecot where it is installed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.testing import RecordingLog, make_context
from allears_sdk.testing.journal import MiniJournal
from bench.servers.certificate import make_certificate
from bench.servers.dovecot import Dovecot, Knobs
from bench.servers.imap_pymap import Pymap
from connectors.email import EmailConnector
from tests.connectors.email.harness import COUNT, Mailbox, Meddler

Connect = Callable[..., Awaitable[EmailConnector]]


@pytest.fixture(scope="session")
def pymap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pymap]:
    with Pymap(tmp_path_factory.mktemp("pymap")) as server:
        yield server


@pytest.fixture(scope="session")
def dovecot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dovecot]:
    if Dovecot.program() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must provide Dovecot (apt: dovecot-imapd)")
        pytest.skip("needs Dovecot (apt: dovecot-imapd)")
    folder = tmp_path_factory.mktemp("dovecot")
    with Dovecot(folder, Knobs(certificate=make_certificate(folder))) as server:
        yield server


@pytest.fixture
def mailbox(pymap: Pymap) -> Mailbox:
    """A new folder on pymap."""
    box = Mailbox(pymap, folder=f"投诉{next(COUNT)}")
    box.create()
    return box


@pytest.fixture
async def meddler(pymap: Pymap) -> AsyncIterator[Meddler]:
    meddler = Meddler(host=pymap.host, port=0, password=pymap.password, target_port=pymap.port)
    server = await asyncio.start_server(meddler.serve, pymap.host, 0, limit=1 << 24)
    meddler.port = server.sockets[0].getsockname()[1]
    yield meddler
    server.close()
    for task in [*meddler.tasks]:
        task.cancel()
    await asyncio.gather(*meddler.tasks, return_exceptions=True)


@pytest.fixture
def journal() -> MiniJournal:
    return MiniJournal()


@pytest.fixture
def log() -> RecordingLog:
    return RecordingLog()


@pytest.fixture
async def context(tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> AsyncIterator[Context]:
    context = make_context("support-mail", tmp_path, known=journal.known, log=log)
    yield context
    await context.remote.aclose()


@pytest.fixture
async def connect(context: Context) -> AsyncIterator[Connect]:
    """`await connect(mailbox, after="delete")`: a started connector, stopped when the test ends."""
    started: list[EmailConnector] = []

    async def connect(box: Mailbox, **settings: Any) -> EmailConnector:
        connector = EmailConnector(box.settings(**settings), context)
        await connector.start()
        started.append(connector)
        return connector

    yield connect
    for connector in started:
        await connector.stop()
