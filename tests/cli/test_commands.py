"""Every command: what it prints, in which language, and with which code it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from allears.context import SystemClock
from allears.journal.opening import lock_folder
from allears_sdk.reference import is_reference

Allears = Callable[..., Any]

SECRET = "hunter2-s3cret"
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def test_version(allears: Allears) -> None:
    assert allears("--version").out.startswith("allears 0.")


def test_usage_errors_end_with_2(allears: Allears) -> None:
    assert allears("nonsense").code == 2
    assert allears("check", "--nonsense").code == 2


def test_init_writes_a_file_that_works_and_never_overwrites(allears: Allears, tmp_path: Path) -> None:
    first = allears("init")
    path = tmp_path / "allears.toml"
    assert first.code == 0
    assert path.stat().st_mode & 0o077 == 0
    assert allears("check", "--json").json["ok"] is True
    before = path.read_bytes()
    second = allears("init", "--channel", "email")
    assert second.code == 2
    assert "exists already" in second.err
    assert path.read_bytes() == before


@pytest.mark.parametrize("language", ["en", "zh"])
def test_init_with_chosen_kinds(allears: Allears, tmp_path: Path, language: str) -> None:
    outcome = allears(
        "init", "-c", "a.toml", "--channel", "email", "--sink", "webhook", "--json", "--language", language
    )
    assert outcome.json == {"written": "a.toml"}
    written = tomllib.loads((tmp_path / "a.toml").read_text(encoding="utf-8"))
    assert [one["connector"] for one in written["channels"].values()] == ["email"]
    assert [one["sink"] for one in written["destinations"].values()] == ["webhook"]
    unknown = allears("init", "-c", "b.toml", "--channel", "emial")
    assert unknown.code == 2
    assert 'no connector "emial" is installed; did you mean "email"?; there are: ' in unknown.err
    assert ", email, " in unknown.err
    assert not (tmp_path / "b.toml").exists()


def test_check_before_the_first_run_shows_the_configured_paths(allears: Allears, tmp_path: Path) -> None:
    (tmp_path / "allears.toml").write_text('[channels.desk]\nconnector = "folder"\n')
    (login, _) = allears("check", "--json").json["checked"]
    assert login["account"] == str(tmp_path / "data" / "channels" / "desk" / "inbox")


def test_check_reports_every_login(allears: Allears, tmp_path: Path) -> None:
    (tmp_path / "allears.toml").write_text(
        f"""
