"""Real IMAP servers for the mail tests: pymap everywhere, Dovecot where it is installed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from allears_sdk.context import Context
from bench.servers.certificate import make_certificate
from bench.servers.dovecot import Dovecot, Knobs
from bench.servers.imap_pymap import Pymap
from connectors.email import EmailConnector
from tests.conftest import missing
from tests.connectors.conftest import Started
from tests.connectors.email.harness import COUNT, Mailbox, Meddler

Connect = Callable[..., Awaitable[EmailConnector]]


@pytest.fixture(scope="session")
def pymap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pymap]:
    with Pymap(tmp_path_factory.mktemp("pymap")) as server:
        yield server


@pytest.fixture(scope="session")
def dovecot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dovecot]:
    if Dovecot.program() is None:
        missing("Dovecot (apt: dovecot-imapd)")
    folder = tmp_path_factory.mktemp("dovecot")
    with Dovecot(Knobs(certificate=make_certificate(folder))) as server:
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
def connect(context: Context, started: Started) -> Connect:
    """`await connect(mailbox, after="delete")`: a started connector, stopped when the test ends."""
    return lambda box, **settings: started.start(EmailConnector(box.settings(**settings), context))
