"""Roundup itself, as its sink relies on it: what is tried here is true of the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from bench.servers.roundup import MOUNT, READER, USER, Roundup


@pytest.fixture(scope="module")
def server() -> Iterator[Roundup]:
    with Roundup() as server:
        yield server


@pytest.fixture
async def roundup(server: Roundup) -> AsyncIterator[Roundup]:
    await server.clear()
    yield server


async def call(server: Roundup, method: str, path: str, **request: Any) -> httpx.Response:
    headers = {"X-Requested-With": "x", "Origin": server.url.removesuffix(MOUNT), **request.pop("headers", {})}
    return await server.ask(method, f"/rest/data/{path}", auth=request.pop("auth", USER), headers=headers, **request)


async def make_issue(server: Roundup, key: str) -> str:
    made = await call(server, "POST", "issue", json={"title": "屏幕碎了", "complaint_id": key})
    return str(made.json()["data"]["id"])


async def find(server: Roundup, key: str, operator: str = "%3A=") -> list[str]:
    found = await call(server, "GET", f"issue?complaint_id{operator}{key}&@fields=complaint_id")
    return [one["complaint_id"] for one in found.json()["data"]["collection"]]


async def test_a_look_up_sees_every_write_at_once(roundup: Roundup) -> None:
    for number in range(20):
        await make_issue(roundup, f"ALE-{number}")
        assert await find(roundup, f"ALE-{number}") == [f"ALE-{number}"]
    assert len(await find(roundup, "ALE-1", operator="=")) > 1, "without the colon it finds parts of words"
    unknown = await call(roundup, "GET", "issue?complaintid%3A=ALE-1")
    assert (unknown.status_code, unknown.json()["error"]["msg"]) == (
        400,
        "Field complaintid is not valid for issue class.",
    )


async def test_a_one_shot_link_makes_one_issue(roundup: Roundup) -> None:
    link = (await call(roundup, "POST", "issue/@poe", json={})).json()["data"]["link"].partition("/rest/data/")[2]
    assert (await call(roundup, "POST", link, json={"title": "一", "complaint_id": "ALE-A"})).status_code == 201
    again = await call(roundup, "POST", link, json={"title": "一", "complaint_id": "ALE-A"})
    assert again.status_code == 400
    assert "not valid" in again.json()["error"]["msg"]
    assert await find(roundup, "ALE-A") == ["ALE-A"]


async def test_a_refused_issue_uses_its_link_up(roundup: Roundup) -> None:
    link = (await call(roundup, "POST", "issue/@poe", json={})).json()["data"]["link"].partition("/rest/data/")[2]
    refused = await call(roundup, "POST", link, json={"titel": "一"})
    assert refused.json()["error"]["msg"] == "Property titel not found in class issue"
    assert "not valid" in (await call(roundup, "POST", link, json={"title": "一"})).json()["error"]["msg"]


async def test_a_change_needs_the_newest_etag(roundup: Roundup) -> None:
    issue = await make_issue(roundup, "ALE-B")
    message = (await call(roundup, "POST", "msg", json={"content": "第二次", "author": USER[0]})).json()["data"]["id"]
    change = {"@op": "add", "messages": [message]}
    etag = (await call(roundup, "GET", f"issue/{issue}")).headers["ETag"]
    assert (await call(roundup, "PATCH", f"issue/{issue}", json=change)).status_code == 412
    for expected in (200, 412):
        patched = await call(roundup, "PATCH", f"issue/{issue}", json=change, headers={"If-Match": etag})
        assert patched.status_code == expected
    (there,) = await roundup.items("issue")
    assert [one["id"] for one in there["messages"]] == [message]


async def test_a_message_needs_an_author(roundup: Roundup) -> None:
    message = (await call(roundup, "POST", "msg", json={"content": "没有作者"})).json()["data"]["id"]
    refused = await call(roundup, "POST", "issue", json={"title": "一", "messages": [message]})
    assert refused.status_code == 409
    assert await roundup.items("issue") == []


async def test_a_retired_issue_is_read_but_neither_listed_nor_changed(roundup: Roundup) -> None:
    issue = await make_issue(roundup, "ALE-C")
    await roundup.retire("issue", issue)
    read = await call(roundup, "GET", f"issue/{issue}")
    assert read.status_code == 200
    assert await find(roundup, "ALE-C") == []
    assert (await call(roundup, "GET", f"issue?id={issue}")).json()["data"]["collection"] == []
    headers = {"If-Match": read.headers["ETag"]}
    assert (await call(roundup, "PATCH", f"issue/{issue}", json={"title": "x"}, headers=headers)).status_code == 409


async def test_files_keep_their_names_and_bytes(roundup: Roundup) -> None:
    form = {"name": "碎屏 照片.jpg", "type": "image/jpeg"}
    made = await call(
        roundup, "POST", "file", data=form, files={"content": ("f", b"\xff\xd8\x00\xfe", "application/octet-stream")}
    )
    assert made.status_code == 201
    (file,) = await roundup.items("file")
    assert (file["name"], file["type"], file["content"]) == ("碎屏 照片.jpg", "image/jpeg", b"\xff\xd8\x00\xfe")


async def test_what_is_refused(roundup: Roundup) -> None:
    bare = await roundup.ask("POST", "/rest/data/issue", auth=USER, json={"title": "x"})
    assert (bare.status_code, bare.json()["error"]["msg"]) == (400, "Required Header Missing")
    assert (await call(roundup, "GET", "issue", auth=READER)).status_code == 403
    assert (await call(roundup, "GET", "issue", auth=(USER[0], "wrong"))).status_code == 401
    assert (await call(roundup, "GET", "issue/999999")).status_code == 404
    wrong = await call(roundup, "POST", "issue", json={"title": "x", "priority": "no such"})
    assert (wrong.status_code, wrong.json()["error"]["msg"]) == (400, "property priority: 'no such' is not a priority.")
    iso = await call(roundup, "POST", "issue", json={"title": "x", "received": "2026-11-22T03:59:42Z"})
    assert iso.status_code == 400
    own = await call(roundup, "POST", "issue", json={"title": "x", "received": "2026-11-22.03:59:42"})
    assert own.status_code == 201
