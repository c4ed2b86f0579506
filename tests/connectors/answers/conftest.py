"""Answers go to a real mail server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.answers.postbox import Postbox


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    postbox = Postbox()
    yield postbox
    postbox.stop()
