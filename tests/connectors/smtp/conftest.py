"""Listener tests run on the real journal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from allears.journal.sqlite import open_journal
from allears_sdk.testing import FakeClock
from tests.connectors.smtp.post import Post


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    journal = await open_journal(tmp_path, FakeClock())
    post = Post(journal, tmp_path)
    try:
        yield post
    finally:
        await post.close()
        await journal.close()
