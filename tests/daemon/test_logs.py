"""What the log shows, and what it never does."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from allears import logs
logs.configure(sys.argv[1], sys.argv[2])

import logging
import structlog

log = structlog.get_logger("allears.delivery")

def charge(secret):
    words = "我的电话是 " + "138" + "00138000"
    raise KeyError("ticket")

log.debug("quiet", channel="form")
log.info("filed", complaint="ALE-7K3M-Q9TX-4RWD", channel="客服邮箱")
logging.getLogger("aiohttp.server").info("chatter")
logging.getLogger("aiohttp.server").warning("%s is odd", "it")
try:
    charge("whsec_" + "abc123")
except KeyError:
    log.exception("failed", destination="hook")
"""


def said(log_format: str, level: str = "info") -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, log_format, level],
        capture_output=True, encoding="utf-8", timeout=30, check=True,
    )  # fmt: skip
    assert done.stdout == "", "the log goes to standard error"
    return done.stderr


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_tracebacks_show_no_variables(log_format: str) -> None:
    log = said(log_format)
    assert "KeyError" in log
    assert "in charge" in log, "where it was"
    assert "abc123" not in log
    assert "13800138000" not in log


def test_json_is_one_document_a_line() -> None:
    lines = [json.loads(line) for line in said("json").splitlines()]
    assert [line["event"] for line in lines] == ["filed", "it is odd", "failed"]
    assert (lines[0]["channel"], lines[0]["level"], lines[0]["logger"]) == ("客服邮箱", "info", "allears.delivery")
    assert lines[2]["destination"] == "hook"
    assert "Traceback" in lines[2]["exception"]
    assert all(line["timestamp"].endswith("Z") for line in lines)


@pytest.mark.parametrize(("level", "shown"), [("debug", True), ("info", False), ("error", False)])
def test_the_level_is_that_of_the_daemon_alone(level: str, shown: bool) -> None:
    log = said("console", level)
    assert ("quiet" in log) == shown
    assert ("filed" in log) == (level != "error")
    assert "chatter" not in log, "libraries are heard from warning on"
    assert "it is odd" in log
