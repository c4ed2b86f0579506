"""What the simulated Zendesk does is what Zendesk documents; a client that others wrote works with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from zendesk_toolkit import ZendeskClient
from zendesk_toolkit.errors import ZendeskError
from zendesk_toolkit.support.comments import get_ticket_comments
from zendesk_toolkit.support.tickets import add_comment_with_uploads, create_ticket, get_ticket

from allears_sdk.signing import hmac_base64
from allears_sdk.testing import FakeClock
from allears_sdk.testing.memory import Fault
from bench.servers.desk import Mishap
from bench.servers.zendesk import AUTHORIZATION, EMAIL, TOKEN, WEBHOOK_SECRET, Zendesk, signed_headers

LILEI = {"name": "李雷", "email": "lilei@mail.example.cn"}


def ticket(text: str = "屏幕碎了😡", **fields: Any) -> dict[str, Any]:
    made = {"subject": "屏幕碎了", "comment": {"body": text}, "requester": LILEI, "external_id": "ALE-1", **fields}
    return {"ticket": made}


class Caller:
    """Speaks to the simulator as anybody may."""

    def __init__(self, desk: Zendesk, session: aiohttp.ClientSession) -> None:
        self.desk = desk
        self._session = session
        self.headers: dict[str, str] = {}

    async def __call__(self, method: str, path: str, json_: object = None, **headers: str) -> tuple[int, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.request(method, f"{self.desk.url}/api/v2{path}", json=json_, headers=named) as answer:
            self.headers = dict(answer.headers)
            return answer.status, await answer.json(content_type=None)


@pytest.fixture
async def desk(clock: FakeClock) -> AsyncIterator[Zendesk]:
    desk = Zendesk(lambda: clock.now().timestamp())
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
async def call(desk: Zendesk) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession(headers={"Authorization": AUTHORIZATION}) as session:
        yield Caller(desk, session)


async def test_a_key_is_kept_for_two_hours_and_not_a_second_longer(call: Caller, clock: FakeClock) -> None:
    status, first = await call("POST", "/tickets", ticket(), Idempotency_Key="ALE-1")
    assert (status, call.headers["x-idempotency-lookup"]) == (201, "miss")
    clock.advance(7199)
    status, again = await call("POST", "/tickets", ticket(), Idempotency_Key="ALE-1")
    assert (status, again, call.headers["x-idempotency-lookup"]) == (201, first, "hit")
    status, refused = await call("POST", "/tickets", ticket("变了"), Idempotency_Key="ALE-1")
    assert (status, refused["error"]) == (400, "IdempotentRequestError")
    clock.advance(1)
    await call("POST", "/tickets", ticket(), Idempotency_Key="ALE-1")
    assert len(call.desk.created) == 2


async def test_external_ids_are_not_unique_and_other_filters_are_ignored(call: Caller) -> None:
    for key in ("ALE-1", "ALE-1", "ALE-2"):
        await call("POST", "/tickets", ticket(external_id=key))
    found = (await call("GET", "/tickets?external_id=ALE-1"))[1]["tickets"]
    assert [one["external_id"] for one in found] == ["ALE-1", "ALE-1"]
    assert len((await call("GET", "/tickets?externalid=ALE-1"))[1]["tickets"]) == 3
    assert (await call("GET", "/tickets?external_id=ALE"))[1]["tickets"] == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (ticket(""), "Description: cannot be blank"),
        (ticket(priority="P1"), "not a valid priority"),
        (ticket(requester={"name": "李雷"}), "Email: cannot be blank"),
        (ticket(requester={"email": "new@example.com"}), "Name: is too short"),
        (ticket(custom_fields=[{"id": 360003, "value": "不存在"}]), "not a valid value"),
        (ticket(comment={"body": "看图", "uploads": ["nope"]}), "upload token"),
        (ticket(via_followup_source_id=501), "not a closed ticket"),
    ],
)
async def test_what_it_refuses(call: Caller, given: dict[str, Any], words: str) -> None:
    status, refused = await call("POST", "/tickets", given)
    assert (status, refused["error"]) == (422, "RecordInvalid")
    assert words in json.dumps(refused)
    assert not call.desk.created


async def test_fields_that_the_account_does_not_have_vanish_without_a_word(call: Caller) -> None:
    given = ticket(custom_fields=[{"id": 360001, "value": "ALE-1"}, {"id": 7, "value": "x"}], nonsense="x")
    status, made = await call("POST", "/tickets", given)
    assert status == 201
    assert made["ticket"]["custom_fields"] == [{"id": 360001, "value": "ALE-1"}]


async def test_an_upload_serves_once_and_for_an_hour(call: Caller, clock: FakeClock) -> None:
    _, made = await call("POST", "/uploads?filename=%E7%A2%8E%E5%B1%8F.jpg", content_type="image/jpeg")
    token = made["upload"]["token"]
    await call("POST", f"/uploads?filename=2.jpg&token={token}")
    given = ticket(comment={"body": "看图", "uploads": [token]})
    assert (await call("POST", "/tickets", given))[0] == 201
    assert [file["file_name"] for file in call.desk.files] == ["碎屏.jpg", "2.jpg"]
    assert (await call("POST", "/tickets", given))[0] == 422
    _, made = await call("POST", "/uploads?filename=3.jpg")
    clock.advance(3601)
    given = ticket(comment={"body": "看图", "uploads": [made["upload"]["token"]]})
    assert (await call("POST", "/tickets", given))[0] == 422


async def test_closed_tickets_take_nothing_and_deleted_ones_are_not_there(call: Caller) -> None:
    for _ in range(3):
        await call("POST", "/tickets", ticket())
    call.desk.close(501)
    call.desk.merge(502, 503)
    comment = {"ticket": {"comment": {"body": "还没人理我", "public": False}}}
    for id_ in (501, 502):
        status, refused = await call("PUT", f"/tickets/{id_}", comment)
        assert (status, list(refused["details"])) == (422, ["status"])
    assert (await call("PUT", "/tickets/503", comment))[0] == 200
    follow = await call("POST", "/tickets", ticket(via_followup_source_id=501))
    assert follow[0] == 201
    call.desk.delete(503)
    assert (await call("PUT", "/tickets/503", comment))[0] == 404
    assert (await call("GET", "/tickets/503/comments"))[0] == 404


async def test_a_safe_update_loses_against_any_other(call: Caller, clock: FakeClock) -> None:
    stamp = (await call("POST", "/tickets", ticket()))[1]["ticket"]["updated_at"]
    clock.advance(5)
    given = {"ticket": {"comment": {"body": "催"}, "safe_update": True, "updated_stamp": stamp}}
    assert (await call("PUT", "/tickets/501", given))[0] == 200
    assert (await call("PUT", "/tickets/501", given))[0] == 409
    assert len(call.desk.comments) == 1


async def test_comments_come_in_pages(call: Caller) -> None:
    await call("POST", "/tickets", ticket())
    for number in range(101):
        await call("PUT", "/tickets/501", {"ticket": {"comment": {"body": f"催 {number}"}}})
    _, page = await call("GET", "/tickets/501/comments")
    assert (len(page["comments"]), page["count"]) == (100, 102)
    _, newest = await call("GET", "/tickets/501/comments?sort_order=desc")
    assert newest["comments"][0]["body"] == "催 100"


async def test_wrong_credentials_are_401_and_none_at_all_are_nobody(desk: Zendesk) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{desk.url}/api/v2/users/me") as answer:
            assert (answer.status, (await answer.json())["user"]["id"]) == (200, None)
        async with session.get(f"{desk.url}/api/v2/tickets") as answer:
            assert answer.status == 401
        async with session.get(f"{desk.url}/api/v2/users/me", headers={"Authorization": "Basic eDp5"}) as answer:
            assert answer.status == 401


@pytest.mark.parametrize(
    ("trouble", "there"),
    [(Fault.LOSE_ANSWER, 1), (Fault.LATE, 0), (Mishap.CUT_BEFORE, 0)],
)
async def test_lost_answers(call: Caller, trouble: Fault | Mishap, there: int) -> None:
    call.desk.plan(trouble)
    with pytest.raises(aiohttp.ClientError):
        await call("POST", "/tickets", ticket())
    assert len(call.desk.created) == there
    await call.desk.land()
    assert len(call.desk.created) == there + (trouble is Fault.LATE)


async def test_answers_that_lie(call: Caller) -> None:
    call.desk.plan(Mishap.BROKEN_AFTER, Mishap.TIMED_OUT_AFTER, Mishap.BUSY, Fault.TOO_MANY, Fault.REJECT)
    async with aiohttp.ClientSession(headers={"Authorization": AUTHORIZATION}) as session:
        statuses = []
        for _ in range(5):
            async with session.post(f"{call.desk.url}/api/v2/tickets", json=ticket()) as answer:
                statuses.append((answer.status, answer.headers.get("Retry-After")))
    assert statuses == [(500, None), (504, None), (503, "7"), (429, "7"), (422, None)]
    assert len(call.desk.created) == 2


async def test_its_events_are_signed_over_time_and_body(desk: Zendesk, call: Caller) -> None:
    await call("POST", "/tickets", ticket())
    desk.update(501, status="solved", assignee_id=9001)
    body = desk.event(501, current="SOLVED", previous="NEW")
    headers = signed_headers(body, "2026-11-22T04:00:00Z")
    detail = json.loads(body)["detail"]
    assert (detail["id"], detail["status"], detail["external_id"]) == ("501", "SOLVED", "ALE-1")
    expected = hmac_base64(WEBHOOK_SECRET, b"2026-11-22T04:00:00Z" + body)
    assert headers["X-Zendesk-Webhook-Signature"] == expected


async def test_a_client_that_others_wrote_works_with_it(desk: Zendesk) -> None:
    client = ZendeskClient("shop", EMAIL, TOKEN, max_retries=0)
    client.base_url = f"{desk.url}/api/v2"
    made = await asyncio.to_thread(create_ticket, client, ticket("The screen cracked. 屏幕碎了")["ticket"])
    assert made["ticket"]["external_id"] == "ALE-1"
    id_ = made["ticket"]["id"]
    uploaded = await asyncio.to_thread(client.post, "uploads.json?filename=a.txt")
    token = uploaded["upload"]["token"]
    await asyncio.to_thread(add_comment_with_uploads, client, id_, "催", [token], public=False)
    comments = (await asyncio.to_thread(get_ticket_comments, client, id_))["comments"]
    assert [(one["body"], one["public"], len(one["attachments"])) for one in comments][1:] == [("催", False, 1)]
    with pytest.raises(ZendeskError) as caught:
        await asyncio.to_thread(get_ticket, client, 999)
    assert caught.value.status == 404
    client.session.close()
