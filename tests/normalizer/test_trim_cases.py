"""Replies in the shapes of the world's mail programs, written for this purpose in two halves: rules are developed on
one, and the other only tells how they do on what they were not made for.

A file of `trim_cases/` holds mails under `⟦name⟧`; the lines marked `▸` are what the author newly said. Characters
that editors do not show are spelled as in `_INVISIBLE`. `html.txt` holds `⟦name⟧ what was said, lines apart by " / "`
and on the next line the mail's HTML.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from normalizer.readers.html import to_text
from normalizer.trim import trim_reply

FOLDER = Path(__file__).parent / "trim_cases"
HELD_OUT_FLOOR = 0.95
_INVISIBLE = {"⇥": "\t", "␣": "\u00a0", "␠": " ", "◂": "\u200f", "◃": "\u202b", "◅": "\u202c"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    name: str
    text: str
    said: str


def read_cases(half: str) -> list[Case]:
    text = (FOLDER / f"{half}.txt").read_text(encoding="utf-8")
    for spelled, meant in _INVISIBLE.items():
        text = text.replace(spelled, meant)
    return [_read_case(block) for block in re.split(r"(?m)^⟦", text)[1:]]


def _read_case(block: str) -> Case:
    name, _, body = block.partition("⟧\n")
    lines = body.removesuffix("\n").split("\n")
    said = [line[1:] for line in lines if line.startswith("▸")]
    return Case(name=name, text="\n".join(line.removeprefix("▸") for line in lines), said="\n".join(said))


def without_space(text: str) -> str:
    return "".join(text.split())


def is_exact(case: Case) -> bool:
    return without_space(trim_reply(case.text)) == without_space(case.said)


@pytest.mark.parametrize("case", read_cases("develop"), ids=lambda case: case.name)
def test_only_what_is_new_stays(case: Case) -> None:
    said = [line.strip() for line in trim_reply(case.text).splitlines() if line.strip()]
    assert said == [line.strip() for line in case.said.splitlines() if line.strip()]


@pytest.mark.parametrize("case", read_cases("develop"), ids=lambda case: case.name)
def test_line_ends_of_windows_change_nothing(case: Case) -> None:
    assert trim_reply(case.text.replace("\n", "\r\n")) == trim_reply(case.text)


def test_what_the_rules_were_not_made_for() -> None:
    cases = read_cases("heldout")
    missed = [case.name for case in cases if not is_exact(case)]
    assert 1 - len(missed) / len(cases) >= HELD_OUT_FLOOR, missed


@pytest.mark.parametrize("half", ["develop", "heldout"])
def test_what_is_trimmed_stays_trimmed(half: str) -> None:
    changed = [case.name for case in read_cases(half) if trim_reply(trimmed := trim_reply(case.text)) != trimmed]
    assert not changed


def read_html() -> list[Case]:
    text = (FOLDER / "html.txt").read_text(encoding="utf-8")
    heads = (block.partition("\n") for block in re.split(r"(?m)^⟦", text)[1:])
    return [
        Case(name=head.partition("⟧")[0], said=head.partition("⟧ ")[2].replace(" / ", "\n"), text=to_text(body))
        for head, _, body in heads
    ]


@pytest.mark.parametrize("case", read_html(), ids=lambda case: case.name)
def test_html_is_trimmed_like_text(case: Case) -> None:
    assert is_exact(case)
