"""What the simulated Freshdesk does is what Freshdesk documents; a client that others wrote works with it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from freshdesk.v2.api import API
from freshdesk.v2.errors import FreshdeskBadRequest, FreshdeskNotFound, FreshdeskRateLimited

from allears_sdk.testing import FakeClock
from allears_sdk.testing.memory import Fault
from bench.servers.freshdesk import API_KEY, AUTHORIZATION, LAG_SECONDS, Freshdesk

KEY = "ALE-7K3M-Q9TX-4RWD-AB12CD"


def ticket(**fields: Any) -> dict[str, Any]:
    made = {
        "subject": "屏幕碎了",
        "description": "<p>屏幕碎了😡</p>",
        "email": "lilei@mail.example.cn",
        "status": 2,
        "priority": 3,
        "custom_fields": {"cf_complaint_id": KEY},
        **fields,
    }
    return {name: value for name, value in made.items() if value is not None}


class Caller:
    """Speaks to the simulator as anybody may."""

    def __init__(self, desk: Freshdesk, session: aiohttp.ClientSession) -> None:
        self.desk = desk
        self._session = session

    async def __call__(self, method: str, path: str, json_: object = None, **more: Any) -> tuple[int, Any]:
        async with self._session.request(method, f"{self.desk.url}/api/v2{path}", json=json_, **more) as answer:
            return answer.status, await answer.json(content_type=None) if await answer.read() else None


@pytest.fixture
async def desk(clock: FakeClock) -> AsyncIterator[Freshdesk]:
    desk = Freshdesk(lambda: clock.now().timestamp())
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
async def call(desk: Freshdesk) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession(headers={"Authorization": AUTHORIZATION}) as session:
        yield Caller(desk, session)


async def test_the_search_lags_and_the_plain_list_does_not(call: Caller, clock: FakeClock) -> None:
    since = "/tickets?updated_since=2026-11-22T03:59:00Z&order_by=updated_at&per_page=100"
    search = f"/search/tickets?query=\"cf_complaint_id:'{KEY}'\""
    assert (await call("POST", "/tickets", ticket()))[0] == 201
    assert (await call("GET", search))[1] == {"total": 0, "results": []}
    assert [one["custom_fields"]["cf_complaint_id"] for one in (await call("GET", since))[1]] == [KEY]
    clock.advance(LAG_SECONDS)
    assert (await call("GET", search))[1]["total"] == 1
    clock.advance(31 * 86_400)
    assert (await call("GET", "/tickets"))[1] == []


@pytest.mark.parametrize(
    "query", ["cf_complaint_id:'ALE-1'", "\"cf_nothing:'ALE-1'\"", "\"cf_complaint_id:'" + "A" * 600 + "'\""]
)
async def test_a_query_needs_its_quotes_a_known_field_and_512_characters_at_most(call: Caller, query: str) -> None:
    assert (await call("GET", "/search/tickets", params={"query": query}))[0] == 400


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"email": None}, ("requester_id", "missing_field")),
        ({"email": None, "phone": "13800138000"}, ("name", "missing_field")),
        ({"email": "李雷"}, ("email", "invalid_value")),
        ({"priority": "high"}, ("priority", "invalid_value")),
        ({"status": None}, ("status", "invalid_value")),
        ({"external_id": "ALE-1"}, ("external_id", "invalid_field")),
        ({"custom_fields": {"cf_nothing": "x"}}, ("cf_nothing", "invalid_field")),
        ({"custom_fields": {"cf_category": "屏幕"}}, ("cf_category", "invalid_value")),
        ({"tags": ["标" * 33]}, ("tags", "invalid_value")),
        ({"description": ""}, ("description", "missing_field")),
    ],
)
async def test_what_it_refuses(call: Caller, fields: dict[str, Any], fault: tuple[str, str]) -> None:
    status, refused = await call("POST", "/tickets", ticket(**fields))
    assert status == 400
    assert [(one["field"], one["code"]) for one in refused["errors"]] == [fault]
    assert not call.desk.created


@pytest.mark.parametrize("fields", [{"unique_external_id": "wx-1"}, {"phone": "13800138000", "name": "李雷"}])
async def test_a_requester_needs_no_address(call: Caller, fields: dict[str, Any]) -> None:
    assert (await call("POST", "/tickets", ticket(email=None, **fields)))[0] == 201


async def test_notes_stay_inside_unless_they_say_otherwise(call: Caller) -> None:
    await call("POST", "/tickets", ticket())
    await call("POST", "/tickets/301/notes", {"body": "<p>还没人理我</p>"})
    await call("POST", "/tickets/301/notes", {"body": "公开", "private": False})
    await call("POST", "/tickets/301/reply", {"body": "您好"})
    _, said = await call("GET", "/tickets/301/conversations")
    assert [(one["body_text"].strip(), one["private"]) for one in said] == [
        ("还没人理我", True),
        ("公开", False),
        ("您好", False),
    ]


async def test_a_closed_ticket_takes_notes_and_a_deleted_one_is_not_there(call: Caller) -> None:
    await call("POST", "/tickets", ticket())
    call.desk.update(301, status=5)
    assert (await call("POST", "/tickets/301/notes", {"body": "催"}))[0] == 201
    assert call.desk.tickets[301].fields["status"] == 5
    call.desk.delete(301)
    assert await call("POST", "/tickets/301/notes", {"body": "催"}) == (404, None)


async def test_files_come_with_a_form_and_are_20_mb_at_most(call: Caller) -> None:
    said = {"subject": "2026", "description": "看图", "email": "a@example.com", "status": "2"}
    form = aiohttp.FormData(said, quote_fields=False)
    form.add_field("priority", "1")
    form.add_field("custom_fields[cf_order]", "2026112200017")
    form.add_field("tags[]", "破损")
    form.add_field("attachments[]", b"\xff\xd8", filename="碎屏 照片.jpg", content_type="image/jpeg")
    status, made = await call("POST", "/tickets", data=form)
    assert (status, made["subject"], made["custom_fields"]["cf_order"]) == (201, "2026", "2026112200017")
    assert [(file["name"], file["size"]) for file in call.desk.files] == [("碎屏 照片.jpg", 2)]
    large = aiohttp.FormData({"body": "看图"})
    large.add_field("attachments[]", io.BytesIO(bytes((20 << 20) + 1)), filename="x.bin")
    status, refused = await call("POST", "/tickets/301/notes", data=large)
    assert (status, refused["errors"][0]["code"]) == (400, "invalid_size")


async def test_unknown_names_in_a_list_are_refused(call: Caller) -> None:
    assert (await call("GET", "/tickets?external_id=ALE-1"))[0] == 400


async def test_only_its_key_opens_it(desk: Freshdesk) -> None:
    async with aiohttp.ClientSession() as session:
        for headers in ({}, {"Authorization": "Basic eDpY"}, {"Authorization": "Bearer x"}):
            async with session.get(f"{desk.url}/api/v2/agents/me", headers=headers) as answer:
                assert (answer.status, (await answer.json())["code"]) == (401, "invalid_credentials")


def client_of(desk: Freshdesk) -> API:
    client = API("shop.freshdesk.com", API_KEY)
    client._api_prefix = f"{desk.url}/api/v2/"
    return client


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # that client leaves the files it sends open
async def test_a_client_that_others_wrote_works_with_it(desk: Freshdesk, clock: FakeClock, tmp_path: Path) -> None:
    client = client_of(desk)
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    given = ticket(attachments=[str(tmp_path / "photo.jpg")])
    made = await asyncio.to_thread(lambda: client.tickets.create_ticket(**given))
    assert made.custom_fields["cf_complaint_id"] == KEY
    await asyncio.to_thread(client.comments.create_note, made.id, "催", private=True)
    assert [one.body for one in await asyncio.to_thread(client.comments.list_comments, made.id)] == ["催"]
    listed = await asyncio.to_thread(client.tickets.list_tickets, filter_name=None, updated_since="2026-11-22")
    assert [one.id for one in listed] == [made.id]
    clock.advance(LAG_SECONDS)
    found = await asyncio.to_thread(client.tickets.filter_tickets, f"cf_complaint_id:'{KEY}'")
    assert [one.id for one in found] == [made.id]
    assert "cf_order" in [one.name for one in await asyncio.to_thread(client.ticket_fields.list_ticket_fields)]
    client._session.close()


async def test_that_client_knows_its_refusals(desk: Freshdesk) -> None:
    client = client_of(desk)
    with pytest.raises(FreshdeskBadRequest, match="Validation failed"):
        await asyncio.to_thread(client.tickets.create_ticket, "无申请人")
    with pytest.raises(FreshdeskNotFound):
        await asyncio.to_thread(client.tickets.get_ticket, 999)
    desk.plan(Fault.TOO_MANY)
    with pytest.raises(FreshdeskRateLimited, match="7 seconds"):
        await asyncio.to_thread(lambda: client.tickets.create_ticket(**ticket()))
    client._session.close()
