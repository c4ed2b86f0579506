"""Many readings joined in one step give what they give one by one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from allears.journal.conversations import opening
from allears.journal.records import Reading, Route
from allears_sdk.complaint import Complaint
from allears_sdk.message import Author, Kind, Message, Raw, Role
from allears_sdk.reference import is_reference
from tests.journal.desk import AMY, FILE, MAIL, POLICIES, PRAISE, Desk, mail, router, said

FILED = (
    "SELECT reference, related, people, subjects, version, due_at IS NULL FROM conversations ORDER BY reference",
    "SELECT n.name, c.reference FROM names n JOIN conversations c ON c.id = n.conversation_id ORDER BY 1, 2",
    "SELECT m.external_id, m.revision, m.counts, m.event_id, m.body, c.reference FROM messages m"
    " JOIN conversations c ON c.id = m.conversation_id ORDER BY 1, 2",
    "SELECT id, complaint_id, sequence, kind, body FROM events ORDER BY 1",
    "SELECT p.id, c.reference, p.title, p.priority, p.events FROM complaints p"
    " JOIN conversations c ON c.id = p.conversation_id ORDER BY 1",
    "SELECT l.complaint_id, l.destination, d.event_id, d.sequence, d.state, d.head, d.priority FROM deliveries d"
    " JOIN lines l ON l.id = d.line_id ORDER BY 1, 2, 4",
)
"""What the tables say, but for their row numbers."""

INBOX: tuple[tuple[str, str, Message, dict[str, Any]], ...] = (
    ("mail", "1", mail("1"), {}),
    ("mail", "1-again", mail("1"), {}),
    ("mail", "2", mail("2", subject="Re: 屏幕碎了", thread=("1",)), {}),
    ("mail", "3", mail("3", AMY, subject="Re: 屏幕碎了", thread=("1",)), {}),
    ("mail", "4", mail("4", subject="另一件事", thread=("1",)), {}),
    ("mail", "5", mail("5", text=PRAISE), {}),
    ("mail", "6", mail("6", subject="", participants=("help@shop.cn", AMY)), {}),
    ("mail", "7", replace(mail("7"), author=Author(id="help@shop.cn", role=Role.COMPANY)), {}),
    ("mail", "8", replace(mail("8"), is_automatic=True), {}),
    ("mail", "late", mail("late", subject="回复：丢了", thread=("parent", "root")), {}),
    ("mail", "root", mail("root", subject="丢了"), {}),
    ("review", "r-1", Message(external_id="r-1", text="很差", author=Author(id="wang")), {"digest": "1"}),
    ("review", "r-2", Message(external_id="r-2", text="着火了", author=Author(id="li")), {"thread": "post-1"}),
    ("review", "r-3", Message(external_id="r-3", text="我也是", author=Author(id="amy")), {"thread": "post-1"}),
    ("review", "r-4", said("", "li", thread="post-2"), {}),
    ("review", "r-1#2", Message(external_id="r-1", revision="9", text="还行", kind=Kind.EDITED), {}),
    ("chat", "c-1", said("在吗", thread="wm-li"), {"thread": "wm-li"}),
    ("chat", "c-2", said("屏幕碎了", thread="wm-li"), {"thread": "wm-li"}),
    ("chat", "c-3", said("hello", "amy", thread="amy"), {}),
)


async def read(folder: Path, step: int) -> list[Any]:
    """The tables after the inbox was read so many raws at a time."""
    desk = await Desk.open(folder)
    for channel, key, message, facts in INBOX:
        await desk.accept(channel, desk.raw(key, message, **facts))
    readings = [desk.reading(stored) for stored in sorted(await desk.take(), key=lambda stored: stored.id)]
    for start in range(0, len(readings), step):
        await desk.join(readings[start : start + step])
    await desk.settle()
    tables = [desk.rows(query) for query in FILED]
    await desk.close()
    return tables


@pytest.mark.parametrize("step", [2, 5, len(INBOX)])
async def test_together_is_as_one_by_one(tmp_path: Path, step: int) -> None:
    expected = await read(tmp_path / "one", 1)
    assert await read(tmp_path / "many", step) == expected
    assert all(expected), "every table is compared"


async def test_more_than_fit_in_one_statement(desk: Desk) -> None:
    count = 203
    await desk.accept(
        "mail", *[desk.raw(f"{number}", mail(f"{number}", text=f"坏了 {number}")) for number in range(count)]
    )
    await desk.read_waiting()
    due = await desk.due()
    assert len({one.event.complaint_id for one in due}) == len({one.line for one in due}) == count
    for one in due:
        (name,) = one.event.messages
        assert one.event.record.description == f"坏了 {name.partition('~')[0]}", "no row got another's facts"
        assert one.event.complaint_id == desk.reference_of("mail", name)


async def test_a_reference_that_another_seed_has_taken_is_passed_over(desk: Desk) -> None:
    taken = opening("mail", "", mail("2"), (), 0.0, MAIL)
    await desk.accept("mail", *[desk.raw(key, mail(key)) for key in "123"])
    readings = [desk.reading(stored) for stored in await desk.take()]
    await desk.join(readings[:1])
    occupy(desk, taken.reference)
    await desk.join(readings[1:])
    references = [desk.reference_of("mail", f"{key}~digest") for key in "123"]
    assert len({*references, taken.reference}) == 4
    assert all(map(is_reference, references))
    assert [len(await desk.events(reference)) for reference in references] == [1, 1, 1]


async def test_a_router_that_fails_for_one_harms_no_other(desk: Desk) -> None:
    def picky(record: Complaint) -> Route:
        if "bad" in record.description:
            raise KeyError("no team for this one")
        return router(record)

    await desk.accept("mail", *[desk.raw(key, mail(key, text=key)) for key in ("good", "bad", "fine")])
    for _ in range(3):
        readings = [desk.reading(stored) for stored in await desk.take()]
        await desk.journal.join(readings, POLICIES, picky)
    assert {one.event.record.description for one in await desk.due()} == {"good", "fine"}
    (letter,) = await desk.letters()
    assert "no team for this one" in letter.reason


async def test_teams_are_written_into_the_opening(desk: Desk) -> None:
    def sorting(record: Complaint) -> Route:
        return replace(router(record), team="logistics" if "丢" in record.description else "", assignee="")

    await desk.accept("mail", desk.raw("1", mail("1", text="快递丢了")), desk.raw("2", mail("2", text="坏了")))
    await desk.journal.join([desk.reading(stored) for stored in await desk.take()], POLICIES, sorting)
    assert {(one.event.record.team, one.event.record.handler) for one in await desk.due()} == {
        ("logistics", "logistics"),
        ("", ""),
    }


async def test_what_was_said_before_the_journal_was_born_is_looked_up_first(desk: Desk) -> None:
    old = desk.clock.now().replace(year=2020)
    await desk.accept("mail", desk.raw("old", mail("old", posted_at=old)), desk.raw("new", mail("new")))
    await desk.read_waiting()
    assert sorted((one.event.messages[0], one.state.value) for one in await desk.due()) == [
        ("new~digest", "pending"),
        ("old~digest", "doubt"),
    ]


async def test_a_raw_read_twice_in_one_step_arrives_once(desk: Desk) -> None:
    raws: list[Raw] = [desk.raw(key, mail(key)) for key in "12"]
    await desk.accept("mail", *raws)
    readings: list[Reading] = [desk.reading(stored) for stored in await desk.take()]
    await desk.join([*readings, *readings])
    await desk.join(readings)
    assert len(await desk.due()) == 2


def occupy(desk: Desk, reference: str) -> None:
    """As a seed whose first 55 bits are the same would have done."""
    with closing(sqlite3.connect(desk.folder / FILE)) as sql, sql:
        sql.execute(
            "INSERT INTO conversations (channel, reference, seed, opened_at, last_at) VALUES ('mail',?,x'00',0,0)",
            (reference,),
        )
