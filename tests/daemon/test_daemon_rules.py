"""Own rules on a running daemon: they are put in force by SIGHUP, and a bad file changes nothing."""

from __future__ import annotations

import re
import signal
from typing import Any

from tests.daemon.house import House

BREAKER = """
language = "zh"

[[rule]]
id = "breaker"
field = "category"
value = "{category}"
words = ["跳闸"]
priority = "P2"

[[shape]]
kind = "order"
name = "ours"
pattern = 'lm-\\d{{6}}'
"""


def write(house: House, text: str) -> None:
    (house.folder / "rules").mkdir(exist_ok=True)
    (house.folder / "rules" / "lamps.toml").write_text(text, encoding="utf-8")


def hang_up(house: House, word: str, count: int) -> None:
    house.signal(signal.SIGHUP)
    house.until(lambda: house.log.count(word) == count, word)


def record(house: House, at: int) -> dict[str, Any]:
    found: dict[str, Any] = house.until_filed(at + 1)[at]["complaint"]
    return found


def test_rules_are_swapped_while_it_runs(house: House) -> None:
    house.configure('[rules]\nfiles = ["rules/*.toml"]\n')
    house.start()
    house.post("新买的台灯一插电就跳闸，单子 LM-204518，换了插座也一样", "one")
    packaged = record(house, 0)

    write(house, BREAKER.format(category="service.process"))
    hang_up(house, " reloaded", 1)
    house.post("新买的台灯一插电就跳闸，单子 LM-204519，换了插座也一样", "two")
    own = record(house, 1)
    assert (own["category"], own["priority"], own["entities"]["order"]) == ("service.process", "P2", ["LM-204519"])
    assert own["provenance"]["category"]["source"] == "rule:zh.breaker"
    assert own["provenance"]["rules"] != packaged["provenance"]["rules"]

    write(house, BREAKER.format(category="product.design"))
    hang_up(house, " reloaded", 2)
    house.post("台灯又跳闸了，单子 LM-204520", "three")
    assert record(house, 2)["category"] == "product.design"
    assert house.stop() == 0


def test_a_bad_file_leaves_the_old_rules_in_force_and_names_rule_and_line(house: House) -> None:
    house.configure('[rules]\nfiles = ["rules/*.toml"]\n')
    write(house, BREAKER.format(category="service.process"))
    house.start()

    write(house, BREAKER.format(category="service.proces"))
    hang_up(house, "reload_refused", 1)
    assert re.search(r"line 7, rules/lamps\.toml: zh\.breaker: category cannot be 'service\.proces'", house.log)

    write(
        house, BREAKER.format(category="service.process").replace("priority", "patterns = ['(跳|跳跳)+闸']\npriority")
    )
    hang_up(house, "reload_refused", 2)
    assert "zh.breaker: the pattern gets slow much faster than a text gets long" in house.log

    house.post("台灯跳闸了，单子 LM-204521", "one")
    assert record(house, 0)["category"] == "service.process"
    assert house.stop() == 0


def test_it_does_not_start_with_rules_that_no_text_should_meet(house: House) -> None:
    house.configure('[rules]\nfiles = ["rules/*.toml"]\n')
    write(house, BREAKER.format(category="service.process").replace("lm-\\d{6}", "(l|ll)+m"))
    outcome = house.command("run")
    assert outcome.returncode == 3
    assert "shape:order.ours: the pattern gets slow" in outcome.stderr + outcome.stdout
