"""Worker tests run in real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workers.poison import installed


@pytest.fixture
def poison(tmp_path: Path) -> Iterator[None]:
    """Somebody installed the poison connector."""
    with installed(tmp_path / "site-packages"):
        yield