[channels.mail]
connector = "email"
host = "127.0.0.1"
port = 1
tls = "none"
username = "a"
password = "{SECRET}"
[channels.form]
connector = "form"
[channels.off]
connector = "form"
enabled = false
[destinations.list]
sink = "list"
"""
    )
    outcome = allears("check", "--json", "--timeout-seconds", "5")
    assert outcome.code == 1
    assert {one["name"]: one["result"] for one in outcome.json["checked"]} == {
        "mail": "failed",
        "form": "ok",
        "off": "skipped",
        "list": "ok",
    }
    assert any("channels.mail.password" in warning for warning in outcome.json["warnings"])
    table = allears("check", "--language", "zh", "--timeout-seconds", "5")
    assert "失败" in table.out and "正常" in table.out and "已关闭" in table.out
    assert "3 项中有 1 项失败" in table.out
    everything = outcome.out + outcome.err + table.out + table.err + allears("check", "--debug").out
    assert SECRET not in everything
    assert allears("channels", "test", "form").code == 0
    assert allears("channels", "test", "mail").code == 1
    assert allears("sinks", "test", "--json").json[0]["result"] == "ok"
    assert not (tmp_path / "data").exists()


def test_check_speaks_the_readers_language_and_gives_whole_addresses(allears: Allears, tmp_path: Path) -> None:
    chat = '[channels.chat]\nconnector = "webchat"\nallowed_origins = ["https://shop.example.com"]\n'
    (tmp_path / "allears.toml").write_text(f'[public]\nbase_url = "https://hear.example.com"\n{chat}')
    english, chinese = allears("check").out, allears("check", "--language", "zh").out
    assert "https://hear.example.com/in/chat; visitors write from https://shop.example.com" in english
    assert "https://hear.example.com/in/chat；访客来自 https://shop.example.com" in chinese


def test_a_file_in_use_is_well_and_checking_makes_none(allears: Allears, tmp_path: Path) -> None:
    (tmp_path / "allears.toml").write_text('[destinations.archive]\nsink = "jsonl"\npath = "out/complaints.jsonl"\n')
    assert allears("check").code == 0
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / "complaints.jsonl.lock"):
        assert allears("check").code == 0
        assert allears("sinks", "test", "archive").code == 0


def test_secrets_never_appear(allears: Allears, tmp_path: Path, journal: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "allears.toml").write_text(
        '[admin]\ntoken = "env:TOKEN"\n[channels.form]\nconnector = "form"\ntoken = "file:secret"\n'
        '[destinations.hook]\nsink = "webhook"\nurl = "http://127.0.0.1:9/x"\nsecret = "env:WEBHOOK"\n'
        'allow_private_network = true\nheaders = { Authorization = "env:TOKEN" }\n'
    )
    env = {"TOKEN": f"t-{SECRET}", "WEBHOOK": "whsec_aHVudGVyMi1zM2NyZXQtaHVudGVyMi1zM2NyZXQ="}
    shown = ""
    for command in (
        ["check"], ["status"], ["channels", "list"], ["channels", "test"], ["sinks", "list"], ["sinks", "test"],
        ["sinks", "test", "--send"], ["letters", "list"], ["schema", "--config"],
    ):  # fmt: skip
        for extra in ([], ["--json"]) if command[0] != "schema" else ([],):
            outcome = allears(*command, *extra, env=env)
            assert outcome.code in (0, 1), (command, outcome.err)
            shown += outcome.out + outcome.err
    assert SECRET not in shown
    assert "aHVudGVyMi1" not in shown
    broken = allears("check", env={"WEBHOOK": f"{SECRET}!"})
    assert broken.code == 3
    assert SECRET not in broken.out + broken.err


def test_status(allears: Allears, journal: Path) -> None:
    found = allears("status", "--json").json
    assert found["daemon"] == "down"
    assert found["open_letters"] == 3
    assert found["complaints"] == 0
    assert found["data_folder"] == str(journal)
    assert found["addresses"]["console"] == "http://127.0.0.1:8781"
    assert found["addresses"]["forms"] == ["http://127.0.0.1:8780/in/form"]
    assert {row["name"] for row in found["channels"]} == {"form", "inbox"}
    assert [(row["name"], row["sink"], row["complaints"]) for row in found["destinations"]] == [("list", "list", 0)]
    assert allears("sinks", "list", "--json").json == found["destinations"]
    assert str(journal) in allears("status").out
    assert "待处理" not in allears("status").out
    in_chinese = allears("status", "--language", "zh").out
    assert "需要人处理的信件：3" in in_chinese
    assert "运行中" in in_chinese
    assert "running" not in in_chinese


def test_status_while_the_daemon_is_up(allears: Allears, journal: Path) -> None:
    lock = lock_folder(journal)
    try:
        status = [sys.executable, "-m", "allears", "status", "--json"]
        process = subprocess.run(status, capture_output=True, text=True, check=True)
        assert json.loads(process.stdout)["daemon"] == "up"
    finally:
        lock.release()


def test_pause_and_resume(allears: Allears, journal: Path) -> None:
    assert allears("channels", "pause", "inbox").code == 0
    states = {row["name"]: row["state"] for row in allears("channels", "list", "--json").json}
    assert states == {"form": "running", "inbox": "paused"}
    assert allears("channels", "resume", "inbox", "--json").json == {"name": "inbox", "state": "new"}
    missing = allears("channels", "pause", "inbx")
    assert missing.code == 5
    assert 'did you mean "inbox"' in missing.err


def test_refetch(allears: Allears, journal: Path) -> None:
    assert allears("channels", "refetch", "nothing").code == 5
    assert "0 file(s) of inbox" in allears("channels", "refetch", "inbox").out


def test_rename(allears: Allears, journal: Path) -> None:
    assert allears("channels", "rename", "inbox", "Desk").code == 2
    assert allears("channels", "rename", "inbox", "form").code == 2
    assert allears("channels", "rename", "nothing", "desk").code == 5
    renamed = allears("channels", "rename", "inbox", "desk")
    assert "[channels.desk]" in renamed.out
    assert {row["name"] for row in allears("status", "--json").json["channels"]} == {"desk", "form"}


def test_letters_are_masked_until_asked(allears: Allears, journal: Path) -> None:
    listed = allears("letters", "list", "--json")
    assert "13912345678" not in listed.out
    assert all(re.fullmatch(MOMENT, one["at"]) for one in listed.json)
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", allears("letters", "list").out)
    assert "13912345678" in allears("letters", "list", "--json", "--unmask").out
    quarantined = next(one["id"] for one in listed.json if one["kind"] == "raw")
    shown = allears("letters", "show", str(quarantined))
    assert "请致电 138****8000" in shown.out
    assert "zhang@example.com" not in shown.out
    whole = allears("letters", "show", str(quarantined), "--unmask", "--json").json
    assert "请致电 13800138000" in whole["content"]
    assert allears("letters", "show", "999").code == 5


def test_replay_and_discard(allears: Allears, journal: Path) -> None:
    letters = {one["kind"]: one["id"] for one in allears("letters", "list", "--json").json}
    assert allears("letters", "replay").code == 2
    assert allears("letters", "replay", "1", "--all").code == 2
    assert allears("letters", "replay", "999").code == 5
    every = allears("letters", "replay", "--all", "--json")
    assert every.code == 1
    assert sorted(one["result"] for one in every.json) == ["failed", "failed", "replayed"]
    assert allears("letters", "discard", str(letters["missing"])).code == 0
    again = allears("letters", "discard", str(letters["missing"]))
    assert again.code == 1
    assert len(allears("letters", "list", "--state", "discarded", "--json").json) == 1


def test_a_sample_ticket(allears: Allears, tmp_path: Path) -> None:
    (tmp_path / "allears.toml").write_text(f'[destinations.file]\nsink = "jsonl"\npath = "{tmp_path}/out.jsonl"\n')
    sent = allears("sinks", "test", "file", "--send", "--json")
    assert sent.code == 0
    assert sent.json[0]["result"] == "ok"
    (line,) = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert "[TEST]" in line
    assert allears("sinks", "test", "fiel", "--send").code == 5


def test_schemas(allears: Allears) -> None:
    record = allears("schema").json
    assert record["$id"] == "allears.complaint/1"
    assert allears("schema", "--config", "--json").json["properties"]["admin"]


def test_run_as_a_process(tmp_path: Path) -> None:
    """Prints where console and form are, hears, and ends with 0 on SIGTERM."""
    environment = {
        **os.environ,
        "ALLEARS_DATA_FOLDER": str(tmp_path / "data"),
        "ALLEARS_PUBLIC__PORT": "0",
        "ALLEARS_ADMIN__PORT": "0",
        "LANG": "zh_CN.UTF-8",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "allears", "run"],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip
    try:
        assert process.stdout
        console, form, inbox = (process.stdout.readline() for _ in range(3))
        assert console.startswith("控制台：http://127.0.0.1:")
        assert form.strip().endswith("/in/form")
        assert inbox.strip().endswith(str(tmp_path / "data" / "inbox"))
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "Traceback" not in err


def _hear_ctrl_c() -> None:
    """A shell's background jobs, and what they start, ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_an_interrupted_command_ends_with_130(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "allears", "normalise", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=_hear_ctrl_c,
    )  # fmt: skip
    assert process.stdin
    process.stdin.write('{"text": "a"}\n')
    process.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_sample_reference() -> None:
    from allears.cli.sinks import sample

    event = sample(SystemClock().now(), "zh")
    assert is_reference(event.complaint_id)
    assert "测试" in event.record.title
