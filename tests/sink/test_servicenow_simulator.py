"""The simulated ServiceNow does what the documents say, also for its own client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pysnc
import pytest
import requests
from requests.adapters import HTTPAdapter

from bench.servers.servicenow import CLIENT_ID, CLIENT_SECRET, PASSWORD, USER, ServiceNow

TABLE = "/api/now/table/incident"


class OverPlainHttp(HTTPAdapter):
    """Its client insists on https."""

    def send(self, request: requests.PreparedRequest, *given: Any, **named: Any) -> requests.Response:
        assert request.url is not None
        request.url = request.url.replace("https:", "http:", 1)
        return super().send(request, *given, **named)


@pytest.fixture
async def desk() -> AsyncIterator[ServiceNow]:
    desk = ServiceNow()
    await desk.start()
    yield desk
    await desk.stop()


async def ask(desk: ServiceNow, method: str, path: str, *, password: str = PASSWORD, **given: Any) -> tuple[int, Any]:
    headers = {"Authorization": aiohttp.encode_basic_auth(USER, password), **given.pop("headers", {})}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(method, desk.url + path, **given) as answer,
    ):
        return answer.status, await answer.json()


async def insert(desk: ServiceNow, **values: str) -> dict[str, Any]:
    status, body = await ask(desk, "POST", TABLE, json=values)
    assert status == 201
    made: dict[str, Any] = body["result"]
    return made


async def test_its_own_client_works_with_it(desk: ServiceNow) -> None:
    def use() -> tuple[str, str]:
        with requests.Session() as session:
            session.auth = (USER, PASSWORD)
            session.mount("https://", OverPlainHttp())
            instance = pysnc.ServiceNowClient(desk.url.replace("http:", "https:"), session, auto_retry=False)
            new = instance.GlideRecord("incident")
            new.initialize()
            new.short_description = "屏幕碎了😡"
            new.correlation_id = "ALE-7K3M-Q9TX-4RWD-AB12CD"
            assert new.insert()
            found = instance.GlideRecord("incident")
            found.add_query("correlation_id", "ALE-7K3M-Q9TX-4RWD-AB12CD")
            found.query()
            assert found.next()
            found.work_notes = "客户又写信了"
            assert found.update()
            found.add_attachment("screen.jpg", b"\xff\xd8", content_type="image/jpeg")
            assert not instance.GlideRecord("incident").get("0" * 32)
            return str(found.sys_id), str(found.short_description)

    sys_id, title = await asyncio.to_thread(use)
    row = desk.find(sys_id)
    assert (title, row.values["correlation_id"]) == ("屏幕碎了😡", "ALE-7K3M-Q9TX-4RWD-AB12CD")
    assert [(name, text) for name, text, _ in row.journal] == [("work_notes", "客户又写信了")]
    assert row.files == {"screen.jpg": b"\xff\xd8"}


async def test_what_it_does_not_know_is_dropped_and_what_is_long_is_cut(desk: ServiceNow) -> None:
    desk.read_only = {"impact"}
    made = await insert(desk, short_description="长" * 200, u_unknown="x", impact="1")
    assert len(made["short_description"]) == 160
    assert "u_unknown" not in made
    assert made["impact"] == ""


async def test_a_clause_it_does_not_know_finds_everything(desk: ServiceNow) -> None:
    await insert(desk, correlation_id="A")
    await insert(desk, correlation_id="B")
    for query, found in (("correlation_id=b", 1), ("u_nothing=B", 2), ("correlation_id=B^u_nothing=1", 1)):
        _, body = await ask(desk, "GET", TABLE, params={"sysparm_query": query})
        assert len(body["result"]) == found, query
    desk.refuses_bad_queries = True
    assert (await ask(desk, "GET", TABLE, params={"sysparm_query": "u_nothing=B"}))[1] == {"result": []}


async def test_a_journal_is_read_as_people_see_it_only(desk: ServiceNow) -> None:
    sys_id = (await insert(desk))["sys_id"]
    for text in ("first", "第二"):
        await ask(desk, "PATCH", f"{TABLE}/{sys_id}", json={"work_notes": text})
    path, fields = f"{TABLE}/{sys_id}", {"sysparm_fields": "work_notes,comments"}
    assert (await ask(desk, "GET", path, params=fields))[1]["result"] == {"work_notes": "", "comments": ""}
    _, body = await ask(desk, "GET", path, params={**fields, "sysparm_display_value": "true"})
    assert body["result"]["comments"] == ""
    assert body["result"]["work_notes"].index("第二") < body["result"]["work_notes"].index("first")
    assert "(Work notes)" in body["result"]["work_notes"]


@pytest.mark.parametrize(
    ("path", "password", "status", "message"),
    [
        (TABLE, "wrong", 401, "User Not Authenticated"),
        ("/api/now/table/incidents", PASSWORD, 400, "Invalid table incidents"),
        (f"{TABLE}/{'0' * 32}", PASSWORD, 404, "No Record found"),
    ],
)
async def test_refusals(desk: ServiceNow, path: str, password: str, status: int, message: str) -> None:
    got, body = await ask(desk, "GET", path, password=password)
    assert (got, body["error"]["message"], body["status"]) == (status, message, "failure")


async def test_a_closed_record_is_read_only(desk: ServiceNow) -> None:
    sys_id = (await insert(desk))["sys_id"]
    desk.close(sys_id)
    status, body = await ask(desk, "PATCH", f"{TABLE}/{sys_id}", json={"comments": "?"})
    assert (status, body["error"]["message"]) == (403, "Operation Failed")
    assert not desk.find(sys_id).journal


async def test_a_token_of_an_application(desk: ServiceNow) -> None:
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    status, granted = await ask(desk, "POST", "/oauth_token.do", data=form)
    assert status == 200
    headers = {"Authorization": f"Bearer {granted['access_token']}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(desk.url + TABLE) as answer:
        assert answer.status == 200
    assert (await ask(desk, "POST", "/oauth_token.do", data={**form, "client_secret": "?"}))[0] == 401
