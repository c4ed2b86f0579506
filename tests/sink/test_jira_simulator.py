"""The simulated Jira does what the documents say, also for a client that others wrote."""

from __future__ import annotations

import asyncio
import io
import warnings
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bench.servers.desk import Mishap
from bench.servers.jira import Jira
from bench.servers.jira_site import EMAIL, TOKEN, plain

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import jira as client

SUMMARY = "屏幕碎了😡 The screen cracked"


@pytest.fixture
async def desk() -> AsyncIterator[Jira]:
    desk = Jira()
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
async def data_center() -> AsyncIterator[Jira]:
    desk = Jira(is_cloud=False)
    await desk.start()
    yield desk
    await desk.stop()


def document(text: str) -> dict[str, Any]:
    return {
        "type": "doc",
        "version": 1,
        "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}],
    }


def fields(**more: Any) -> dict[str, Any]:
    return {"project": {"key": "CMP"}, "issuetype": {"name": "Task"}, "summary": SUMMARY, **more}


async def ask(desk: Jira, method: str, path: str, *, token: str = TOKEN, **given: Any) -> tuple[int, Any]:
    headers = {"Authorization": aiohttp.encode_basic_auth(EMAIL, token), **given.pop("headers", {})}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(method, desk.url + path, **given) as answer,
    ):
        is_json = answer.content_type == "application/json"
        return answer.status, await answer.json() if is_json else await answer.text()


async def create(desk: Jira, **more: Any) -> tuple[int, Any]:
    return await ask(desk, "POST", "/rest/api/3/issue", json={"fields": fields(**more)})


async def search(desk: Jira, jql: str, **more: str) -> tuple[int, Any]:
    query = {"jql": jql, "fields": "labels", **more}
    return await ask(desk, "GET", "/rest/api/3/search/jql", params=query)


def used_by_others(url: str, use: Any) -> Any:
    site = client.JIRA(server=url, basic_auth=(EMAIL, TOKEN), max_retries=0)
    try:
        return use(site)
    finally:
        site.close()  # type: ignore[no-untyped-call] # of theirs


async def test_the_client_that_others_wrote_works_with_the_cloud(desk: Jira) -> None:
    def use(site: client.JIRA) -> tuple[str, list[str], list[str]]:
        made = site.create_issue(fields=fields(labels=["ale-1"]), prefetch=False)
        site.add_comment(made.key, "内部 note", is_internal=True)
        site.add_attachment(made.key, io.BytesIO(b"\xff\xd8\xff"), filename="screen.jpg")
        found = site.search_issues('labels = "ale-1"', fields="summary")
        assert site.myself()["displayName"] == "allears"
        return str(made.key), [str(one.key) for one in found], [str(one.fields.summary) for one in found]

    key, found, titles = await asyncio.to_thread(used_by_others, desk.url, use)
    assert (found, titles) == ([key], [SUMMARY])
    issue = desk.site.find(key)
    assert [(plain(one.body), one.is_public) for one in issue.comments] == [("内部 note", False)]
    assert issue.files == {"screen.jpg": b"\xff\xd8\xff"}


async def test_the_client_that_others_wrote_works_with_a_data_center(data_center: Jira) -> None:
    def use(site: client.JIRA) -> list[str]:
        site.create_issue(fields=fields(description="第一行\nsecond"), prefetch=False)
        return [str(one.fields.description) for one in site.search_issues("project = CMP")]

    assert await asyncio.to_thread(used_by_others, data_center.url, use) == ["第一行\nsecond"]


async def test_the_index_lags_and_the_keys_do_not(desk: Jira) -> None:
    clock = [1_795_320_000.0]
    desk.now = desk.site.now = lambda: clock[0]
    desk.lag_seconds = 7200
    _, made = await create(desk, labels=["ale-1"])
    for waited, there in ((0, []), (7199, []), (1, [made["id"]])):
        clock[0] += waited
        _, found = await search(desk, 'labels = "ale-1"')
        assert [one["id"] for one in found["issues"]] == there
        status, fetched = await ask(
            desk, "POST", "/rest/api/3/issue/bulkfetch", json={"issueIdsOrKeys": [made["key"], "CMP-99"]}
        )
        assert (status, [one["key"] for one in fetched["issues"]]) == (200, [made["key"]])


async def test_a_search_without_rights_finds_nothing_and_does_not_say_so(desk: Jira) -> None:
    await create(desk, labels=["ale-1"])
    desk.site.permissions.discard("BROWSE_PROJECTS")
    assert await search(desk, 'labels = "ale-1"') == (200, {"issues": [], "isLast": True})


@pytest.mark.parametrize("jql", ["", "ORDER BY created DESC", 'flavour = "x"', "labels ="])
async def test_queries_that_are_refused(desk: Jira, jql: str) -> None:
    status, body = await search(desk, jql)
    assert (status, len(body["errorMessages"])) == (400, 1)


@pytest.mark.parametrize(
    ("jql", "numbers"),
    [
        ('project = "CMP" ORDER BY key DESC', [3, 2, 1]),
        ('summary ~ "\\"ALE-7K3M-Q9TX\\"" AND project = CMP', [2]),
        ('labels = "ale-x" OR summary ~ "else"', [3]),
        ('created >= "-1h" AND project = CMP', [3]),
        ('created <= "-24h" AND project = CMP', [1]),
    ],
)
async def test_queries_that_find(desk: Jira, jql: str, numbers: list[int]) -> None:
    clock = [1_795_320_000.0]
    desk.now = desk.site.now = lambda: clock[0]
    for summary in ("Q9TX ALE 7K3M", "[ALE-7K3M-Q9TX] 退款", "else"):
        desk.site.make("CMP", summary=summary)
        desk.site.make("OPS", summary=summary)
        clock[0] += 50_000
    clock[0] -= 49_000
    assert [int(one.key[4:]) for one in desk.site.search(jql) if one.project == "CMP"] == numbers


