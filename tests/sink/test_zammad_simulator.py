"""The simulated Zammad: what a sink may and may not rely on, and what another client makes of it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession, ContentTypeError
from zammad_py import ZammadAPI

from allears_sdk.testing.memory import Fault
from bench.servers import zammad
from bench.servers.desk import Mishap
from bench.servers.zammad import KEY_FIELD, TOKEN, WEBHOOK_SECRET, Zammad

ARTICLE = {"body": "屏幕碎了😡 申请退款", "type": "note", "sender": "Customer"}
TICKET: dict[str, Any] = {
    "title": "屏幕碎了",
    "group": "投诉",
    "customer_id": "guess:lilei@mail.example.cn",
    "priority": "3 high",
    "tags": "投诉,product.material_defect",
    KEY_FIELD: "ALE-1",
    "article": ARTICLE,
}
BY_KEY = {"condition": {f"ticket.{KEY_FIELD}": {"operator": "is", "value": "ALE-1"}}}


class Client:
    def __init__(self, desk: Zammad, http: ClientSession) -> None:
        self.desk, self.http = desk, http

    async def ask(self, method: str, path: str, json: Any = None, token: str = TOKEN) -> tuple[int, Any]:
        headers = {"Authorization": f"Token token={token}"}
        async with self.http.request(method, f"{self.desk.url}/api/v1{path}", json=json, headers=headers) as answer:
            return answer.status, await answer.json()

    async def create(self, **changed: Any) -> tuple[int, Any]:
        return await self.ask("POST", "/tickets", {**TICKET, **changed})

    async def found(self, search: dict[str, Any]) -> list[str]:
        _, tickets = await self.ask("POST", "/tickets/search?expand=true", search)
        return [ticket[KEY_FIELD] for ticket in tickets]


@pytest.fixture
async def desk() -> AsyncIterator[Zammad]:
    desk = Zammad(now=lambda: 1_795_320_000.0)
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
async def client(desk: Zammad) -> AsyncIterator[Client]:
    async with ClientSession() as http:
        yield Client(desk, http)


async def test_a_ticket_and_its_article_are_made_together(desk: Zammad, client: Client) -> None:
    status, ticket = await client.create()
    assert (status, ticket["priority"], ticket["state"], ticket[KEY_FIELD]) == (201, "3 high", "new", "ALE-1")
    (article,) = desk.articles
    assert (article["body"], article["sender"], article["internal"]) == (ARTICLE["body"], "Customer", False)
    assert desk.created[1]["tags"] == ["投诉", "product.material_defect"]


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"group": "没有这个组"}, 422),
        ({"priority": "urgent"}, 422),
        ({"customer_id": "guess:not-an-address"}, 422),
        ({"customer_id": None}, 422),
        ({"title": ""}, 422),
        ({"title": "长" * 251}, 422),
        ({"tags": ["a", "b"]}, 500),
        ({"article": {"body": ""}}, 422),
        ({"article": {"body": "长" * 101}}, 422),
        ({"article": {**ARTICLE, "type": "letter"}}, 422),
        ({"article": {**ARTICLE, "attachments": [{"filename": "a.jpg", "data": "aGk="}]}}, 422),
        ({"article": {**ARTICLE, "attachments": [{"filename": "a", "data": "#", "mime-type": "a/b"}]}}, 422),
    ],
)
async def test_what_is_refused_leaves_nothing_behind(
    desk: Zammad, client: Client, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], status: int
) -> None:
    monkeypatch.setattr(zammad, "MAX_BODY_CHARS", 100)
    assert (await client.create(**changed))[0] == status
    assert not desk.created
    assert not desk.articles


async def test_an_unknown_field_vanishes_without_a_word(desk: Zammad, client: Client) -> None:
    status, ticket = await client.create(no_such_field="x", order_number="2026112200017")
    assert status == 201
    assert "no_such_field" not in ticket
    assert ticket["order_number"] == "2026112200017"


async def test_customers_are_found_by_address_or_login_and_made_once(desk: Zammad, client: Client) -> None:
    await client.create()
    await client.create(customer_id="guess:LiLei@mail.example.cn")
    for _ in range(2):
        await client.create(customer_id=None, customer={"login": "wechat-oA1b", "firstname": "韩梅梅"})
    customers = [ticket["customer_id"] for ticket in desk.created.values()]
    assert customers[0] == customers[1] != customers[2] == customers[3]


async def test_files_are_kept_as_they_were(desk: Zammad, client: Client) -> None:
    content = bytes(range(256))
    sent = {"filename": "碎屏 照片.jpg", "data": base64.b64encode(content).decode(), "mime-type": "image/jpeg"}
    await client.create(article={**ARTICLE, "attachments": [sent]})
    (kept,) = desk.articles[0]["attachments"]
    assert kept["filename"] == "碎屏 照片.jpg"
    assert kept["sha256"] == hashlib.sha256(content).hexdigest()


async def test_a_condition_sees_every_write_at_once(desk: Zammad, client: Client) -> None:
    desk.lag_seconds = 3600
    await client.create()
    assert await client.found(BY_KEY) == ["ALE-1"]
    assert await client.found({"condition": {f"ticket.{KEY_FIELD}": {"operator": "is", "value": "ALE-2"}}}) == []
    assert await client.found({"query": f'{KEY_FIELD}:"ALE-1"'}) == [], "the search engine lags"


async def test_without_a_search_engine_a_field_query_finds_nothing(desk: Zammad, client: Client) -> None:
    desk.has_search_engine = False
    await client.create()
    assert await client.found({"query": f'{KEY_FIELD}:"ALE-1"'}) == []
    assert await client.found({"query": "申请退款"}) == ["ALE-1"]


async def test_a_condition_without_its_table_is_dropped_and_finds_anything(client: Client) -> None:
    await client.create()
    assert await client.found({"condition": {KEY_FIELD: {"operator": "is", "value": "nobody's"}}}) == ["ALE-1"]


async def test_a_condition_on_a_field_nobody_made_is_an_error(client: Client) -> None:
    await client.create()
    condition = {"condition": {"ticket.no_such_field": {"operator": "is", "value": "x"}}}
    assert (await client.ask("POST", "/tickets/search?expand=true", condition))[0] == 422


async def test_an_old_version_answers_a_search_with_ids(desk: Zammad, client: Client) -> None:
    desk.answers_plainly = True
    await client.create()
    _, answer = await client.ask("POST", "/tickets/search", BY_KEY)
    assert answer["tickets"] == [1]
    assert await client.found(BY_KEY) == ["ALE-1"]


async def test_articles_of_a_merged_ticket_move_and_a_closed_one_stays_closed(desk: Zammad, client: Client) -> None:
    await client.create()
    await client.create(**{KEY_FIELD: "ALE-2"})
    desk.merge(1, 2)
    _, ticket = await client.ask("GET", "/tickets/1?expand=true")
    assert ticket["state"] == "merged"
    assert len((await client.ask("GET", "/ticket_articles/by_ticket/2"))[1]) == 2
    desk.change(2, state="closed")
    status, article = await client.ask(
        "POST", "/ticket_articles", {"ticket_id": 2, "body": "还没人理我", "internal": True}
    )
    assert (status, article["internal"], article["sender"]) == (201, True, "Agent")
    assert desk.created[2]["state"] == "closed"


async def test_an_update_changes_the_ticket_and_adds_the_article_together(desk: Zammad, client: Client) -> None:
    await client.create()
    desk.change(1, state="closed")
    change = {"state": "open", "article": {"body": "还没人理我"}}
    assert (await client.ask("PUT", "/tickets/1", change))[0] == 200
    assert desk.created[1]["state"] == "open"
    assert (await client.ask("PUT", "/tickets/1", {"state": "new", "article": {"body": ""}}))[0] == 422
    assert desk.created[1]["state"] == "open"


async def test_what_the_token_may_not_see_it_does_not_find(desk: Zammad, client: Client) -> None:
    await client.create()
    desk.change(1, group="Users")
    desk.access = {"投诉": "full"}
    assert await client.found(BY_KEY) == []
    assert (await client.ask("GET", "/tickets/1"))[0] == 403
    assert (await client.ask("POST", "/ticket_articles", {"ticket_id": 1, "body": "x"}))[0] == 403
    assert (await client.create(group="Users"))[0] == 403
    desk.delete(1)
    assert (await client.ask("POST", "/ticket_articles", {"ticket_id": 1, "body": "x"}))[0] == 404
    assert (await client.ask("GET", "/tickets/1", token="wrong"))[0] == 401


@pytest.mark.parametrize(
    ("trouble", "made"),
    [(Fault.LOSE_ANSWER, 1), (Fault.LATE, 0), (Mishap.CUT_BEFORE, 0), (Mishap.TWICE, 2)],
)
async def test_troubles(desk: Zammad, client: Client, trouble: Fault | Mishap, made: int) -> None:
    desk.plan(trouble)
    if trouble is Mishap.TWICE:
        await client.create()
    else:
        with pytest.raises(ClientConnectionError):
            await client.create()
    assert len(desk.created) == made
    await desk.land()
    assert len(desk.created) == made + (trouble is Fault.LATE)


async def test_a_look_up_meets_no_trouble_that_was_meant_for_a_write(desk: Zammad, client: Client) -> None:
    desk.plan(Mishap.BROKEN_AFTER)
    assert await client.found(BY_KEY) == []
    with pytest.raises(ContentTypeError):
        await client.create()
    assert len(desk.created) == 1


async def test_webhooks_are_signed_over_the_bytes_that_are_sent(desk: Zammad, client: Client) -> None:
    await client.create()
    desk.change(1, owner="allears@example.com", state="closed")
    headers, body = desk.hook(1)
    expected = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha1).hexdigest()
    assert headers["X-Hub-Signature"] == f"sha1={expected}"
    assert '"state": "closed"' in body.decode()


async def test_another_client_gets_along_with_it(desk: Zammad) -> None:
    def work() -> list[Any]:
        api = ZammadAPI(url=f"{desk.url}/api/v1/", http_token=TOKEN)
        made = api.ticket.create(TICKET)
        api.ticket_article.create({"ticket_id": made["id"], "body": "还没人理我", "internal": True})
        changed = api.ticket.update(made["id"], {"state": "closed"})
        articles = [article["body"] for article in api.ticket.articles(made["id"])]
        found = [ticket["id"] for ticket in api.ticket.search("屏幕")]
        priorities = [one["name"] for one in api.ticket_priority.all()]
        listed = len(api.ticket.all())
        return [api.user.me()["login"], changed["state"], articles, found, priorities, listed]

    me, state, articles, found, priorities, listed = await asyncio.to_thread(work)
    assert (me, state, found, listed) == ("allears@example.com", "closed", [1], 1)
    assert articles == [ARTICLE["body"], "还没人理我"]
    assert "3 high" in priorities
