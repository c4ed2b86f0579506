from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import respx

from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock, MemoryTokens, make_context


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def remote(clock: FakeClock) -> AsyncIterator[Remote]:
    remote = Remote(clock=clock, sleep=clock.sleep, transport=httpx.AsyncHTTPTransport)
    yield remote
    await remote.aclose()


@pytest.fixture
def tokens() -> MemoryTokens:
    return MemoryTokens()


@pytest.fixture
def context(tmp_path: Path, clock: FakeClock, remote: Remote, tokens: MemoryTokens) -> Context:
    return make_context("support-mail", tmp_path, clock=clock, remote=remote, tokens=tokens)


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    with respx.mock(using="httpx", assert_all_called=False) as router:
        yield router
