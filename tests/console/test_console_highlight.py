"""Evidence is marked on the exact words, whatever the script, and masking moves no mark."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allears.console.highlight import Mark, cut
from allears.console.veil import veil_text, veil_tree, veil_word


def mark(text: str, words: str, field: str) -> Mark:
    start = text.index(words)
    return Mark(field=field, start=start, end=start + len(words), anchor=f"{field}-0")


def shown(text: str, *marks: Mark) -> list[tuple[str, tuple[str, ...]]]:
    return [(segment.text, segment.fields) for segment in cut(text, marks)]


def test_words_without_marks_are_one_segment() -> None:
    assert shown("一切都好") == [("一切都好", ())]
    assert cut("", [Mark(field="priority", start=0, end=1)]) == []


def test_chinese_after_emoji_is_counted_in_characters() -> None:
    text = "😡😡 插头都烧黑了，我要退款👍"
    assert shown(text, mark(text, "烧黑", "category"), mark(text, "退款", "expectation")) == [
        ("😡😡 插头都", ()),
        ("烧黑", ("category",)),
        ("了，我要", ()),
        ("退款", ("expectation",)),
        ("👍", ()),
    ]


def test_overlapping_marks_share_what_they_have_in_common() -> None:
    text = "I want a full refund now"
    marks = mark(text, "full refund", "expectation"), mark(text, "refund now", "priority")
    assert shown(text, *marks) == [
        ("I want a ", ()),
        ("full ", ("expectation",)),
        ("refund", ("expectation", "priority")),
        (" now", ("priority",)),
    ]


def test_nested_and_equal_marks_begin_where_they_begin() -> None:
    text = "差点着火了"
    whole, part = mark(text, "差点着火", "priority"), mark(text, "着火", "category")
    segments = cut(text, [part, whole, mark(text, "着火", "nature")])
    assert [(one.text, one.fields, one.anchors) for one in segments] == [
        ("差点", ("priority",), ("priority-0",)),
        ("着火", ("priority", "category", "nature"), ("category-0", "nature-0")),
        ("了", (), ()),
    ]


@pytest.mark.parametrize(("start", "end"), [(-1, -1), (3, 3), (4, 2), (0, 99), (-2, 2)])
def test_marks_outside_the_text_are_left_out(start: int, end: int) -> None:
    assert shown("short", Mark(field="category", start=start, end=end)) == [("short", ())]


@given(st.text(max_size=40), st.lists(st.tuples(st.integers(-2, 45), st.integers(-2, 45)), max_size=8))
def test_segments_put_together_are_the_text(text: str, spans: list[tuple[int, int]]) -> None:
    marks = [Mark(field=f"f{index}", start=start, end=end) for index, (start, end) in enumerate(spans)]
    segments = cut(text, marks)
    assert "".join(segment.text for segment in segments) == text
    for one in marks:
        if 0 <= one.start < one.end <= len(text):
            marked = "".join(segment.text for segment in segments if one.field in segment.fields)
            assert marked == text[one.start : one.end]


def test_masking_a_text_keeps_every_mark_on_its_words() -> None:
    text = "我的电话是13812348000，邮箱 li.lei@mail.example。冰箱不制冷，请退款😡"
    veiled = veil_text(text)
    assert veiled.text == "我的电话是138****8000，邮箱 l***@mail.example。冰箱不制冷，请退款😡"
    for words, expected in {
        "13812348000": "138****8000",
        "li.lei@mail.example": "l***@mail.example",
        "不制冷": "不制冷",
        "退款😡": "退款😡",
        "电话": "电话",
    }.items():
        start = text.index(words)
        begin, end = veiled.place(start, start + len(words))
        assert veiled.text[begin:end] == expected


def test_a_mark_that_ends_inside_a_number_shows_the_masked_number_and_no_more() -> None:
    text = "拨打13812348000转2"
    veiled = veil_text(text)
    begin, end = veiled.place(2, 8)
    assert veiled.text[begin:end] == "138****"


def test_words_known_to_be_contacts_are_masked_where_no_pattern_would() -> None:
    veiled = veil_text("加我微信 xiaoli_w88 谢谢", {"xiaoli_w88"})
    assert veiled.text == "加我微信 xia****w88 谢谢"


@pytest.mark.parametrize(
    ("word", "masked"),
    [("", ""), ("13812348000", "138****8000"), ("85212345678", "852****678"), ("ab", "****"), ("wxid_9", "wx****_9")],
)
def test_a_contact_is_masked_whatever_it_looks_like(word: str, masked: str) -> None:
    assert veil_word(word) == masked


@given(st.text(alphabet="甲乙1380+ @.-，。\nabc", max_size=60))
def test_places_never_leave_the_masked_text(text: str) -> None:
    veiled = veil_text(text)
    for start in range(len(text)):
        begin, end = veiled.place(start, start + 1)
        assert 0 <= begin <= end <= len(veiled.text)


def test_json_is_masked_but_its_ids_are_not() -> None:
    tree = {
        "contact": {"phone": "021-55512345", "wechat": "wxid_12345"},
        "conversation": [{"id": "<a1@mail.example>", "text": "写信到 li.lei@mail.example"}],
    }
    assert veil_tree(tree) == {
        "contact": {"phone": "021-****2345", "wechat": "wxi****345"},
        "conversation": [{"id": "<a1@mail.example>", "text": "写信到 l***@mail.example"}],
    }
