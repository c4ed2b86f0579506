"""Patterns whose work outgrows their text are found out, whatever their build, and soon; others are let through."""

from __future__ import annotations

import re

import pytest

from normalizer.rules.ordeal import CHARACTERS, slowness


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",
        "(a|a)*b",
        "(a|aa)+c",
        "(x+x+)+y",
        r"(?:\w+\s?)+!",
        r"([a-z]+)*1",
        r"^(([a-z])+.)+[A-Z]([a-z])+$",
        "(?:中|中文)*国",
        "(?:.{0,500}){1,500}x",
    ],
)
def test_patterns_that_explode(pattern: str) -> None:
    found = slowness(pattern)

    assert found is not None
    assert found.is_super_linear
    assert found.sample


@pytest.mark.parametrize(
    "pattern", ["退.*款", "退[^款]*款", r"\d+\d+x", r"[a-z0-9]+[0-9a-f]+z", r"\s+$", "(.+?),(.+?);", r"(\d{1,3},)+x"]
)
def test_patterns_that_are_quadratic(pattern: str) -> None:
    assert slowness(pattern) is not None


@pytest.mark.parametrize(
    "pattern",
    [
        "跳闸",
        r"lm-\d{6}",
        r"(?:投诉|退款)[^。\n]{0,25}(?:骗|假)",
        "订单.{0,200}取消",
        "a{0,20}b",
        r"(?<![a-z0-9])([a-z]{2}\d{9}[a-z]{2})(?![a-z0-9])",
        r"(?:一|二|三|四|五|\d{1,4})(?:天|小时)[^,，。\n]{0,6}(?:才|没)到",
    ],
)
def test_patterns_in_proportion(pattern: str) -> None:
    assert slowness(pattern, re.MULTILINE) is None


def test_a_busy_clock_is_asked_again() -> None:
    """Once a second is lost to somebody else: the pattern is not to blame."""
    ticks = iter([0.0, 1.0, *[1.0] * 100_000])

    assert slowness("跳闸", clock=lambda: next(ticks)) is None


def test_as_much_is_tried_as_rules_read() -> None:
    from normalizer.fields.reading import READ_CHARACTERS

    assert CHARACTERS == READ_CHARACTERS
