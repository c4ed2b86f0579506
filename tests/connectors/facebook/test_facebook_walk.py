"""Comments read back: what a walk finds, where it begins again, and when it waits."""

from __future__ import annotations

import json
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

from allears_sdk.connector import Batch
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, OverBudget, RetryLater, Unavailable
from allears_sdk.message import Raw
from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.facebook import FacebookConnector
from tests.connectors._meta.graph_server import Graph, deliver, fault
from tests.connectors.facebook.conftest import (
    LI_LEI,
    OURS,
    PAGE,
    POST,
    Connect,
    by,
    make_change,
    make_comment,
    make_post,
    written,
)

OLD_POST = "999_005"


@pytest.fixture(autouse=True)
def page(graph: Graph) -> None:
    graph.lists[f"{PAGE}/feed"] = [make_post(), make_post(OLD_POST, age_days=20, changed_days=18)]
    graph.lists[f"{POST}/comments"] = []
    graph.lists[f"{OLD_POST}/comments"] = []


def said_in(raws: list[Raw]) -> list[str]:
    return [json.loads(raw.body)["comment"]["message"] for raw in raws]


def read_lists(graph: Graph) -> list[str]:
    return [path for path, _ in graph.asked if path.endswith("/comments")]


def say(graph: Graph, text: str, *, post: str = POST, age_hours: float = 1, **fields: Any) -> None:
    comments = graph.lists[f"{post}/comments"]
    comments.insert(0, make_comment(f"{post.partition('_')[2]}_{len(comments)}", text, age_hours=age_hours, **fields))


async def receive(connector: FacebookConnector, journal: MiniJournal, change: dict[str, Any]) -> int:
    reception = await connector.receive(deliver(change))
    assert not reception.refused
    return journal.accept("", Batch(raws=reception.raws))


async def test_what_is_older_than_the_first_run_reads_is_known_and_not_filed(
    graph: Graph, connect: Connect, journal: MiniJournal
) -> None:
    say(graph, "太旧的抱怨", post=OLD_POST, age_hours=15 * 24)
    say(graph, "屏幕碎了", age_hours=2)
    connector = connect()
    await hear(connector, journal)
    assert {text: raw.baseline for text, raw in zip(said_in(journal.raws), journal.raws, strict=True)} == {
        "屏幕碎了": False,
        "太旧的抱怨": True,
    }
    assert (
        await receive(connector, journal, make_change("edited", comment_id="005_0", message="太旧的抱怨，仍未解决"))
        == 1
    )
    assert not journal.raws[-1].baseline, "an edit of it is heard"


async def test_a_delivered_comment_is_not_read_again_nor_the_other_way_round(
    graph: Graph, connect: Connect, journal: MiniJournal
) -> None:
    connector = connect()
    delivered = make_change(comment_id="111_0", message="Broken on arrival 😡")
    assert await receive(connector, journal, delivered) == 1
    say(graph, "Broken on arrival 😡")
    await hear(connector, journal)
    assert len(journal.raws) == 1
    say(graph, "客服不理人")
    await hear(connector, journal)
    assert await receive(connector, journal, make_change(comment_id="111_1", message="客服不理人")) == 0
    assert len(journal.raws) == 2


async def test_a_late_delivery_does_not_unsay_an_edit(graph: Graph, connect: Connect, journal: MiniJournal) -> None:
    connector = connect()
    first = make_change(message="一星")
    assert await receive(connector, journal, first) == 1
    assert await receive(connector, journal, make_change("edited", message="已解决，五星")) == 1
    assert await receive(connector, journal, first) == 0


