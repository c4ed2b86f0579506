"""Finding fast finds what plain search finds: no shortcut drops a hit."""

from __future__ import annotations

import re
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normalizer.rules import load
from normalizer.rules.fold import fold
from normalizer.rules.literals import first_matches, may_match, needed
from normalizer.rules.matcher import Words
from normalizer.rules.pack import build
from normalizer.rules.shapes import load_shapes, near_digits

SAID = [
    "洗了就痒，才两天就坏了，客服态度很差",
    "质量不好，一股味，等了一个小时还没到",
    "订单号3391026174850263917 单号：78430022947316 SF1530046628917",
    "电话 138 0013 8000，(0755)8600-0123，503-555-0147，+44 7700 900456",
    "型号 CR-D450 栗鸣AF-5508 的 S2，¥1,299.50 三百块钱",
    "My parcel never arrived, order #2375 is late, lost my bag",
    "Mr. Tom Reed said: can you please help? why is my flight delayed?",
    "Thanks, Lorna\nTracking (1Z91W0680472335517) po123456",
    "I need my money back :( want my $30 back, 3 weeks later",
    "Hi Anna, Kevin from the service desk. 2-206-1184203-5529817",
    "my Galaxy S21 Ultra and the Pixel 6a, Bolt App and the Grey Owl kettle",
    "王某和李x说，我的a12，13800138000，王五",
    "没人管。赵六",
]
PACKS = load().packs
RULE = {"id": "a", "field": "category", "value": "product.function_failure"}
FAR = "很" * 100
"""Two of them put what follows out of the reach of what stands before."""
PIECES = sorted({word for line in SAID for word in re.findall(r"\w+|\W", line)})
TEXTS = st.one_of(
    st.lists(st.sampled_from([*SAID, FAR, FAR]), max_size=6).map("\n".join),
    st.lists(st.sampled_from(["1", "138 0013 8000", "(", "A", FAR, "a" * 90]), max_size=12).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
    st.text(max_size=60),
)


@settings(deadline=None)
@given(TEXTS)
def test_a_pack_finds_every_match_of_every_pattern(text: str) -> None:
    folded = fold(text)
    for pack in PACKS:
        found = {(hit.rule.id, hit.start, hit.end) for hit in pack.find(folded).hits}
        for rule in (rule for rule in pack.rules if rule.patterns):
            plain = re.compile("|".join(f"(?:{pattern})" for pattern in rule.patterns))
            missed = {(rule.id, *match.span()) for match in plain.finditer(folded)} - found
            assert not missed


@settings(deadline=None)
@given(TEXTS)
def test_a_shape_finds_what_its_pattern_finds(text: str) -> None:
    shapes = load_shapes()
    folded = fold(text)
    worthwhile = {shape.name + shape.kind: patterns for shape, patterns in shapes.worthwhile(folded)}
    digits = near_digits(text)
    lines = [match.span() for match in re.finditer("^.*$", text, re.MULTILINE)]
    for shape in (*shapes.everywhere, *shapes.signature):
        read = text if shape.cased else folded
        patterns = worthwhile.get(shape.name + shape.kind, ())
        spans = lines if shape.where == "signature" else digits if shape.is_near_digit else [(0, len(text))]
        plain = re.compile("|".join(f"(?:{way.pattern.pattern})" for way in shape.ways), re.MULTILINE)
        found = [match.span() for match in shape.find(patterns, read, spans)] if patterns else []
        if patterns or not shape.beside:
            assert found == [match.span() for match in plain.finditer(read)], shape.name
        else:
            assert not any(word in folded for word in shape.beside) or plain.search(read) is None, shape.name


@given(TEXTS, st.sets(st.sampled_from(PIECES), min_size=1, max_size=30))
def test_words_are_found_where_plain_search_finds_them(text: str, words: set[str]) -> None:
    folded, literal = fold(text), {fold(word) for word in words}
    expected = set()
    for word in literal:
        alone = re.match("[a-z0-9]", word) is not None
        before = "(?<![a-z0-9])" if alone else ""
        after = "(?![a-z0-9])" if alone and re.search("[a-z0-9]$", word) else ""
        plain = re.compile(f"(?={before}{re.escape(word)}{after})")
        expected |= {(word, match.start(), match.start() + len(word)) for match in plain.finditer(folded)}

    assert set(Words(literal).find(folded)) == expected


@pytest.mark.parametrize(
    ("pattern", "without", "within"),
    [
        ("(?:洗|用)[^,]{0,8}痒", "用了很好", "用后很痒"),
        ("给我?换(?!了)", "给我退", "给换"),
        ("(?:lost|missing) (?:my )?bags?", "my bag is here", "lost my bag"),
        (r"(?<!\d)[-+]?ab(?:c|d)+", "acd", "+abcd"),
        (r"(?:xy){2,}z?", "xz", "xyxyz"),
    ],
)
def test_what_a_pattern_needs(pattern: str, without: str, within: str) -> None:
    needs = needed(re.compile(pattern))

    assert needs
    assert may_match(needs, Words((), [one for some in needs for one in some]).scan(within).seen)
    assert not may_match(needs, Words((), [one for some in needs for one in some]).scan(without).seen)


@pytest.mark.parametrize(
    "pattern", ["坏(?=.{0,60}退)", "(?:坏(?!.{0,60}换)|坏.{0,20}修)", "坏[^,]*修", "坏$", r"坏\b", "(?<=很{40})坏"]
)
@pytest.mark.parametrize("between", ["", "很" * 40, "很" * 200])
def test_where_a_pattern_is_tried_is_wide_enough_for_what_it_looks_at(pattern: str, between: str) -> None:
    text = f"{between}坏{between}退 换坏{between}修坏"
    pack = build([{"language": "zh", "rule": [{**RULE, "patterns": [pattern]}]}])

    assert [(hit.start, hit.end) for hit in pack.find(text).hits] == [m.span() for m in re.finditer(pattern, text)]


@pytest.mark.parametrize("pattern", [r"\d{3}", "[^a]b?", "(?i)refund", "(?i:refund)", "a*", "(x)|y?", "(?:坏|.)"])
def test_nothing_is_needed_where_nothing_can_be_said(pattern: str) -> None:
    assert needed(re.compile(pattern)) == ()


@given(st.text("abc", max_size=30))
def test_matches_of_several_patterns_are_those_of_one(text: str) -> None:
    parts = ["a+b", "ab?c", "(?<=b)c+"]
    plain = [match.span() for match in re.finditer("|".join(parts), text)]

    found = [match.span() for match in first_matches([re.compile(part) for part in parts], text)]

    assert found == plain
    assert all(one[1] <= other[0] for one, other in pairwise(found))


def test_half_a_character_is_no_reason_to_fail() -> None:
    assert list(Words(["坏了", "late"]).find("\ud83d坏了 late")) == [("坏了", 1, 3), ("late", 4, 8)]


def test_no_digit_of_any_script_is_overlooked() -> None:
    digits = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isdecimal()]

    assert [digit for digit in digits if not near_digits(digit)] == []
