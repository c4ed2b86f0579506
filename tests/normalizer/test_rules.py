"""Rule packs: what loads, what is refused, how words are found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normalizer.rules import RuleError, load
from normalizer.rules.fold import fold
from normalizer.rules.matcher import Words
from normalizer.rules.pack import build, packaged


def test_the_packaged_rules_load_once_and_their_names_are_unique() -> None:
    rules = load()

    assert rules is load()
    assert [pack.language for pack in rules.packs] == ["zh", "en"]
    for pack in rules.packs:
        names = [rule.id for rule in pack.rules]
        assert len(names) == len(set(names))
        assert len(pack.rules) == len(packaged(pack.language)["rule"])


def test_rule_words_are_written_as_folded_text_reads() -> None:
    """A word with a capital or a traditional character could never be found."""
    for pack in load().packs:
        for rule in pack.rules:
            assert [word for word in rule.words if fold(word) != word] == [], rule.id


def test_an_admins_layer_replaces_a_rule_and_adds_another() -> None:
    base = {"language": "zh", "rule": [_rule(id="a", words=["坏了"])]}
    layer = {"rule": [_rule(id="a", words=["碎了"]), _rule(id="b", words=["漏了"])]}

    pack = build([base, layer])

    assert [(hit.rule.id, hit.start) for hit in pack.find("坏了碎了漏了").hits] == [("zh.a", 2), ("zh.b", 4)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"value": "product.colour"}, "product.colour"),
        ({"wieght": 2}, "wieght"),
        ({"patterns": ["("]}, "zh.a"),
        ({"words": [""]}, "empty word"),
        ({"priority": "P9"}, "P1"),
    ],
)
def test_a_rule_that_cannot_work_is_refused_by_name(change: dict[str, Any], says: str) -> None:
    with pytest.raises(RuleError, match=says):
        build([{"language": "zh", "rule": [_rule(**change)]}])


def test_latin_words_stand_alone_and_a_star_takes_any_ending() -> None:
    words = Words(["late", "refund*", "坏了"])

    found = sorted(words.find("chocolate is later, late; refunded, 手机坏了late"), key=lambda hit: hit[1])

    assert [word for word, _, _ in found] == [
        "late",
        "refund*",
        "坏了",
        "late",
    ]


def test_words_inside_words_are_all_found() -> None:
    assert sorted(Words(["退款", "不退款", "退"]).find("不退款")) == [("不退款", 0, 3), ("退", 1, 2), ("退款", 1, 3)]


@given(st.text())
def test_folding_moves_no_character(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert fold(fold(text)) == fold(text)


def _rule(**change: Any) -> dict[str, Any]:
    return {"id": "a", "field": "category", "value": "product.function_failure", **change}
