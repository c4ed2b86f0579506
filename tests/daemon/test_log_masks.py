"""What others say may repeat a customer's words: it is masked in every line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from allears import logs

SAID = "550 <li.lei@example.cn> rejected, call 13800138000, id 11010519491231002X"
MASKED = "550 <l***@example.cn> rejected, call 138****8000, id 110***********002X"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
    structlog.configure(**before)


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_reasons_and_tracebacks_are_masked(
    log_format: Literal["console", "json"], capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(log_format, "info")
    log = structlog.get_logger("allears.test")
    log.warning("letter", reason=SAID, complaint="ALE-7K3M-Q9TX-4RWD", account="kefu@example.com")
    try:
        raise ValueError(SAID)
    except ValueError:
        log.exception("failed", detail=SAID)
    said = capsys.readouterr().err
    assert SAID not in said
    assert said.count(MASKED) == 3
    assert "ALE-7K3M-Q9TX-4RWD" in said
    assert "kefu@example.com" in said, "the company's own account is what an admin looks for"
    assert "ValueError" in said
    if log_format == "json":
        assert all(json.loads(line)["event"] for line in said.splitlines())
