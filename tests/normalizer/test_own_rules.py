"""An admin's rule files: what they add, replace, extend and switch off, and that they have the last word."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from allears_sdk.complaint import Complaint
from allears_sdk.message import Author, Message, Rating, Visibility
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive
from normalizer.own_rules import OwnRules
from normalizer.rules import Rule, load
from normalizer.rules.layers import OwnRuleError, compose, faults_in, inventory, remarks_on
from normalizer.rules.pack import version_of

NONE = OwnRules()
AT = datetime(2026, 3, 1, tzinfo=UTC)
LAMP = "台灯一开就跳闸，快递倒是很快，订单LM-204518，要求退款"


def own(*texts: str) -> OwnRules:
    return OwnRules(tuple((f"{at}.toml", text) for at, text in enumerate(texts)))


def record(text: str, rules: OwnRules = NONE, **facts: Any) -> Complaint:
    message = Message(text=text, external_id="a", author=Author(id="wm-li"), **facts)
    heard = (Heard(message=message, received_at=AT),)
    conversation = Conversation(reference="ALE", opened_at=AT, messages=heard)
    return derive(conversation, Facts(channel="chat", connector="wechat_kf"), compose(rules))


def rule(
    value: str, words: str, *, field: str = "category", id_: str = "own", more: str = "", language: str = "zh"
) -> str:
    keys = {"id": id_, "field": field, "value": value}
    told = "".join(f'{key} = "{word}"\n' for key, word in keys.items())
    return f'language = "{language}"\n[[rule]]\n{told}words = ["{words}"]\n{more}\n'


def test_without_files_the_packaged_rules_are_used_as_they_are() -> None:
    assert compose(own()) is load()


def test_an_own_rule_goes_before_heavier_packaged_ones() -> None:
    found = record(LAMP, own(rule("service.process", "跳闸", more="weight = 0.1")))

    assert found.category == "service.process"
    assert found.provenance["category"].source == "rule:zh.own"
    assert found.provenance["category"].score == 1
    assert [one.words for one in found.provenance["category"].evidence] == ["跳闸"]


def test_an_own_rule_that_only_weighs_does_not() -> None:
    assert record(LAMP, own(rule("service.process", "跳闸", more="weight = 0.1\ndecides = false"))).category == (
        record(LAMP).category
    )


def test_negated_words_are_not_said() -> None:
    assert (
        record("没有跳闸，但是灯罩碎了，要求退款", own(rule("service.process", "跳闸"))).category != "service.process"
    )


def test_traditional_and_capital_words_are_read_as_customers_write_them() -> None:
    rules = own(rule("service.process", "跳閘"), rule("policy.warranty", "CarePlus", id_="plan", language="en"))

    assert record("檯燈一開就跳閘，要求退款", rules).category == "service.process"
    assert (
        record("My careplus was refused, the lamp is broken and I want a refund.", rules).category == "policy.warranty"
    )


@pytest.mark.parametrize(
    ("nature", "text", "facts"),
    [
        ("complaint", "您有一条新的平台投诉待处理", {"is_automatic": True}),
        ("spam", "跳闸了，质量太差，代办发票加微信，要求退款", {}),
        ("complaint", "很好，五星，就是平台投诉", {"rating": Rating(value=5, best=5), "visibility": Visibility.PUBLIC}),
    ],
)
def test_an_own_nature_goes_before_ratings_and_headers(nature: str, text: str, facts: dict[str, Any]) -> None:
    words = {"complaint": "平台投诉", "spam": "代办发票"}[nature]

    found = record(text, own(rule(nature, words, field="nature")), **facts)

    assert found.nature == nature
    assert found.provenance["nature"].source == "rule:zh.own"


def test_priorities_the_most_urgent_own_one_stands_and_lowers_too() -> None:
    lower = rule("P4", "跳闸", field="priority", id_="low")
    both = lower + '[[rule]]\nid = "up"\nfield = "priority"\nvalue = "P1"\nwords = ["医院"]\n'
    burning = "台灯冒烟着火，跳闸了，要求退款"

    assert record(burning).priority == "P1"
    assert record(burning, own(lower)).priority == "P4"
    assert record(f"{burning}，人在医院", own(both)).priority == "P1"


def test_a_categorys_priority_is_the_least_it_has() -> None:
    rules = own(rule("product.design", "跳闸", more='priority = "P2"'))

    assert record("台灯跳闸，要求退款", rules).priority == "P2"
    assert record("台灯着火跳闸，要求退款", rules).priority == "P1"


def test_expectations_are_added_and_none_silences() -> None:
    assert record(LAMP, own(rule("apology", "跳闸", field="expectation"))).expectation == ("apology", "refund")
    assert record(LAMP, own(rule("none", "跳闸", field="expectation"))).expectation == ("none",)


def test_a_packaged_rule_is_replaced_extended_and_switched_off() -> None:
    delayed = "快递三天没到，要求退款"
    ids = [one for one in load().packs[0].rules if one.field == "category" and one.value == "logistics.delay"]
    off = 'language = "zh"\noff = [' + ", ".join(f'"{one.id.partition(".")[2]}"' for one in ids) + "]\n"
    extended = 'language = "zh"\n[[extend]]\nid = "logistics.delay"\nwords = ["没影儿"]\n'
    replaced = rule("logistics.loss", "三天没到", id_="logistics.delay")

    assert record(delayed).category == "logistics.delay"
    assert record(delayed, own(off)).category != "logistics.delay"
    assert record("包裹没影儿了，要求退款", own(extended)).category == "logistics.delay"
    assert record(delayed, own(replaced)).category == "logistics.loss"
    states = {one.name: one.state for one in inventory(own(extended, 'off = ["en.logistics.delay"]'))}
    assert (states["zh.logistics.delay"], states["en.logistics.delay"]) == ("extended", "off")


def test_own_shapes_take_their_words_first() -> None:
    shape = '[[shape]]\nkind = "order"\nname = "ours"\npattern = \'lm-\\d{6}\'\n'
    decoy = '[[shape]]\nkind = ""\nname = "batch"\npattern = \'(?:订单)?lm-\\d{6}\'\n'

    assert record(LAMP, own(shape)).entities.order == ("LM-204518",)
    assert record(LAMP, own(shape)).provenance["entities.order"].source == "shape:order.ours"
    assert record(LAMP, own(decoy)).entities.order == ()
    assert record("客户电话是 10086", own('off = ["shape:phone.called"]')).entities.phone == ()


def test_the_record_names_the_version_of_its_rules() -> None:
    rules = own(rule("service.process", "跳闸"))

    assert record(LAMP).provenance["rules"].source == f"rules:{version_of(())}"
    assert record(LAMP, rules).provenance["rules"].source == f"rules:{compose(rules).version}"
    assert compose(rules).version != version_of(())
    assert record(LAMP, rules) == record(LAMP, own(rule("service.process", "跳闸")))


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        ("language = ", ("",), "not valid TOML"),
        (rule("x", "a", language="fr"), ("language",), '"zh" or "en"'),
        ('language = "zh"\ncolour = 1', ("colour",), "'colour'"),
        (rule("service.proces", "a"), ("rule", "0", "value"), "'service.proces'"),
        (rule("P1", "a", field="urgency"), ("rule", "0", "field"), "'urgency'"),
        (rule("P1", "a", field="priority", more="wieght = 2"), ("rule", "0", "wieght"), "'wieght'"),
        (rule("P1", "a", field="priority", more="weight = -1"), ("rule", "0", "weight"), "a number"),
        (rule("P1", "a", field="priority", more="decides = 'yes'"), ("rule", "0", "decides"), "true or false"),
        (rule("P1", "", field="priority"), ("rule", "0", "words"), "empty word"),
        (rule("P1", "a", field="priority", more="patterns = ['ok', '(']"), ("rule", "0", "patterns", "1"), "regular"),
        (rule("P1", "a", field="priority", more="patterns = ['x*']"), ("rule", "0", "patterns", "0"), "nothing at all"),
        (rule("P1", "a", field="priority", more="patterns = ['退貨']"), ("rule", "0", "patterns", "0"), "'货'"),
        (rule("P1", "a", field="priority", more="patterns = ['x{20000}']"), ("rule", "0", "patterns", "0"), "10000"),
        (
            rule("P1", "a", field="priority") + rule("P2", "b", field="priority").partition("\n")[2],
            ("rule", "1"),
            "already",
        ),
        ("[[shape]]\nkind = 'ordr'\nname = 'a'\npattern = 'x'", ("shape", "0", "kind"), "'ordr'"),
        ("[[shape]]\nkind = 'order'\nname = 'a'", ("shape", "0", "pattern"), "either"),
        ("[[shape]]\nkind = 'order'\nname = 'a'\npattern = 'LM'", ("shape", "0", "pattern"), "cased = true"),
        ("off = 'x'", ("off",), "a list of strings"),
        ("rule = 3", ("rule",), "[[rule]]"),
        ('language = "zh"\nnegation = "("', ("negation",), "regular"),
    ],
)
def test_what_is_wrong_is_named_in_both_languages(text: str, path: tuple[str, ...], says: str) -> None:
    faults = faults_in(own(text))

    assert path in [fault.path for fault in faults]
    told = next(fault for fault in faults if fault.path == path)
    assert says in told.say("en")
    assert told.say("zh") != told.say("en")
    with pytest.raises(OwnRuleError):
        compose(own(text))


def test_every_fault_of_every_file_is_found_at_once() -> None:
    faults = faults_in(own(rule("x", "a") + "colour = 1\n", rule("P9", "a", field="priority", id_="b"), "x ="))

    assert [(fault.file, fault.code) for fault in faults] == [
        ("0.toml", "unknown_key"),
        ("1.toml", "bad_value"),
        ("2.toml", "syntax"),
    ]


def test_a_name_is_given_once_over_all_files() -> None:
    (fault,) = faults_in(own(rule("service.process", "a"), rule("service.process", "b")))

    assert (fault.file, fault.rule) == ("1.toml", "zh.own")
    assert "0.toml" in fault.say("en")


def test_what_names_no_rule_of_ours_is_remarked_and_stops_nothing() -> None:
    text = 'language = "zh"\noff = ["logistics.dela"]\n[[extend]]\nid = "gone"\nwords = ["x"]\n'

    remarks = remarks_on(own(text))

    assert [remark.path for remark in remarks] == [("off", "0"), ("extend", "0")]
    assert "did you mean 'zh.logistics.delay'" in remarks[0].say("en")
    assert record(LAMP, own(text)).category == record(LAMP).category


def test_only_the_changed_language_is_built_again() -> None:
    assert compose(own(rule("service.process", "跳闸"))).packs[1] is load().packs[1]
    assert all(isinstance(one.rule, Rule) or one.name.startswith("shape:") for one in inventory(own()))
