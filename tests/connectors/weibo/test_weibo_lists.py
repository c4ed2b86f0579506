"""Mentions and comments: what is read, after what silence, and what Weibo's errors ask for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from allears_sdk.errors import AllearsError, AuthError, BadMessage, ConfigError, Rejected, RetryLater, Unavailable
from allears_sdk.message import Author, Kind, Message, Raw, Ref, Role, Visibility
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.weibo import WeiboConnector
from connectors.weibo.times import read_time
from tests.connectors.weibo.conftest import (
    CUSTOMER,
    OTHER,
    STAFF,
    TOKEN,
    UID,
    Connect,
    Weibo,
    make_settings,
    refused,
    user,
)

DAY = timedelta(days=1)
BY_ME = "/2/comments/by_me.json"


async def heard(connector: WeiboConnector, journal: MiniJournal) -> list[Message]:
    """What a poll of all lists brings, without what is only known."""
    before = len(journal.raws)
    await hear(connector, journal)
    raws = [raw for raw in journal.raws[before:] if not raw.baseline and not raw.quarantine]
    return [message for raw in raws for message in connector.parse(raw, connector.settings)]


async def test_a_post_that_mentions_us_is_read_exactly(connect: Connect, weibo: Weibo, journal: MiniJournal) -> None:
    weibo.write(
        7,
        '@示例家电 冰箱修了三次还是不制冷<span class="url-icon"><img alt=[怒] src="//h5.sinaimg.cn/n.png"></span><br />'
        '<a href="/n/示例家电">@示例家电</a> 1 < 2 吗？',
        created_at="Sun Nov 22 11:59:42 +0800 2026",
        pic_urls=[{"thumbnail_pic": "http://wx2.sinaimg.cn/thumbnail/7fa00001gy1habcdefgh.jpg"}],
    )
    (said,) = await heard(connect(), journal)
    (picture,) = said.attachments
    assert picture.ref is not None
    assert (picture.name, picture.ref.locator) == (
        "7fa00001gy1habcdefgh.jpg",
        {"picture": "7fa00001gy1habcdefgh.jpg"},
    )
    assert said == Message(
        text="@示例家电 冰箱修了三次还是不制冷[怒]\n@示例家电 1 < 2 吗？",
        external_id="s:5200000000000007",
        thread=("post:5200000000000007",),
        author=Author(id=CUSTOMER, name="王小明2026", handle="@王小明2026"),
        posted_at=datetime(2026, 11, 22, 3, 59, 42, tzinfo=UTC),
        attachments=(picture,),
        permalink="https://m.weibo.cn/detail/5200000000000007",
        visibility=Visibility.PUBLIC,
    )


async def test_what_is_passed_on_stands_behind_it_unless_it_is_ours(
    connect: Connect, weibo: Weibo, journal: MiniJournal
) -> None:
    passed = {"id": 1, "text": "fridge died after 2 days, refund!", "user": user(OTHER), "pic_ids": ["7fa00001gy1hzz"]}
    weibo.write(1, "@示例家电 出来解释", retweeted_status=passed)
    weibo.write(2, "@示例家电 降价这么快", retweeted_status=passed | {"text": "新品上市", "user": user(UID)})
    ours, other = await heard(connect(), journal)
    assert other.text == "@示例家电 出来解释\n//@Helen在上海: fridge died after 2 days, refund!"
    assert [one.name for one in other.attachments] == ["7fa00001gy1hzz.jpg"]
    assert (ours.text, ours.attachments) == ("@示例家电 降价这么快", ())


async def test_a_comment_our_answer_and_what_we_say_to_everybody(
    connect: Connect, weibo: Weibo, journal: MiniJournal
) -> None:
    asked = weibo.comment(1, "客服不理人，投诉", age=timedelta(hours=3))
    under_theirs = {"id": 5_200_000_000_000_009, "text": "@示例家电 漏水", "user": user(CUSTOMER)}
    weibo.comment(2, "您好，已私信您", by=UID, path=BY_ME, reply_comment=asked)
    weibo.comment(3, "抱歉，马上处理", by=STAFF, path=BY_ME, status=under_theirs)
    weibo.comment(4, "评论区抽奖啦", by=UID, path=BY_ME)
    found = {one.text: one for one in await heard(connect(), journal)}
    assert set(found) == {"客服不理人，投诉", "您好，已私信您", "抱歉，马上处理"}
    said, answer, under = (found[text] for text in ("客服不理人，投诉", "您好，已私信您", "抱歉，马上处理"))
    assert (said.external_id, said.thread) == ("c:4900000000000001", ("post:5100000000000001",))
    assert (answer.author.role, answer.thread) == (Role.COMPANY, ("c:4900000000000001", "post:5100000000000001"))
    assert answer.participants == (CUSTOMER,)
    assert (under.author.role, under.thread) == (Role.COMPANY, ("s:5200000000000009", "post:5200000000000009"))


async def test_a_comment_that_also_mentions_us_is_heard_once(
    connect: Connect, weibo: Weibo, journal: MiniJournal
) -> None:
    for path in ("/2/comments/to_me.json", "/2/comments/mentions.json"):
        weibo.comment(1, "@示例家电 退款呢", path=path)
    assert len(await heard(connect(), journal)) == 1


async def test_an_edit_follows_up_and_a_deletion_is_noted(connect: Connect, weibo: Weibo, journal: MiniJournal) -> None:
    connector = connect()
    steps: list[tuple[str, Any]] = [("不制冷", False), ("不制冷，已退款", "0"), ("抱歉，此微博已被作者删除。", "1")]
    kinds: list[tuple[Kind, str, str]] = []
    for text, deleted in steps:
        weibo.write(1, text, deleted=deleted)
        before = len(journal.raws)
        await hear(connector, journal)
        (raw,) = journal.raws[before:]
        (said,) = connector.parse(replace(raw, ordinal=len(kinds) + 1), connector.settings)
        kinds.append((said.kind, said.external_id, said.text))
    assert kinds == [
        (Kind.SAID, "s:5200000000000001", "不制冷"),
        (Kind.EDITED, "s:5200000000000001", "不制冷，已退款"),
        (Kind.WITHDRAWN, "s:5200000000000001", ""),
    ]


async def test_a_post_that_was_deleted_before_we_heard_it_says_nothing(
    connect: Connect, weibo: Weibo, journal: MiniJournal
) -> None:
    weibo.write(1, "抱歉，此微博已被作者删除。", deleted="1", user=None)
    assert await heard(connect(), journal) == []
    assert len(journal.raws) == 1


async def test_older_ones_are_known_and_an_edit_of_one_is_heard_within_a_day(
    connect: Connect, weibo: Weibo, journal: MiniJournal, clock: FakeClock
) -> None:
    weibo.page_items = 5
    for number in range(20):
        weibo.write(number, "很好用", age=(30 - number) * DAY)
    weibo.write(99, "不制冷", age=2 * DAY)
    connector = connect()
    assert [one.text for one in await heard(connector, journal)] == ["不制冷"]
    weibo.write(3, "用了半个月，坏了", age=27 * DAY)
    assert await heard(connector, journal) == []
    clock.advance(DAY)
    assert [one.text for one in await heard(connector, journal)] == ["用了半个月，坏了"]


async def test_three_days_without_us_lose_nothing(
    connect: Connect, weibo: Weibo, journal: MiniJournal, clock: FakeClock
) -> None:
    weibo.page_items = 20
    weibo.comment(0, "投诉")
    await heard(connect(), journal)
    clock.advance(3 * DAY)
    for number in range(1, 217):
        weibo.comment(number, f"第 {number} 条：登录失败", age=-timedelta(minutes=20 * number))
    found = {one.text for one in await heard(connect(), journal)}
    assert found == {f"第 {n} 条：登录失败" for n in range(1, 217)}
    assert journal.gaps == []


async def test_what_weibo_no_longer_lists_is_a_gap_with_its_span(
    connect: Connect, weibo: Weibo, journal: MiniJournal, clock: FakeClock
) -> None:
    weibo.given_items = 100
    weibo.comment(0, "投诉", age=timedelta())
    await heard(connect(), journal)
    clock.advance(3 * DAY)
    for number in range(1, 217):
        weibo.comment(number, f"第 {number} 条：登录失败", age=-timedelta(minutes=20 * number))
    assert len(await heard(connect(), journal)) == 100
    (gap,) = journal.gaps
    assert (gap.since, gap.until) == (START, START + timedelta(minutes=20 * 117))


async def test_what_is_written_while_pages_are_read_moves_none(
    connect: Connect, weibo: Weibo, journal: MiniJournal
) -> None:
    weibo.page_items = 4
    for number in range(12):
        weibo.write(number, f"第 {number} 条", age=timedelta(hours=20 - number))
    connector = connect(lists=["mentions"])
    stream = (await connector.streams())[0]
    texts, written = [], 100
    async for batch in connector.poll(stream, None, {}, 4):
        texts += [json.loads(raw.body)["text"] for raw in batch.raws]
        written += 1
        weibo.write(written, "新的", age=timedelta())
    assert set(texts) >= {f"第 {number} 条" for number in range(12)}
    assert len(texts) == len(set(texts))


async def test_a_page_of_which_nothing_can_be_read_stops_nothing(
    connect: Connect, weibo: Weibo, journal: MiniJournal
) -> None:
    weibo.page_items = 2
    rows: list[Any] = [None, "x", {"id": -5, "text": []}, {"idstr": "9" * 400}]
    weibo.write(1, "不制冷", age=timedelta(hours=2))
    answer = httpx.Response(200, json={"statuses": rows, "total_number": 5})
    weibo.faults = [answer]
    found = await heard(connect(lists=["mentions"]), journal)
    assert [raw.quarantine for raw in journal.raws] == ["an item without a number or a date"] * 4
    assert found == []
    assert [request.url.params["page"] for request in weibo.asked] == ["1", "2"]


@pytest.mark.parametrize(
    "fields",
    [
        {"text": 7},
        {"user": "王小明"},
        {"pic_urls": [{"thumbnail_pic": []}]},
        {"retweeted_status": [1]},
        {"pic_ids": 5},
    ],
    ids=str,
)
async def test_wrong_types_are_one_items_trouble(
    connect: Connect, weibo: Weibo, journal: MiniJournal, fields: dict[str, Any]
) -> None:
    weibo.write(1, "?").update(fields)
    weibo.write(2, "不制冷")
    connector = connect()
    await hear(connector, journal)
    bad = next(raw for raw in journal.raws if raw.key == "s:5200000000000001")
    good = next(raw for raw in journal.raws if raw.key == "s:5200000000000002")
    with pytest.raises(BadMessage):
        connector.parse(bad, connector.settings)
    assert connector.parse(good, connector.settings)[0].text == "不制冷"


def test_hostile_words_are_read_in_no_time() -> None:
    settings = make_settings()
    post = {"idstr": "5", "text": "<a" * 200_000 + "<img alt=[" * 50_000, "pic_ids": ["../../etc", "x" * 900]}
    context = {"kind": "s"}
    body = json.dumps(post).encode()
    raw = Raw(key="s:5", body=body, media_type="application/json", received_at=START, context=context)
    (said,) = WeiboConnector.parse(raw, settings)
    assert (len(said.text), said.attachments) == (900_000, ())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refused(21327, "expired_token"), AuthError),
        (refused(21316, "revoked"), AuthError),
        (refused(10014, "Insufficient app permissions!"), ConfigError),
        (refused(10006, "source paramter(appkey) is missing", 400), ConfigError),
        (refused(10002, "Service unavailable"), Unavailable),
        (refused(10001, "System error", 200), Unavailable),
        (refused(99999, "never heard of"), Unavailable),
        (httpx.Response(502, text="<html>"), Unavailable),
        (httpx.Response(200, text="<html>"), Unavailable),
        (httpx.Response(200, json={"comments": {}}), Unavailable),
        (httpx.Response(200, json=[{"id": 1}]), Unavailable),
    ],
    ids=lambda one: one.__name__ if isinstance(one, type) else str(one.content[:60]),
)
async def test_what_errors_ask_for(
    connect: Connect, weibo: Weibo, journal: MiniJournal, answer: httpx.Response, error: type[AllearsError]
) -> None:
    weibo.faults = [answer] * 3
    with pytest.raises(error) as told:
        await hear(connect(), journal)
    assert TOKEN not in str(told.value) + told.value.detail


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (refused(10023, "User requests out of rate limit!"), 600),
        (refused(10022, "IP requests out of rate limit!", 403, **{"Retry-After": "1800"}), 1800),
        (httpx.Response(429, headers={"Retry-After": "90"}), 90),
    ],
)
async def test_a_limit_says_when_to_come_back(
    connect: Connect, weibo: Weibo, journal: MiniJournal, answer: httpx.Response, seconds: float
) -> None:
    weibo.faults = [answer] * 3
    with pytest.raises(RetryLater) as told:
        await hear(connect(), journal)
    assert told.value.after_seconds == seconds


async def test_an_empty_list_is_sometimes_nothing_but_brackets(
    connect: Connect, weibo: Weibo, journal: MiniJournal
) -> None:
    weibo.faults = [httpx.Response(200, json=[])] * 4
    assert await heard(connect(), journal) == []


async def test_the_commercial_api_has_paths_of_its_own(connect: Connect, weibo: Weibo, journal: MiniJournal) -> None:
    weibo.comment(1, "退款呢")
    paths = {"comments": "/2/comments/to_me/biz.json"}
    connector = connect(lists=["comments"], paths=paths, url="https://c.api.weibo.com")
    assert len(await heard(connector, journal)) == 1
    assert str(weibo.asked[0].url).startswith("https://c.api.weibo.com/2/comments/to_me/biz.json?")


async def test_the_house_is_told_when_the_token_ends(
    connect: Connect, weibo: Weibo, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect()
    ends = []
    for hours, seconds in ((0, 5 * 86_400), (1, 4 * 86_400), (24, 30 * 86_400)):
        weibo.token_seconds = seconds
        clock.advance(timedelta(hours=hours))
        await hear(connector, journal)
        ends += [(one.name, one.expires_at - START) for one in connector.context.accounts.credentials]
    assert ends == [("access_token", 5 * DAY), ("access_token", 5 * DAY), ("access_token", 31 * DAY + DAY / 24)]


@pytest.mark.parametrize(("given", "advice"), [(TOKEN, "leave it out"), (None, "allears channels login support")])
async def test_an_ended_token_says_what_to_do(
    connect: Connect, weibo: Weibo, journal: MiniJournal, given: str | None, advice: str
) -> None:
    connector = connect(access_token=given)
    if given is None:
        await connector.context.tokens.put("weibo-1352222456-1902500000", {"token": TOKEN})
    weibo.token = "2.00Newer"
    with pytest.raises(AuthError, match=advice):
        await hear(connector, journal)


async def test_the_token_of_another_account_is_refused(connect: Connect, weibo: Weibo) -> None:
    assert (await connect().check()).account == UID
    weibo.token_uid = int(OTHER)
    with pytest.raises(ConfigError, match=OTHER):
        await connect().check()


async def test_pictures_are_fetched_and_nothing_else_is(connect: Connect, weibo: Weibo) -> None:
    weibo.files["7fa00001gy1habcdefgh.jpg"] = b"\xff\xd8"
    media = await connect().fetch(Ref(locator={"picture": "7fa00001gy1habcdefgh.jpg"}))
    assert (media.content, media.media_type) == (b"\xff\xd8", "image/jpeg")
    with pytest.raises(Rejected):
        await connect().fetch(Ref(locator={"picture": "../oauth2/access_token"}))


@pytest.mark.parametrize("text", ["", "gestern", "Wed Foo 01 00:50:25 +0800 2011", "Wed Jun 41 00:50:25 +0800 2011", 7])
def test_no_times(text: object) -> None:
    assert read_time(text) is None


def test_weibos_own_time() -> None:
    assert read_time("Wed Jun 01 00:50:25 +0800 2011") == datetime(2011, 5, 31, 16, 50, 25, tzinfo=UTC)
