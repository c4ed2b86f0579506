"""What all ticket stores share: constants beside mapped facts, files that cannot be taken, lists in answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.complaint import AttachedFile, EventKind
from allears_sdk.errors import ConfigError, Rejected
from allears_sdk.testing import make_event
from allears_sdk.testing.context import RecordingLog
from allears_sdk.tickets import (
    Limits,
    TextSettings,
    TicketSettings,
    View,
    check_choices,
    check_fields,
    upload_each,
    with_lines,
)
from allears_sdk.tickets.view import make_view


def view(settings: TextSettings, kind: EventKind = EventKind.OPENED, **changed: Any) -> View:
    event = make_event()
    event = replace(event, kind=kind, record=replace(event.record, **changed))
    return make_view(event, "ALE-1-AB12CD", settings, Limits(), {}, no_link)


def no_link(complaint: str, file: AttachedFile, within: timedelta) -> str:
    return ""


def settings(**given: Any) -> TicketSettings:
    return TicketSettings.model_validate({"sink": "any", **given})


def test_constants_are_in_openings_and_a_mapped_fact_goes_before_them() -> None:
    given = settings(constants={"team": "客服一组", "line": "?", "vip": True}, fields={"product_line": "line"})
    said = view(given, product_line="Phones")
    assert said.fields == {"team": "客服一组", "vip": True, "line": "Phones"}
    assert said.mapped == {"line": "Phones"}
    silent = view(given, product_line="")
    assert silent.fields == {"team": "客服一组", "vip": True, "line": "?"}
    assert silent.constants == {"team", "vip", "line"}
    later = view(given, EventKind.EDITED, product_line="")
    assert later.fields == {"line": ""}


def test_a_store_of_texts_has_no_fields() -> None:
    made = view(TextSettings(sink="any"))
    assert (made.fields, made.is_public) == ({}, False)


@pytest.mark.parametrize("value", [["a"], {"id": 1}, None])
def test_constants_are_plain_unless_the_store_takes_json(value: object) -> None:
    with pytest.raises(ValidationError, match="a text, a number"):
        settings(constants={"team": value})


def test_constants_are_fields_of_the_store() -> None:
    with pytest.raises(ConfigError, match=r'constants\.tem: the store has no such field; did you mean "team"'):
        check_fields(settings(constants={"tem": "x"}, fields={"team": "line"}), ["team", "line"])


def test_values_are_among_the_choices_of_the_field_they_go_to() -> None:
    given = settings(fields={"category": "kind"}, values={"category": {"*": "other"}})
    check_choices(given, {"P1": "high"}, "urgency", {"kind": ["other"], "urgency": ["high"]})
    with pytest.raises(ConfigError, match=r'values\.category: the store knows no "other"; it has: refund'):
        check_choices(given, {}, "urgency", {"kind": ["refund"]})
    with pytest.raises(ConfigError, match=r'values\.priority: the store knows no "high"'):
        check_choices(given, {"P1": "high"}, "urgency", {"urgency": [1, 2]})


async def test_a_file_that_is_refused_is_named_and_keeps_no_other_back() -> None:
    good, bad = (
        AttachedFile(name=name, media_type="image/png", size=1, sha256=name * 4) for name in ("好.png", "坏.png")
    )
    log = RecordingLog()

    async def upload(file: AttachedFile) -> int:
        if file is bad:
            raise Rejected("the bytes are gone")
        return 7

    assert await upload_each([bad, good], upload, log) == ([7], ["⚠ 坏.png: the bytes are gone"])
    assert [name for _, name, _ in log.entries] == ["file_refused"]


def test_lines_go_before_the_marks() -> None:
    assert with_lines("said\n\nmore\n\n[ALE-1]", ["⚠ a", "⚠ b"]) == "said\n\nmore\n⚠ a\n⚠ b\n\n[ALE-1]"
    assert with_lines("said<br><br>[ALE-1]", ["⚠ a"], "<br>") == "said<br>⚠ a<br><br>[ALE-1]"
    assert with_lines("no marks", ["⚠ a"]) == "no marks\n⚠ a"
    assert with_lines("said\n\n[ALE-1]", []) == "said\n\n[ALE-1]"


def told_with(*messages: str, sequence: int, attached: dict[str, str], before: dict[str, str] | None = None) -> View:
    """An event of these of the messages m0 to m2, and what is attached (content: message)."""
    event = make_event(sequence)
    said = tuple(replace(event.record.conversation[0], id=f"m{number}") for number in range(3))
    record = replace(event.record, conversation=said, attachments=_attached(attached))
    changes = {} if before is None else {"attachments": (_attached(before), record.attachments)}
    event = replace(event, record=record, messages=messages, changes=changes)
    return make_view(event, "ALE-1-AB12CD", settings(), Limits(), {}, no_link)


def _attached(files: dict[str, str]) -> tuple[AttachedFile, ...]:
    return tuple(
        AttachedFile(name=name, media_type="image/jpeg", size=3, sha256=name, message=message, pending=not name)
        for name, message in files.items()
    )


@pytest.mark.parametrize(
    ("messages", "more", "files"),
    [
        (("m0",), {"sequence": 1}, ["a"]),
        (("m1",), {"sequence": 2, "before": {"a": "m0"}}, []),
        (("m2",), {"sequence": 3}, ["b", "c"]),
        (("m1",), {"sequence": 2, "before": {"a": "m0", "": "m2"}}, ["b", "c"]),
        (("m0", "m1", "m2"), {"sequence": 1}, ["a", "b", "c"]),
        ((), {"sequence": 4, "before": {"a": "m0", "": "m2"}}, ["b", "c"]),
    ],
    ids=["opening", "between", "their own", "told before, came late", "one event", "came late alone"],
)
def test_a_file_comes_once_though_the_record_knows_it_before_its_message_is_told(
    messages: tuple[str, ...], more: dict[str, Any], files: list[str]
) -> None:
    """Several messages that waited are told one by one, each with the record of all."""
    made = told_with(*messages, attached={"a": "m0", "b": "m2", "c": "m2"}, **more)
    assert [file.name for file in made.files] == files
