"""`allears rederive` beside a running daemon: nothing is sent unless it is asked for, and nothing twice."""

from __future__ import annotations

import json
import signal
from typing import Any

from tests.daemon.house import House

BREAKER = """
language = "zh"
[[rule]]
id = "breaker"
field = "category"
value = "service.process"
words = ["跳闸"]
"""


def rederive(house: House, *options: str) -> dict[str, Any]:
    outcome = house.command("rederive", "--json", *options)
    assert outcome.returncode == 0, outcome.stderr
    read: dict[str, Any] = json.loads(outcome.stdout)
    return read


def test_a_difference_is_shown_then_filed_then_gone(house: House) -> None:
    house.configure('[rules]\nfiles = ["rules/*.toml"]\n')
    house.start()
    house.post("新买的台灯一插电就跳闸，要求退款，电话13812345678", "one")
    house.post("快递三天没到，要求退款", "two")
    opened = {line["complaint"]["title"][:2]: line["complaint"] for line in house.until_filed(2)}
    lamp = opened["新买"]

    (house.folder / "rules").mkdir()
    (house.folder / "rules" / "lamps.toml").write_text(BREAKER, encoding="utf-8")
    shown = rederive(house)
    assert (shown["complaints"], shown["changed"], shown["same"], shown["applied"]) == (2, 1, 1, False)
    assert shown["fields"]["category"] == 1
    (record,) = shown["records"]
    assert record["id"] == lamp["id"]
    assert record["changes"]["category"] == [lamp["category"], "service.process"]
    assert "13812345678" not in json.dumps(shown)

    house.signal(signal.SIGHUP)
    house.until(lambda: " reloaded" in house.log, "reloaded")
    assert len(house.filed()) == 2, "reading anew by itself sends nothing"

    applied = rederive(house, "--apply")
    assert (applied["changed"], applied["rules"]) == (1, shown["rules"])
    follow_up = house.until_filed(3)[2]
    assert follow_up["event"]["id"] == applied["records"][0]["event"]
    assert follow_up["complaint"]["category"] == "service.process"
    assert follow_up["complaint"]["provenance"]["rules"]["source"] == f"rules:{applied['rules']}"
    assert rederive(house, "--apply")["changed"] == 0
    assert house.stop() == 0

    assert rederive(house, "--channel", "desk")["complaints"] == 0
    assert rederive(house, "--since", "2999-01-01")["complaints"] == 0
    assert rederive(house, "--after", str(applied["last"]))["complaints"] == 0
    (house.folder / "rules" / "lamps.toml").unlink()
    assert rederive(house, "--apply")["changed"] == 1, "with the daemon down too"
    house.start()
    back = house.until_filed(4)[3]
    assert back["complaint"]["category"] == lamp["category"]
    assert house.stop() == 0


def test_what_it_says_to_people(house: House) -> None:
    house.configure('[rules]\nfiles = ["rules/*.toml"]\n')
    house.start()
    house.post("新买的台灯一插电就跳闸，要求退款", "one")
    house.until_filed(1)
    assert house.stop() == 0
    (house.folder / "rules").mkdir()
    (house.folder / "rules" / "lamps.toml").write_text(BREAKER, encoding="utf-8")

    shown = house.command("rederive", "--language", "en")
    assert " → service.process" in shown.stdout
    assert "nothing was written and nothing was sent" in shown.stdout
    assert "已写入 1 次跟进" in house.command("rederive", "--apply", "--language", "zh").stdout
    assert house.command("rederive", "--apply", "--dry-run").returncode == 2
    assert house.command("rederive", "--since", "yesterday").returncode == 2
