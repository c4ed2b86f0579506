"""Listener tests run on the real journal."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop

from allears.journal.sqlite import open_journal
from allears_sdk.testing import FakeClock
from tests.connectors.smtp.post import Post


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Transports differ, and the daemon runs on uvloop where there is one."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    """Whatever clients do, no task of ours ends in an error that nobody heard."""
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, facts: errors.append(facts))
    journal = await open_journal(tmp_path, FakeClock())
    post = Post(journal, tmp_path)
    try:
        yield post
    finally:
        await post.close()
        await journal.close()
    gc.collect()
    assert not [facts for facts in errors if not is_lost_connection(facts)]


def is_lost_connection(facts: dict[str, Any]) -> bool:
    """A transport's own future for a client that is gone, which nobody needs to wait for; a task would be named."""
    return isinstance(facts.get("exception"), ConnectionError) and "task" not in facts
