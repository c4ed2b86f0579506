"""`allears rules`: what is in force, and how rules fare on examples."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Allears = Callable[..., Any]

CONFIGURATION = '[channels.form]\nconnector = "form"\n[rules]\nfiles = ["rules/*.toml"]\n'
RULES = """
language = "zh"
off = ["product.junk"]

[[rule]]
id = "breaker"
field = "category"
value = "service.process"
words = ["跳闸"]
priority = "P2"

[[rule]]
id = "invoices"
field = "nature"
value = "spam"
words = ["代開發票"]

[[rule]]
id = "shadow"
field = "category"
value = "product.design"
weight = 0.5
words = ["闸"]

[[extend]]
id = "logistics.delay"
words = ["没影儿"]

[[shape]]
kind = "order"
name = "ours"
pattern = 'lm-\\d{6}'
"""
EXAMPLES = """
[[example]]
id = "lamp"
text = "台灯一开就跳闸，订单LM-204518，要求退款"
nature = "complaint"
category = "service"
priority = "P2"
expectation = ["refund"]
entities = { order = ["lm-204518"] }

[[example]]
text = ["你好", "快递没影儿了"]
connector = "wechat_kf"
category = "logistics.loss"
"""


@pytest.fixture
def house(tmp_path: Path, allears: Allears) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "lamps.toml").write_text(RULES, encoding="utf-8")
    (tmp_path / "allears.toml").write_text(CONFIGURATION, encoding="utf-8")
    (tmp_path / "examples.toml").write_text(EXAMPLES, encoding="utf-8")
    return tmp_path


def test_a_trial_says_what_fails_what_fires_and_what_has_no_say(house: Path, allears: Allears) -> None:
    outcome = allears("rules", "test", "examples.toml", "--json")

    assert outcome.code == 1
    lamp, parcel = outcome.json["examples"]
    assert (lamp["name"], lamp["ok"]) == ("lamp", True)
    assert {"zh.breaker", "zh.shadow", "shape:order.ours"} <= set(lamp["fired"])
    (miss,) = parcel["misses"]
    assert (parcel["name"], miss["field"], miss["expected"], miss["found"]) == (
        "#2",
        "category",
        "logistics.loss",
        "logistics.delay",
    )
    rules = {one["name"]: one for one in outcome.json["rules"]}
    assert [(name, one["fired"], one["counted"]) for name, one in rules.items()] == [
        ("zh.logistics.delay", 1, 1),
        ("zh.breaker", 1, 1),
        ("zh.invoices", 0, 0),
        ("zh.shadow", 1, 0),
        ("shape:order.ours", 1, 1),
    ]
    assert rules["zh.invoices"]["place"] == "rules/lamps.toml:12"
    assert "never fires" in rules["zh.invoices"]["remark"]
    assert "rule:zh.breaker" in rules["zh.shadow"]["remark"]


def test_it_says_so_to_people_in_their_language(house: Path, allears: Allears) -> None:
    told = allears("rules", "test", "examples.toml")
    assert "FAILED #2" in told.out
    assert "expected logistics.loss, found logistics.delay" in told.out
    assert "1 of 2 examples as expected" in told.out
    assert "2 个样例中 1 个符合" in allears("--language", "zh", "rules", "test", "examples.toml").out


def test_labelled_lines_are_examples_too_and_strict_minds_useless_rules(house: Path, allears: Allears) -> None:
    line = {
        "id": "a",
        "lang": "zh",
        "channel_kind": "shop_review",
        "text": "插上就跳闸",
        "gold": {"nature": "complaint"},
    }
    (house / "set.jsonl").write_text(json.dumps(line) + "\n\n", encoding="utf-8")

    assert allears("rules", "test", "set.jsonl").code == 0
    assert allears("rules", "test", "set.jsonl", "--strict").code == 1
    everything = allears("rules", "test", "set.jsonl", "--all", "--json").json["rules"]
    assert any(one["state"] == "packaged" for one in everything)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[example]]\nnature = 'spam'", "text is missing"),
        ("[[example]]\ntext = 'a'\ncategori = 'x'", "unknown key categori"),
        ("[[example]]\ntext = 'a'\ncategory = 'prodact'", "category cannot be"),
        ("[[example]]\ntext = 'a'\n[example.entities]\nordr = ['x']", "entities cannot be"),
        ("[[exampel]]\ntext = 'a'", "unknown key exampel"),
        ("text =", "examples.toml"),
        ("", "no examples"),
    ],
)
def test_what_is_no_example_is_named(house: Path, allears: Allears, text: str, says: str) -> None:
    (house / "examples.toml").write_text(text, encoding="utf-8")

    outcome = allears("rules", "test", "examples.toml")

    assert outcome.code == 1
    assert says in outcome.err


def test_list_and_show(house: Path, allears: Allears) -> None:
    own = {one["name"]: one for one in allears("rules", "list", "--own", "--json").json["rules"]}
    assert {name: one["state"] for name, one in own.items()} == {
        "zh.product.junk": "off",
        "zh.logistics.delay": "extended",
        "zh.breaker": "own",
        "zh.invoices": "own",
        "zh.shadow": "own",
        "shape:order.ours": "own",
    }
    everything = allears("rules", "list").out
    assert "rules/lamps.toml:5" in everything
    assert "shape:phone.mobile" in everything
    shown = allears("rules", "show", "logistics.delay", "--json")
    assert shown.code == 2, "one of zh, one of en"
    shown = allears("rules", "show", "zh.logistics.delay", "--json").json
    assert "没影儿" in shown["words"]
    assert "没影儿" not in shown["packaged"]["words"]
    assert "跳闸" in allears("rules", "show", "breaker").out
    unknown = allears("rules", "show", "zh.breakr")
    assert unknown.code == 5
    assert "zh.breaker" in unknown.err


def test_a_fault_in_a_file_of_rules_is_one_of_the_configuration(house: Path, allears: Allears) -> None:
    (house / "rules" / "more.toml").write_text(RULES.replace("service.process", "service.proces"), encoding="utf-8")

    outcome = allears("check", "--json")

    assert outcome.code == 3
    places = {(fault["place"], fault["line"]) for fault in outcome.json["faults"]}
    assert ("rules/more.toml: zh.breaker", 8) in places


def test_patterns_are_tried_before_examples_are(house: Path, allears: Allears) -> None:
    slow = RULES.replace("lm-\\d{6}", "(l|ll)+m")
    (house / "rules" / "lamps.toml").write_text(slow, encoding="utf-8")

    outcome = allears("rules", "test", "examples.toml", "--json")

    assert outcome.code == 3
    (fault,) = outcome.json["faults"]
    assert fault["place"] == "rules/lamps.toml: shape:order.ours"
    assert "gets slow" in fault["message"]
    assert allears("check").code == 3


def test_files_that_are_not_there(tmp_path: Path, allears: Allears) -> None:
    (tmp_path / "allears.toml").write_text(CONFIGURATION.replace("rules/*", "rules/lamps"), encoding="utf-8")
    assert "no file of rules is called rules/lamps.toml" in allears("check").err
    (tmp_path / "allears.toml").write_text(CONFIGURATION, encoding="utf-8")
    outcome = allears("check", "--json")
    assert outcome.code == 0
    assert any("no file of rules is called rules/*.toml" in one for one in outcome.json["warnings"])


@pytest.mark.parametrize("workers", ["1", "2"])
def test_normalise_goes_by_them_where_the_file_is_named(house: Path, allears: Allears, workers: str) -> None:
    texts = house / "in.jsonl"
    texts.write_text('{"text": "台灯一开就跳闸，请处理"}\n' * 300, encoding="utf-8")
    own = allears("normalise", "in.jsonl", "--config", "allears.toml", "--workers", workers).lines
    assert {line["complaint"]["category"] for line in own} == {"service.process"}
    packaged = allears("normalise", "in.jsonl").lines
    assert {line["complaint"]["category"] for line in packaged} != {"service.process"}
    texts.write_text("{}", encoding="utf-8")
    (house / "rules" / "lamps.toml").write_text('language = "zh"\n[[rule]]\nid = 7\n', encoding="utf-8")
    assert allears("normalise", "in.jsonl", "--config", "allears.toml").code == 3, "wrong rules are no rules"
