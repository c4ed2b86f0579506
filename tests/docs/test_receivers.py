"""The receivers printed in docs/guarantees.md run, against a real daemon, and take each event once."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from allears_sdk.signing import sign_standard
from tests.conftest import missing
from tests.docs.conftest import House, blocks, until

SECRET = "whsec_" + "c2VjcmV0" * 4
CONFIGURATION = """
[channels.form]
connector = "form"

[destinations.crm]
sink = "webhook"
url = "{url}"
secret = "env:ALLEARS_WEBHOOK_SECRET"
allow_private_network = true

[destinations.file]
sink = "jsonl"
path = "{folder}/complaints.jsonl"
"""


@dataclass(frozen=True)
class Kind:
    """One of the two programs: how it is started, and what it has stored."""

    block: str
    name: str
    program: str
    stored: Callable[[Path], list[dict[str, Any]]]


def _in_sqlite(folder: Path) -> list[dict[str, Any]]:
    if not (folder / "events.sqlite3").exists():
        return []
    with closing(sqlite3.connect(folder / "events.sqlite3")) as database:
        return [json.loads(row[0]) for row in database.execute("SELECT body FROM events ORDER BY rowid")]


def _in_lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text("utf-8").splitlines()]


PYTHON = Kind("python", "receiver.py", sys.executable, _in_sqlite)
NODE = Kind("javascript", "receiver.mjs", "node", _in_lines)
PAGES = ("docs/guarantees.md", "docs/guarantees.zh-CN.md")


@contextmanager
def receiving(kind: Kind, folder: Path) -> Iterator[str]:
    """The receiver of the page, listening on a free port: gives its address."""
    (folder / kind.name).write_text(blocks(PAGES[0], kind.block)[0], encoding="utf-8")
    environment = {**os.environ, "ALLEARS_WEBHOOK_SECRET": SECRET}
    command = [kind.program, kind.name, "0"]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().rpartition(' ')[2].strip()}/hooks/allears"
        finally:
            process.terminate()


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    try:
        with urlopen(Request(url, data=body, headers=headers)) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


def signed(body: bytes, webhook_id: str, seconds: int) -> dict[str, str]:
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": sign_standard([SECRET], webhook_id, seconds, body),
    }


def complain(house: House, text: str, revision: str) -> None:
    said = {"external_id": "shop-1", "revision": revision, "text": text, "author": {"name": "王芳"}}
    assert post(house.form, json.dumps(said).encode(), {"Content-Type": "application/json"}) == 201


@pytest.fixture(params=[PYTHON, NODE], ids=["python", "node"])
def kind(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = request.param
    if not shutil.which(kind.program):
        missing(f"{kind.program}, for the example in docs/guarantees.md")
    return kind


def test_a_receiver_takes_every_event_once_and_in_order(
    kind: Kind, tmp_path: Path, start: Callable[..., House]
) -> None:
    with receiving(kind, tmp_path) as url:
        (tmp_path / "allears.toml").write_text(CONFIGURATION.format(url=url, folder=tmp_path))
        house = start(ALLEARS_WEBHOOK_SECRET=SECRET)
        complain(house, "退款十天没到账，请尽快退给我。", "1")
        until(lambda: len(kind.stored(tmp_path)) == 1)
        complain(house, "退款十五天没到账，再不退我就打12315投诉。", "2")
        until(lambda: len(kind.stored(tmp_path)) == 2)
        stored = kind.stored(tmp_path)
        assert [event["type"] for event in stored] == ["complaint.created.v1", "complaint.updated.v1"]
        assert [event["data"]["event"]["sequence"] for event in stored] == [1, 2]
        assert len({event["subject"] for event in stored}) == 1
        _repeats_and_forgeries(kind, tmp_path, url, stored[0])
    _newest_record_of_the_file(tmp_path, stored[1]["data"]["complaint"]["id"])


def _repeats_and_forgeries(kind: Kind, folder: Path, url: str, event: dict[str, Any]) -> None:
    now = int(datetime.now(UTC).timestamp())
    body = json.dumps(event).encode()
    assert post(url, body, signed(body, event["id"], now)) == 204
    assert post(url, body, signed(body, "ALE-OTHER", now - 3600)) == 401
    assert post(url, body + b" ", signed(body, "ALE-OTHER", now)) == 401
    assert post(url, body, {}) == 401
    assert len(kind.stored(folder)) == 2


def _newest_record_of_the_file(folder: Path, complaint: str) -> None:
    """The third program of the page: one row per complaint."""
    (folder / "newest.py").write_text(blocks(PAGES[0], "python")[1], encoding="utf-8")
    until(lambda: len((folder / "complaints.jsonl").read_text("utf-8").splitlines()) == 2)
    command = [sys.executable, "newest.py", "complaints.jsonl"]
    shown = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONUTF8": "1"}
    )
    (row,) = shown.stdout.splitlines()
    assert row.startswith(f"{complaint}\tP1\t")


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_both_languages_print_the_same_programs(language: str) -> None:
    first, second = (blocks(page, language) for page in PAGES)
    assert first == second
    assert first
