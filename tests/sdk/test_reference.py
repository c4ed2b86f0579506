from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allears_sdk.reference import (
    ALPHABET,
    event_id,
    find_references,
    is_own_mail_id,
    is_reference,
    mail_id,
    normalise,
    reference,
    seed,
    ticket_key,
)

SHAPE = re.compile(rf"ALE(-[{ALPHABET}]{{4}}){{3}}")
KNOWN = reference(seed("support-mail", "<17@mail.example.cn>", "lilei@mail.example.cn"))


@given(st.lists(st.text()))
def test_same_words_same_reference_and_always_well_formed(parts: list[str]) -> None:
    made = reference(seed(*parts))
    assert made == reference(seed(*parts))
    assert SHAPE.fullmatch(made)
    assert is_reference(made)


def test_boundaries_between_parts_count() -> None:
    assert seed("ab", "c") != seed("a", "bc") != seed("abc")
    assert seed("退款", "") != seed("退款")


def test_a_reference_given_away_today_is_the_same_for_ever() -> None:
    assert reference(bytes(range(32))) == "ALE-000G-40R4-0M34"
    assert reference(bytes(7)) == "ALE-0000-0000-0000"


def test_another_attempt_gives_another_reference() -> None:
    made = {reference(seed("x"), attempt) for attempt in range(100)}
    assert len(made) == 100


@given(st.binary(min_size=7, max_size=32), st.integers(0, 11), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_noticed(digest: bytes, place: int, letter: str) -> None:
    letters = list(reference(digest)[4:].replace("-", ""))
    if letters[place] == letter:
        return
    letters[place] = letter
    assert normalise("ALE" + "".join(letters)) == ""


@given(st.binary(min_size=7, max_size=32), st.integers(0, 11), st.integers(0, 11))
def test_two_swapped_characters_are_noticed(digest: bytes, one: int, other: int) -> None:
    letters = list(reference(digest)[4:].replace("-", ""))
    if letters[one] == letters[other]:
        return
    letters[one], letters[other] = letters[other], letters[one]
    assert normalise("ALE" + "".join(letters)) == ""


@given(st.binary(min_size=7, max_size=32))
def test_any_spelling_is_read(digest: bytes) -> None:
    made = reference(digest)
    misread = made[4:].replace("0", "O").replace("1", "l")
    for typed in (made, made.lower(), made.replace("-", ""), f"  {made}\n", f"ale{misread}"):
        assert normalise(typed) == made
    assert is_reference(made.lower()) is False


@pytest.mark.parametrize(
    "text", ["", "ALE", "ALE-1", "ALE-UUUU-UUUU-UUUU", f"X{KNOWN}", f"{KNOWN}7", "ALE-工单工单-0000-0000"]
)
def test_what_cannot_be_one(text: str) -> None:
    assert normalise(text) == ""


def test_references_are_found_in_text() -> None:
    other = reference(seed("other"))
    text = f"关于[{KNOWN}]，还有{other.lower()}和{KNOWN.replace('-', '')}。不是 ALE-0000-0000-0001，也不是X{other}"
    assert find_references(text) == (KNOWN, other)


@pytest.mark.parametrize(
    "typed",
    [
        KNOWN.lower(), KNOWN.replace("-", ""), KNOWN.replace("-", " "), KNOWN.replace("-", "–"), KNOWN.title(),
        KNOWN.replace("-", "－"), KNOWN.replace("0", "O").replace("1", "I"),
        "".join(chr(ord(letter) + 0xFEE0) for letter in KNOWN), KNOWN.replace("-", "_").lower(),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "around", ["{}", "Re: [{}] 退款", "编号：{}，还没解决", "> 受理编号 {}\n> 谢谢", "my number is {}."]
)
def test_references_are_found_as_people_type_them(typed: str, around: str) -> None:
    assert find_references(around.format(typed)) == (KNOWN,)


@pytest.mark.parametrize("text", ["the sale of males", "ale", "ALE-", "wholesale 2024 2025 2026", "female " * 500])
def test_words_that_hold_its_letters_are_none(text: str) -> None:
    assert find_references(text) == ()


def test_our_own_mails_are_known_by_their_id() -> None:
    made = mail_id(KNOWN, "shop.cn")
    assert made == mail_id(KNOWN, "shop.cn") != mail_id(KNOWN, "shop.cn", "note")
    assert find_references(f"<{made}>") == (KNOWN,)
    assert is_own_mail_id(made)
    assert is_own_mail_id(mail_id(KNOWN, ""))
    assert not is_own_mail_id("CAFk3ALEx-7K3M-Q9TX@mail.gmail.com")


def test_keys_of_tickets_and_events() -> None:
    keys = {ticket_key(KNOWN, destination, successor) for destination in ("crm", "工单", "") for successor in (0, 1)}
    assert len(keys) == 6
    assert all(re.fullmatch(r"[A-Z0-9-]+", key) and key.startswith(KNOWN) for key in keys)
    assert event_id(KNOWN, "m1") != event_id(KNOWN, "m2")
    assert "." not in event_id(KNOWN, "a.b")
