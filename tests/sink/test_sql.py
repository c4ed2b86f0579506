"""Tables as people find them: rows, columns of their own, troubles, and settings that cannot work."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.complaint import Complaint, Event
from allears_sdk.errors import AllearsError, AuthError, ConfigError, Rejected, Unavailable
from allears_sdk.masking import mask_payload
from allears_sdk.message import Rating
from allears_sdk.reference import event_id, event_key, ticket_key
from allears_sdk.sink import Sending, Ticket
from allears_sdk.testing import make_context
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import WORDS, make_event
from bench.servers.commit_cutter import Cut
from sink.sql import SqlSettings, SqlSink
from tests.sink.sql_places import KINDS, MysqlPlace, Place, PostgresPlace, Servers, SqlitePlace, opened, running

Make = Callable[..., Awaitable[SqlSink]]
HOSTILE = "'; DROP TABLE complaint; -- \" ` \\ %s %(x)s ? :x {0} \x00\x1b\u2028\ufeff ␀ 'it''s' NULL 𠮷"


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    yield from running()


@pytest.fixture(params=KINDS)
async def place(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> AsyncIterator[Place]:
    async for one in opened(request.param, servers, tmp_path):
        yield one


@pytest.fixture
async def make(place: Place, tmp_path: Path) -> AsyncIterator[Make]:
    """Started sinks, stopped with the test."""
    made: list[SqlSink] = []

    async def one(**settings: Any) -> SqlSink:
        made.append(SqlSink(place.settings(**settings), make_context("table", tmp_path)))
        await made[-1].start()
        return made[-1]

    yield one
    for sink in made:
        await sink.stop()


def sending(sink: SqlSink, event: Event) -> Sending:
    key = event_key(ticket_key(event.complaint_id, "table"), event.id)
    payload = mask_payload(sink.render(event, key), sink.settings.mask)
    return Sending(payload=payload, key=key, ticket=None)


async def send(sink: SqlSink, *events: Event) -> list[Ticket | Exception]:
    return list(await sink.send_many([sending(sink, event) for event in events]))


async def send_all(sink: SqlSink, *events: Event) -> None:
    results = await send(sink, *events)
    assert [type(result) for result in results] == [Ticket] * len(events), results


def told(event: Event, *names: str) -> Event:
    """The event, told of these messages instead."""
    keys = {event_id(event.complaint_id, name): name for name in names}
    return replace(event, id=event_id(event.complaint_id, *names), keys=keys, messages=names)


def changed(event: Event, **fields: Any) -> Event:
    return replace(event, record=replace(event.record, **fields))


def instant(value: Any) -> str:
    """As the databases give it back → one spelling."""
    return str(value)[:19]


async def test_a_row_has_every_fact_and_the_whole_record(make: Make, place: Place) -> None:
    sink = await make()
    event = changed(make_event(), rating=Rating(value=1), tags=("退款", "vip"))
    await send_all(sink, event)
    (row,) = place.ask("SELECT * FROM complaint")
    assert row["ticket_key"] == ticket_key(event.complaint_id, "table")
    assert row["id"] == event.complaint_id
    assert (row["description"], row["priority"], row["expectation"]) == (WORDS, "P2", "refund")
    assert (row["customer_name"], row["phone"], row["handle"]) == ("李雷", "13800138000", None)
    assert (row["category_1"], row["category_2"], row["tags"]) == ("product", "material_defect", "退款, vip")
    assert (row["rating"], row["events"], row["last_event"]) == (1.0, 1, "opened")
    assert instant(row["received_at"]) == "2026-11-22 03:59:42"
    assert instant(row["opened_at"]) == instant(row["updated_at"]) == "2026-11-22 04:00:42"
    record = row["record"] if isinstance(row["record"], dict) else json.loads(row["record"])
    assert record["id"] == event.complaint_id
    assert record["conversation"][0]["text"] == WORDS


async def test_a_follow_up_brings_the_row_up_to_date_and_adds_its_own(make: Make, place: Place) -> None:
    sink = await make()
    await send_all(sink, make_event())
    await send_all(sink, make_event(2, text="还没有人联系我！\nStill no answer."))
    (row,) = place.ask("SELECT * FROM complaint")
    assert (row["priority"], row["events"], row["last_event"]) == ("P1", 2, "followed_up")
    assert instant(row["opened_at"]) == "2026-11-22 04:00:42"
    assert instant(row["updated_at"]) == "2026-11-22 04:01:42"
    first, second = place.ask('SELECT * FROM complaint_event ORDER BY "sequence"')
    assert (first["text"], first["author"], first["changes"]) == (WORDS, "李雷", None)
    assert second["text"] == "还没有人联系我！\nStill no answer."
    changes = second["changes"] if isinstance(second["changes"], dict) else json.loads(second["changes"])
    assert changes == {"priority": ["P2", "P1"]}
    assert second["ticket_key"] == row["ticket_key"]


async def test_what_is_sent_again_changes_nothing(make: Make, place: Place) -> None:
    sink = await make()
    first, second = make_event(), make_event(2)
    for event in (first, second, second, first):
        await send_all(sink, event)
    (row,) = place.ask("SELECT * FROM complaint")
    assert (row["events"], row["priority"]) == (2, "P1"), "the late repetition of an opening overwrote what came after"
    assert len(place.ask("SELECT * FROM complaint_event")) == 2


async def test_messages_told_together_with_others_after_a_restore_are_there_once(make: Make, place: Place) -> None:
    sink = await make()
    await send_all(sink, make_event(), told(make_event(2), "m/2", "m/3"))
    await send_all(sink, told(make_event(2), "m/3", "m/4"))
    rows = place.ask("SELECT entry_key FROM complaint_event")
    assert len(rows) == 4
    (row,) = place.ask("SELECT * FROM complaint")
    assert row["events"] == 2


async def test_a_reply_that_comes_first_opens_and_the_opening_is_added(make: Make, place: Place) -> None:
    sink = await make()
    await send_all(sink, make_event(2))
    await send_all(sink, make_event(1))
    assert len(place.ask("SELECT * FROM complaint")) == 1
    assert len(place.ask("SELECT * FROM complaint_event")) == 2


async def test_several_events_of_one_complaint_in_one_batch(make: Make, place: Place) -> None:
    sink = await make()
    await send_all(sink, make_event(1), make_event(2), make_event(3), make_event(1, who="mail-18"))
    rows = place.ask('SELECT * FROM complaint ORDER BY "events"')
    assert [(row["events"], row["last_event"]) for row in rows] == [(1, "opened"), (3, "followed_up")]


async def test_hostile_words_are_words(make: Make, place: Place) -> None:
    sink = await make()
    event = make_event(text=HOSTILE)
    event = changed(event, title=HOSTILE, customer_id=HOSTILE, tags=(HOSTILE, "\\u0000"))
    await send_all(sink, event)
    (row,) = place.ask("SELECT * FROM complaint")
    seen = HOSTILE.replace("\x00", "\ufffd")
    assert (row["title"], row["customer_id"], row["description"]) == (seen, seen, seen)
    assert row["tags"] == f"{seen}, \\u0000"


async def test_masks_hold_in_every_column(make: Make, place: Place) -> None:
    sink = await make(mask=["phone", "email"])
    await send_all(sink, make_event(text="请打 13800138000"))
    tables = place.ask("SELECT * FROM complaint") + place.ask("SELECT * FROM complaint_event")
    assert "13800138000" not in str(tables)
    assert tables[0]["phone"] == "138****8000"


async def test_long_words_are_cut_with_a_mark_and_the_record_says_so(make: Make, place: Place) -> None:
    sink = await make()
    await send_all(sink, make_event(text="投诉" * 600_000))
    (row,) = place.ask("SELECT * FROM complaint")
    assert len(row["description"]) < 1_000_100
    assert row["description"].endswith("… [+200000]")
    record = row["record"] if isinstance(row["record"], dict) else json.loads(row["record"])
    assert record["shortened"]


# A table that somebody else made

EXISTING = {
    "sqlite": """CREATE TABLE 投诉单 (编号 INTEGER PRIMARY KEY, 来源键 VARCHAR(64) UNIQUE, 标题 VARCHAR(10) NOT NULL,
        级别 INTEGER, 订单号 VARCHAR(40) UNIQUE, 处理人 VARCHAR(40) NOT NULL, 时间 TIMESTAMP, 状态 VARCHAR(10) NOT NULL,
        紧急 BOOLEAN, 备注 TEXT)""",
    "postgresql": """CREATE TABLE "投诉单" ("编号" serial PRIMARY KEY, "来源键" varchar(64) UNIQUE,
        "标题" varchar(10) NOT NULL, "级别" integer, "订单号" varchar(40) UNIQUE, "处理人" varchar(40) NOT NULL,
        "时间" timestamp, "状态" varchar(10) NOT NULL, "紧急" boolean, "备注" text);
        ALTER TABLE "投诉单" OWNER TO intake""",
    "mysql": """CREATE TABLE 投诉单 (编号 INTEGER AUTO_INCREMENT PRIMARY KEY, 来源键 VARCHAR(64) UNIQUE,
        标题 VARCHAR(10) NOT NULL, 级别 INTEGER, 订单号 VARCHAR(40) UNIQUE, 处理人 VARCHAR(40) NOT NULL, 时间 DATETIME,
        状态 ENUM('新建', '完成') NOT NULL, 紧急 BOOLEAN, 备注 TEXT) CHARACTER SET utf8mb4""",
}
MAPPED: dict[str, Any] = {
    "table": "投诉单",
    "key_column": "来源键",
    "fields": {
        "title": "标题",
        "priority": "级别",
        "product_or_order": "订单号",
        "handler": "处理人",
        "received_at": "时间",
    },
    "values": {"priority": {"P1": 1, "P2": 2, "*": 9}},
    "constants": {"状态": "新建", "紧急": True},
}


async def test_columns_of_an_existing_table(make: Make, place: Place) -> None:
    place.ask(EXISTING[place.kind])
    sink = await make(**MAPPED)
    await send_all(sink, changed(make_event(), title="屏幕碎了😡，已经联系三次了还没有人处理"))
    (row,) = place.ask("SELECT * FROM 投诉单")
    assert row["来源键"] == ticket_key(make_event().complaint_id, "table")
    title = "屏幕碎了😡，已经联系三次了还没有人处理"
    assert row["标题"] == (title if place.kind == "sqlite" else f"{title[:9]}…"), "cut to its width, with a mark"
    assert (row["级别"], row["订单号"], row["处理人"]) == (2, "2026112200017", "")
    assert instant(row["时间"]) == "2026-11-22 03:59:42"
    assert (row["状态"], bool(row["紧急"]), row["备注"]) == ("新建", True, None)


async def test_what_people_decided_stays(make: Make, place: Place) -> None:
    place.ask(EXISTING[place.kind])
    sink = await make(**MAPPED)
    await send_all(sink, make_event())
    place.ask("UPDATE 投诉单 SET 状态 = '完成', 级别 = 5, 处理人 = '韩梅梅', 备注 = '已退款'")
    await send_all(sink, changed(make_event(2), title="还是不行", handler="别人"))
    (row,) = place.ask("SELECT * FROM 投诉单")
    assert (row["状态"], row["级别"], row["处理人"], row["备注"]) == ("完成", 5, "韩梅梅", "已退款")
    assert row["标题"] == "还是不行"


async def test_a_follow_up_may_write_them_where_the_settings_say_so(make: Make, place: Place) -> None:
    place.ask(EXISTING[place.kind])
    sink = await make(**MAPPED, written_once=["处理人"])
    await send_all(sink, make_event())
    await send_all(sink, changed(make_event(2), handler="别人"))
    (row,) = place.ask("SELECT * FROM 投诉单")
    assert (row["级别"], row["处理人"]) == (1, "")


async def test_a_row_that_was_deleted_comes_back_with_the_next_follow_up(make: Make, place: Place) -> None:
    sink = await make()
    await send_all(sink, make_event())
    place.ask("DELETE FROM complaint")
    await send_all(sink, make_event())
    assert place.ask("SELECT * FROM complaint") == []
    await send_all(sink, make_event(2))
    assert len(place.ask("SELECT * FROM complaint")) == 1


async def test_one_that_is_refused_leaves_the_others_of_its_batch_alone(make: Make, place: Place) -> None:
    """The column of order numbers is unique: a second complaint about one order is refused, not written over the
    first."""
    place.ask(EXISTING[place.kind])
    sink = await make(**MAPPED)
    events = [changed(make_event(who=f"mail-{number}"), product_or_order=f"order-{number}") for number in range(5)]
    events[3] = changed(events[3], product_or_order="order-1")
    results = await send(sink, *events)
    assert [type(result) for result in results] == [Ticket, Ticket, Ticket, Rejected, Ticket]
    assert len(place.ask("SELECT * FROM 投诉单")) == 4
    assert len(place.ask("SELECT * FROM complaint_event")) == 4
    (again,) = await send(sink, changed(events[3], product_or_order="order-3"))
    assert isinstance(again, Ticket)


# Settings that cannot work


async def cannot_start(place: Place, tmp_path: Path, error: type[AllearsError], words: str, **settings: Any) -> None:
    sink = SqlSink(place.settings(**settings), make_context("table", tmp_path))
    for call in (sink.check, sink.start):
        with pytest.raises(error, match=words):
            await call()
    await sink.stop()


async def test_a_column_that_is_not_there_is_named_with_the_nearest(place: Place, tmp_path: Path) -> None:
    place.ask(EXISTING[place.kind])
    mapped = {**MAPPED, "fields": {"title": "标提"}}
    await cannot_start(place, tmp_path, ConfigError, "标提.*标题", **mapped)


async def test_a_key_column_that_is_not_unique_is_refused(place: Place, tmp_path: Path) -> None:
    place.ask(EXISTING[place.kind])
    await cannot_start(place, tmp_path, ConfigError, "unique index", **{**MAPPED, "key_column": "备注"})


async def test_a_key_column_without_room_is_refused(place: Place, tmp_path: Path) -> None:
    place.ask("CREATE TABLE short (k VARCHAR(20) UNIQUE, t VARCHAR(200))")
    place.ask("CREATE TABLE other (k INTEGER UNIQUE, t VARCHAR(200))")
    for table in ("short", "other") if place.kind != "sqlite" else ("other",):
        if isinstance(place, PostgresPlace):
            place.ask(f"ALTER TABLE {table} OWNER TO intake")
        mapped = {"table": table, "key_column": "k", "fields": {"title": "t"}}
        await cannot_start(place, tmp_path, ConfigError, "no room for a key", **mapped)


async def test_a_padded_key_column_is_the_same_key(make: Make, place: Place) -> None:
    place.ask("CREATE TABLE padded (k CHAR(64) UNIQUE, t VARCHAR(200))")
    if isinstance(place, PostgresPlace):
        place.ask("ALTER TABLE padded OWNER TO intake")
    sink = await make(table="padded", key_column="k", fields={"title": "t"})
    await send_all(sink, make_event())
    await send_all(sink, changed(make_event(2), title="第二次"))
    (row,) = place.ask("SELECT * FROM padded")
    assert row["t"] == "第二次"


async def test_a_table_that_is_not_there_is_refused(place: Place, tmp_path: Path) -> None:
    await cannot_start(place, tmp_path, ConfigError, "no table", create=False)
    await cannot_start(place, tmp_path, ConfigError, "no table", **MAPPED)


async def test_check_names_the_tables_it_would_make_and_makes_none(place: Place, tmp_path: Path) -> None:
    sink = SqlSink(place.settings(), make_context("table", tmp_path))
    identity = await sink.check()
    assert "complaint, complaint_event will be made" in identity.account
    if isinstance(place, SqlitePlace):
        assert not place.path.exists()
    with pytest.raises(Exception, match=r"(?i)no such table|does not exist|doesn't exist"):
        place.ask("SELECT * FROM complaint")
    await sink.start()
    assert "will be made" not in (await sink.check()).account
    await sink.stop()


async def test_a_column_that_a_newer_version_needs_is_added(make: Make, place: Place) -> None:
    sink = await make()
    await send_all(sink, make_event())
    place.ask("ALTER TABLE complaint DROP COLUMN wechat")
    sink = await make()
    await send_all(sink, make_event(who="mail-18"))
    assert "wechat" in place.ask("SELECT * FROM complaint")[0]


async def test_a_missing_driver_says_what_to_install(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(place, SqlitePlace):
        pytest.skip("SQLite comes with Python")
    monkeypatch.setitem(sys.modules, "psycopg" if place.kind == "postgresql" else "pymysql", None)
    extra = place.kind
    await cannot_start(place, tmp_path, ConfigError, rf"pip install 'allears\[{extra}\]'")


async def test_wrong_password_and_wrong_database_are_named(place: Place, tmp_path: Path) -> None:
    if isinstance(place, SqlitePlace):
        pytest.skip("a file has neither")
    await cannot_start(place, tmp_path, AuthError, "intake", password="wrong")
    error = ConfigError
    await cannot_start(place, tmp_path, error, "nowhere", url=place.url.replace("/crm", "/nowhere"))


async def test_a_server_without_tls_is_refused_where_tls_is_asked_for(place: Place, tmp_path: Path) -> None:
    if isinstance(place, SqlitePlace):
        pytest.skip("a file has no connections")
    await cannot_start(place, tmp_path, ConfigError, "(?i)ssl", tls="require")


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "postgresql://u:secret@db/crm"},
        {"url": "oracle://db/crm"},
        {"url": "mysql://db"},
        {"url": "postgresql://db/crm?sslmode=disable"},
        {"table": 'complaint"; DROP TABLE x; --'},
        {"table": "a.b.c"},
        {"events_table": "complaint"},
        {"fields": {"title": 'a" = 1; --'}},
        {"fields": {"titel": "a"}},
        {"fields": {"title": "a", "priority": "a"}},
        {"fields": {"title": "ticket_key"}},
        {"constants": {"a b": 1}},
        {"values": {"prio": {"P1": 1}}},
    ],
    ids=str,
)
def test_settings_that_are_wrong_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        SqlSettings.model_validate({"sink": "sql", "url": "sqlite:x.db", **settings})
    assert "secret" not in str(caught.value)


# Troubles


async def test_a_commit_that_never_arrived_is_surely_or_perhaps_not_done(make: Make, place: Place) -> None:
    if not isinstance(place, PostgresPlace | MysqlPlace):
        pytest.skip("nothing lies between us and a file")
    sink = await make()
    place.cutter.cuts.append(Cut.BEFORE)
    (result,) = await send(sink, make_event())
    assert isinstance(result, AllearsError)
    await send_all(sink, make_event())
    assert len(place.ask("SELECT * FROM complaint_event")) == 1


async def test_a_session_that_broke_while_idle_is_replaced_quietly(make: Make, place: Place) -> None:
    if not isinstance(place, PostgresPlace | MysqlPlace):
        pytest.skip("a file has no sessions")
    sink = await make()
    await send_all(sink, make_event())
    place.cutter.drop()
    await send_all(sink, make_event(2))
    assert place.cutter.sessions == 2


async def test_unreachable_then_back(make: Make, place: Place) -> None:
    if not isinstance(place, PostgresPlace | MysqlPlace):
        pytest.skip("a file is there or not")
    sink = await make()
    await place.fail_next(Fault.UNREACHABLE)
    (result,) = await send(sink, make_event())
    assert isinstance(result, Unavailable)
    await place.cutter.start()
    await send_all(sink, make_event())


async def test_a_locked_table_is_waited_for_and_then_not_done(make: Make, place: Place) -> None:
    sink = await make(timeout_seconds=2)
    await send_all(sink, make_event())
    unlock = lock(place)
    try:
        (result,) = await send(sink, make_event(2))
    finally:
        unlock()
    assert isinstance(result, Unavailable), result
    await send_all(sink, make_event(2))
    assert len(place.ask("SELECT * FROM complaint_event")) == 2


async def test_a_write_that_was_given_up_is_waited_for_by_the_next(make: Make, place: Place) -> None:
    sink = await make(timeout_seconds=10)
    await send_all(sink, make_event())
    unlock = lock(place)
    first = asyncio.create_task(send(sink, make_event(2)))
    await asyncio.sleep(0.3)
    first.cancel()  # as the core does after `timeout_seconds`
    again = asyncio.create_task(send(sink, make_event(2)))
    await asyncio.sleep(0.1)
    unlock()
    assert isinstance((await again)[0], Ticket)
    assert len(place.ask("SELECT * FROM complaint_event")) == 2


def lock(place: Place) -> Callable[[], None]:
    """Another program holds what the sink needs; gives what lets go."""
    if isinstance(place, SqlitePlace):
        import sqlite3

        other: Any = sqlite3.connect(place.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
    elif isinstance(place, PostgresPlace):
        other = place.server.connect("crm")
        other.execute("BEGIN")
        other.execute("LOCK TABLE complaint")
    else:
        assert isinstance(place, MysqlPlace)
        other = place.server.connect("crm")
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT * FROM complaint FOR UPDATE")
    return lambda: other.close()


async def test_a_payload_that_is_not_ours_is_refused_alone(make: Make, place: Place) -> None:
    sink = await make()
    bad = Sending(payload=b'{"row": []}', key="ALE-BAD", ticket=None)
    refused, good = await sink.send_many([bad, sending(sink, make_event())])
    assert isinstance(refused, Rejected)
    assert isinstance(good, Ticket)


async def test_a_privilege_taken_away_rests_the_destination(make: Make, place: Place) -> None:
    sink = await make()
    if isinstance(place, PostgresPlace):
        place.ask("ALTER TABLE complaint OWNER TO postgres")
        place.ask("REVOKE ALL ON complaint FROM intake")
    elif isinstance(place, MysqlPlace):
        place.server.execute("REVOKE ALL ON crm.* FROM intake@'%'")
        place.cutter.drop()
    else:
        place.ask("DROP TABLE complaint")
    (result,) = await send(sink, make_event())
    assert isinstance(result, ConfigError), result


def test_records_without_a_conversation_have_a_text_all_the_same() -> None:
    sink = SqlSink(SqlSettings(url="sqlite:x.db"), make_context("table", Path()))
    event = changed(make_event(), conversation=())
    rows: dict[str, Any] = json.loads(sending(sink, event).payload)
    assert rows["entries"][0]["text"] == WORDS


def test_every_fact_has_its_column() -> None:
    from allears_sdk.tickets.facts import FACTS
    from sink.sql.layout import COMPLAINT

    assert set(FACTS) < set(COMPLAINT)
    assert isinstance(make_event().record, Complaint)
