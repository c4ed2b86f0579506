"""No rule, no shape and nothing of the model outgrows its text, however the text is made.

Process time is measured, since others may be using the machine.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from re import _parser  # type: ignore[attr-defined]  # the one parser that reads exactly what `re` does
from typing import Any

import pytest

from allears_sdk.complaint import Complaint
from allears_sdk.message import Message
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive
from normalizer.fields.entities import entities_of
from normalizer.fields.reading import Passage, Reading
from normalizer.fields.signals import weigh
from normalizer.fields.title import title_of
from normalizer.model import Opinion, measures
from normalizer.model import load as load_model
from normalizer.rules import load
from normalizer.rules.ordeal import slowness
from normalizer.rules.pack import LANGUAGES, packaged
from normalizer.rules.shapes import load_shapes
from normalizer.trim import new_text

AT = datetime(2024, 6, 1, tzinfo=UTC)
FACTS = Facts(channel="shop", connector="form")
MEGABYTE = 1_000_000
SECONDS = 2.0
"""Generous: a megabyte takes about a tenth of it."""
CHARACTERS = 40_000
TELLING_SECONDS = 0.03
"""Below it the clock says nothing about how the work grows."""
UNITS = (
    *("a", "1", "订", "王", "不", "(", "\n", "\t", " ", "*", "-", ".", "\u3000", "é", "İ", "😡", "\ud800", "\x00"),
    *("订单号", "不是", "没有", "但是", "but ", "not ", "退款不退款", "坏了，", "電話：", "一二三", "块", "Tom "),
    *("1 ", "- ", "> ", "1,", "#1", "A1-", "A.", "a@", "@a ", "+86 ", "+1 (", "1-800-", "￥1", "SF", "1Z", "http://"),
    *(
        "Mr. ",
        "my new ",
        "型号：A",
        "name: ",
        "order ",
        "order #",
        "The ",
        "Dear ",
        "thanks, ",
        "late ",
        "王经理",
        "vx",
    ),
    *("客服：", "客服：您好\n客户：坏了\n", "在 写道：\n", "On Mon, A wrote:\n", "-- \n", "Best\n", "订单1234567890 "),
)


def text_of(unit: str, length: int) -> str:
    return (unit * (length // len(unit) + 1))[:length]


def derived(*texts: str, subject: str = "") -> Complaint:
    heard = [
        Heard(message=Message(text=text, subject="" if number else subject, external_id=f"m{number}"), received_at=AT)
        for number, text in enumerate(texts)
    ]
    return derive(Conversation(reference="ALE-0000", opened_at=AT, messages=tuple(heard)), FACTS)


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def reading_of(text: str) -> Reading:
    return Reading((Passage("a", text, 0),))


def opine(text: str) -> None:
    model, reading = load_model(), reading_of(text)
    if model is None:
        pytest.skip("no model is packaged")
    opinion = Opinion(model, reading, measures(weigh(reading, load()), {}, public=False))
    assert opinion.probabilities("nature")
    opinion.words("nature", "complaint", 5)


STEPS: dict[str, Callable[[str], object]] = {
    "rules": lambda text: weigh(reading_of(text), load()),
    "shapes": lambda text: entities_of(reading_of(text), reading_of(text), load_shapes()),
    "model": opine,
    "trimming": lambda text: new_text(Message(text=text)),
    "title": lambda text: title_of(text, text),
    "many messages": lambda text: derived(*(text[at : at + 100] for at in range(0, len(text), 100))),
}


@pytest.mark.parametrize("step", STEPS)
def test_twice_the_text_is_no_more_than_three_times_the_work(step: str) -> None:
    """Of as much text as is given, also where `derive` would have read its beginning only."""
    work = STEPS[step]
    work("warm up 坏了")

    assert [unit for unit in UNITS if outgrows(work, unit)] == []


def outgrows(work: Callable[[str], object], unit: str) -> bool:
    """Asked again where it seems so: the machine may have been busy."""
    once, twice = text_of(unit, CHARACTERS), text_of(unit, 2 * CHARACTERS)
    long = seconds(lambda: work(twice))
    for _ in range(3):
        if long < TELLING_SECONDS or long < 3 * seconds(lambda: work(once)):
            return False
        long = min(long, seconds(lambda: work(twice)))
    return True


def test_work_that_grows_with_the_square_is_noticed() -> None:
    assert outgrows(lambda text: [hash(text[at:]) for at in range(0, len(text), 8)], "a")


@pytest.mark.parametrize("unit", UNITS, ids=ascii)
def test_a_megabyte_of_anything_takes_no_time(unit: str) -> None:
    text = text_of(unit, MEGABYTE)
    derived("warm up 坏了")
    found = list[Complaint]()

    assert seconds(lambda: found.append(derived(text))) < SECONDS
    assert len(found[0].description) <= 20_000
    assert "nature" in found[0].provenance


@pytest.mark.parametrize("unit", ["Re: ", "订", "1", "[#1] ", "\t"], ids=ascii)
def test_a_megabyte_in_the_subject_takes_no_time(unit: str) -> None:
    subject = text_of(unit, MEGABYTE)

    assert seconds(lambda: derived("坏了", subject=subject)) < SECONDS


def patterns() -> Iterator[tuple[str, str]]:
    for language in LANGUAGES:
        data = packaged(language)
        yield from ((f"{language}.{row['id']}", one) for row in data["rule"] for one in row.get("patterns", ()))
        above = ("negation", "contrast", "firm", "reported")
        yield from ((f"{language}: {key}", data[key]) for key in above if key in data)
    for shape in (*load_shapes().everywhere, *load_shapes().signature):
        yield from ((f"{shape.kind}.{shape.name}", way.pattern.pattern) for way in shape.ways)


def repeats_without_bound(parsed: Any) -> bool:
    """Anywhere in a pattern, what it looks ahead for included."""
    if isinstance(parsed, _parser.SubPattern | list | tuple):
        is_repeat = isinstance(parsed, tuple) and len(parsed) == 2 and str(parsed[0]).endswith("_REPEAT")
        if is_repeat and parsed[1][1] == _parser.MAXREPEAT:
            return True
        return any(map(repeats_without_bound, parsed))
    return False


def test_what_counts_as_a_repetition_without_bound() -> None:
    assert repeats_without_bound(_parser.parse("a(?=b|(?:cd*)x)", 0))
    assert not repeats_without_bound(_parser.parse("a{0,40}b?(?=c{2,9})", 0))


def test_no_packaged_pattern_works_more_than_in_proportion() -> None:
    """What is repeated so many times at most takes so much at every place; only the others can outgrow their text."""
    unbounded = [(name, one) for name, one in patterns() if repeats_without_bound(_parser.parse(one, re.MULTILINE))]

    slow = {name: found for name, one in unbounded if (found := slowness(one, re.MULTILINE)) is not None}

    assert {name: found.sample for name, found in slow.items() if found.is_super_linear} == {}
