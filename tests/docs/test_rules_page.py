"""docs/rules.md, in both languages: its file loads, its pattern advice holds, its example comes out as it says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from normalizer.own_rules import OwnRules
from normalizer.rules.faults import EXTEND_KEYS, RULE_KEYS, SHAPE_KEYS
from normalizer.rules.layers import compose, faults_in, remarks_on
from normalizer.rules.ordeal import slowness

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ["rules.md", "rules.zh-CN.md"]


def blocks(name: str) -> list[str]:
    return re.findall(r"```toml\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("name", PAGES)
def test_the_file_on_the_page_is_one(name: str) -> None:
    section, file, example = blocks(name)
    rules = OwnRules((("page.toml", file),))

    assert tomllib.loads(section)["rules"]["files"]
    assert not faults_in(rules)
    assert not remarks_on(rules)
    assert compose(rules).decides
    assert tomllib.loads(example)["example"][0]["entities"] == {"order": ["LM-204518"]}


@pytest.mark.parametrize("name", PAGES)
def test_every_key_is_on_the_page(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    for key in {*RULE_KEYS, *SHAPE_KEYS, *EXTEND_KEYS}:
        assert f"`{key}`" in text, key


def test_the_patterns_that_are_called_slow_are_and_the_mended_one_is_not() -> None:
    assert slowness("退.*款")
    assert slowness(r"(\d+,)+x")
    assert slowness(r"退[^。\n]{0,20}款") is None