async def test_pages_of_a_search(desk: Jira) -> None:
    for _ in range(5):
        await create(desk)
    seen: list[str] = []
    more: dict[str, str] = {}
    while True:
        _, page = await search(desk, "project = CMP ORDER BY key ASC", maxResults="2", **more)
        seen += [one["key"] for one in page["issues"]]
        if page["isLast"]:
            break
        more = {"nextPageToken": page["nextPageToken"]}
    assert seen == [f"CMP-{number}" for number in range(1, 6)]


async def test_the_old_search_is_gone_from_the_cloud(desk: Jira, data_center: Jira) -> None:
    assert (await ask(desk, "GET", "/rest/api/2/search", params={"jql": "project = CMP"}))[0] == 410
    assert (await ask(data_center, "GET", "/rest/api/2/search", params={"jql": "project = CMP"}))[0] == 200
    assert (await ask(data_center, "GET", "/rest/api/2/search/jql", params={"jql": "project = CMP"}))[0] == 404


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"customfield_99999": "x"}, "customfield_99999"),
        ({"description": "text"}, "description"),
        ({"description": document("长" * 32_768)}, "description"),
        ({"description": document("")}, "description"),
        ({"summary": "x" * 256}, "summary"),
        ({"summary": "a\nb"}, "summary"),
        ({"labels": ["with space"]}, "labels"),
        ({"priority": {"name": "P1"}}, "priority"),
        ({"project": {"key": "NONE"}}, "project"),
        ({"issuetype": {"name": "Beschwerde"}}, "issuetype"),
    ],
)
async def test_what_a_creation_refuses(desk: Jira, bad: dict[str, Any], named: str) -> None:
    status, body = await create(desk, **bad)
    assert (status, list(body["errors"])) == (400, [named])
    assert not desk.site.issues


async def test_moved_and_deleted_issues(desk: Jira) -> None:
    _, made = await create(desk)
    desk.site.move(made["key"], "OPS")
    status, there = await ask(desk, "GET", f"/rest/api/3/issue/{made['key']}")
    assert (status, there["key"]) == (200, "OPS-1")
    desk.site.delete("OPS-1")
    status, gone = await ask(desk, "POST", f"/rest/api/3/issue/{made['key']}/comment", json={"body": document("?")})
    assert (status, gone["errorMessages"]) == (404, ["Issue does not exist or you do not have permission to see it."])


async def test_a_wrong_token(desk: Jira) -> None:
    status, text = await ask(desk, "GET", "/rest/api/3/myself", token="wrong")
    assert (status, text) == (401, "Client must be authenticated to access this resource.")


async def test_requests_of_customers(desk: Jira) -> None:
    given = {
        "serviceDeskId": "4",
        "requestTypeId": "25",
        "requestFieldValues": {"summary": SUMMARY, "description": "d"},
    }
    status, made = await ask(desk, "POST", "/rest/servicedeskapi/request", json=given)
    assert status == 201
    refused = {**given, "requestFieldValues": {"summary": SUMMARY, "labels": ["ale-1"]}}
    assert (await ask(desk, "POST", "/rest/servicedeskapi/request", json=refused))[0] == 400
    await ask(
        desk,
        "POST",
        f"/rest/servicedeskapi/request/{made['issueKey']}/comment",
        json={"body": "只有我们看得见", "public": False},
    )
    assert [one.is_public for one in desk.site.find(made["issueKey"]).comments] == [False]


async def test_a_temporary_file_serves_once(desk: Jira) -> None:
    desk.site.make("CMP", summary=SUMMARY)
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("file", b"\xff\xd8", filename="碎屏 照片.jpg", content_type="image/jpeg")
    path = "/rest/servicedeskapi/servicedesk/4/attachTemporaryFile"
    _, made = await ask(desk, "POST", path, data=form, headers={"X-Atlassian-Token": "no-check"})
    (token,) = [one["temporaryAttachmentId"] for one in made["temporaryAttachments"]]
    for status in (201, 400):
        given = {"temporaryAttachmentIds": [token], "public": False}
        assert (await ask(desk, "POST", "/rest/servicedeskapi/request/CMP-1/attachment", json=given))[0] == status
    assert desk.site.find("CMP-1").files == {"碎屏 照片.jpg": b"\xff\xd8"}


async def test_files_need_the_header_and_a_fitting_size(desk: Jira) -> None:
    desk.site.make("CMP", summary=SUMMARY)
    desk.site.upload_limit = 3
    for headers, data, status in (({}, b"1", 403), ({"X-Atlassian-Token": "no-check"}, b"1234", 413)):
        form = aiohttp.FormData()
        form.add_field("file", data, filename="a.txt")
        path = "/rest/api/3/issue/CMP-1/attachments"
        assert (await ask(desk, "POST", path, data=form, headers=headers))[0] == status


async def test_looking_up_meets_no_trouble_that_waits_for_work(desk: Jira) -> None:
    desk.plan(Mishap.BROKEN_AFTER)
    await ask(desk, "POST", "/rest/api/3/issue/bulkfetch", json={"issueIdsOrKeys": ["CMP-1"]})
    await search(desk, "project = CMP")
    status, _ = await create(desk)
    assert (status, len(desk.site.issues)) == (500, 1)