async def test_an_edit_that_was_not_delivered_is_found_by_the_daily_sweep(
    graph: Graph, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    say(graph, "有点慢", post=OLD_POST, age_hours=30)
    connector = connect()
    await hear(connector, journal)
    graph.lists[f"{OLD_POST}/comments"][0]["message"] = "太慢了，退款"
    clock.advance(timedelta(hours=2))
    await hear(connector, journal)
    assert said_in(journal.raws) == ["有点慢"]
    clock.advance(timedelta(hours=23))
    await hear(connector, journal)
    assert said_in(journal.raws) == ["有点慢", "太慢了，退款"]
    assert journal.raws[0].key == journal.raws[1].key


async def test_quiet_posts_are_not_looked_into_between_sweeps(
    graph: Graph, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect()
    await hear(connector, journal)
    graph.asked.clear()
    clock.advance(timedelta(hours=2))
    graph.lists[f"{PAGE}/feed"][0]["updated_time"] = written(clock.now())
    await hear(connector, journal)
    assert read_lists(graph) == [f"{POST}/comments"]


async def test_after_three_days_all_is_caught_up(
    graph: Graph, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect()
    await hear(connector, journal)
    clock.advance(timedelta(hours=72))
    graph.lists[f"{PAGE}/feed"][0]["updated_time"] = written(clock.now())
    graph.page_items = 7
    for number in range(40):
        say(graph, f"第 {number} 条", age_hours=-number)
    await hear(connect(), journal)
    assert sorted(said_in(journal.raws)) == sorted(f"第 {number} 条" for number in range(40))


async def test_a_walk_ends_where_the_last_one_was(
    graph: Graph, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    for number in range(30):
        say(graph, f"旧 {number}", age_hours=40 - number)
    await hear(connect(), journal)
    clock.advance(timedelta(hours=2))
    graph.lists[f"{PAGE}/feed"][0]["updated_time"] = written(clock.now())
    say(graph, "新的", age_hours=-2)
    graph.asked.clear()
    graph.page_items = 5
    await hear(connect(), journal)
    assert len(read_lists(graph)) == 1
    assert said_in(journal.raws)[-1] == "新的"


async def test_a_walk_that_is_cut_short_begins_again_and_steps_over_what_it_has(
    graph: Graph, connect: Connect, journal: MiniJournal
) -> None:
    say(graph, "第一帖")
    say(graph, "第二帖", post=OLD_POST)
    connector = connect()
    stream = (await connector.streams())[0]
    async with aclosing(connector.poll(stream, None, {}, 10)) as batches:  # type: ignore[type-var] # a generator
        journal.accept(stream, await anext(batches))
        graph.faults += [fault(4, "Application request limit reached")]
        with pytest.raises(RetryLater):
            await anext(batches)
    assert stream not in journal.cursors
    graph.asked.clear()
    await hear(connector, journal)
    assert read_lists(graph) == [f"{OLD_POST}/comments"]
    assert said_in(journal.raws) == ["第一帖", "第二帖"]
    assert stream in journal.cursors


async def test_reading_rests_when_most_of_the_limit_is_used(
    graph: Graph, connect: Connect, journal: MiniJournal, log: RecordingLog, clock: FakeClock
) -> None:
    graph.headers = {"X-Business-Use-Case-Usage": json.dumps({PAGE: [{"type": "pages", "call_count": 91}]})}
    connector = connect()
    with pytest.raises(RetryLater, match="91 %") as caught:
        await hear(connector, journal)
    assert caught.value.after_seconds == 600
    assert ("warning", "quota_low", {"used_percent": 91.0, "rests_seconds": 600.0}) in log.entries
    graph.headers = {"X-App-Usage": '{"call_count":12,"total_time":3,"total_cputime":3}'}
    clock.advance(601)
    await hear(connector, journal)
    assert journal.cursors


async def test_channels_with_one_token_rest_together(
    graph: Graph, connect: Connect, context: Context, journal: MiniJournal, log: RecordingLog, clock: FakeClock
) -> None:
    graph.headers = {"X-App-Usage": '{"call_count":86}'}
    connector, beside = connect(), connect(max_usage_percent=85)
    with pytest.raises(OverBudget, match="86 %"):
        await hear(connector, journal)
    asked = len(graph.asked)
    with pytest.raises(OverBudget, match="86 %"):
        await hear(beside, journal)
    assert len(graph.asked) == asked
    assert [(quota.name, quota.left) for told in context.accounts.quotas.values() for quota in told] == [
        ("percent", 14)
    ]
    assert len([event for _, event, _ in log.entries if event == "quota_low"]) == 1
    graph.headers = {}
    clock.advance(601)
    await hear(beside, journal)


async def test_visitors_posts_are_heard_and_the_pages_own_are_not(
    graph: Graph, connect: Connect, journal: MiniJournal
) -> None:
    graph.lists[f"{PAGE}/feed"].insert(0, make_post("999_222", message="退货三周没退款", **by(LI_LEI)))
    graph.lists["999_222/comments"] = [make_comment("222_1", "您好，请私信订单号", **by(OURS))]
    connector = connect()
    await hear(connector, journal)
    assert [raw.key for raw in journal.raws] == ["post:999_222", "comment:222_1"]
    assert (
        await receive(
            connector, journal, make_change(item="status", post_id="999_222", **_of(LI_LEI, "退货三周没退款"))
        )
        == 0
    )
    assert await receive(connector, journal, make_change(item="photo", post_id="999_223", **_of(OURS, "新品"))) == 0


def _of(who: dict[str, str], message: str) -> dict[str, Any]:
    return {"from": who, "message": message, "comment_id": None, "parent_id": None}


async def test_a_list_that_goes_in_a_circle_ends(graph: Graph, connect: Connect, journal: MiniJournal) -> None:
    circle = {"data": [make_comment("111_1", "x")], "paging": {"next": "x", "cursors": {"after": "1"}}}
    del graph.lists[f"{POST}/comments"]
    graph.objects[f"{POST}/comments"] = circle
    await hear(connect(), journal)
    assert len(journal.raws) == 1


@pytest.mark.parametrize("answer", [{}, {"data": 7}, {"data": {}}])
async def test_an_answer_that_is_no_list(graph: Graph, connect: Connect, journal: MiniJournal, answer: object) -> None:
    del graph.lists[f"{PAGE}/feed"]
    graph.objects[f"{PAGE}/feed"] = answer
    with pytest.raises(Unavailable):
        await hear(connect(), journal)
    assert not journal.cursors


async def test_an_expired_token_is_said(graph: Graph, connect: Connect, journal: MiniJournal) -> None:
    graph.faults.append(fault(190, "Error validating access token: Session has expired", subcode=463, status=401))
    with pytest.raises(AuthError, match="expired"):
        await hear(connect(), journal)


async def test_without_a_token_deliveries_alone_are_heard(graph: Graph, connect: Connect, journal: MiniJournal) -> None:
    connector = connect(access_token=None)
    assert await hear(connector, journal) == []
    assert await receive(connector, journal, make_change(message="退款")) == 1
    assert not graph.asked


SUBSCRIBED = {"id": "42", "name": "allears", "subscribed_fields": ["messages", "leadgen"]}


async def test_a_subscription_that_was_taken_away_is_made_again(
    graph: Graph, connect: Connect, journal: MiniJournal, log: RecordingLog, clock: FakeClock
) -> None:
    graph.lists[f"{PAGE}/subscribed_apps"] = [SUBSCRIBED, {"id": "7", "subscribed_fields": ["feed"]}]
    connector = connect(app_id="42")
    await hear(connector, journal)
    await hear(connector, journal)
    ((path, given),) = graph.posted
    assert path == f"{PAGE}/subscribed_apps"
    assert {"feed", "messages", "standby", "leadgen"} <= set(given["subscribed_fields"].split(","))
    assert any(event == "subscribed_again" for _, event, _ in log.entries)
    graph.lists[f"{PAGE}/subscribed_apps"] = [
        {**SUBSCRIBED, "subscribed_fields": given["subscribed_fields"].split(",")}
    ]
    clock.advance(timedelta(hours=25))
    await hear(connector, journal)
    assert len(graph.posted) == 1


async def test_check_says_what_is_not_subscribed_to(graph: Graph, connect: Connect) -> None:
    graph.objects[PAGE] = {"id": PAGE, "name": "示例商城"}
    graph.lists[f"{PAGE}/subscribed_apps"] = [SUBSCRIBED]
    found = await connect().check()
    assert found.account == f"示例商城 ({PAGE})"
    assert "feed" in found.details[0]
