"""The simulated 简道云 as its documents describe the real one; where they are silent, at its worst."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bench.servers.jiandaoyun import API_KEY, APP, FORM, TRANSACTION_SECONDS, Jiandaoyun

KEY = "ALE-7K3M-Q9TX-4RWD-AB12CD"
TRANSACTION = "87cd7d71-c6df-4281-9927-469094395677"


class Clock:
    at = 1_800_000_000.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def desk(clock: Clock) -> AsyncIterator[Jiandaoyun]:
    desk = Jiandaoyun(lambda: clock.at)
    await desk.start()
    yield desk
    await desk.stop()


async def ask(desk: Jiandaoyun, path: str, *, key: str = API_KEY, **given: Any) -> tuple[int, dict[str, Any]]:
    body = {"app_id": APP, "entry_id": FORM, **given}
    async with (
        aiohttp.ClientSession(desk.url, headers={"Authorization": f"Bearer {key}"}) as session,
        session.post(f"/api/v5/app/entry/{path}", json=body) as answer,
    ):
        return answer.status, await answer.json()


async def upload(desk: Jiandaoyun, token: str, name: str, content: bytes) -> tuple[int, dict[str, Any]]:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("token", token)
    form.add_field("file", content, filename=name, content_type="image/jpeg")
    async with aiohttp.ClientSession(desk.url) as session, session.post("/upload", data=form) as answer:
        return answer.status, await answer.json()


async def find(desk: Jiandaoyun, field: str, value: str) -> list[dict[str, Any]]:
    condition = {"field": field, "type": "text", "method": "eq", "value": [value]}
    _, answer = await ask(desk, "data/list", filter={"rel": "and", "cond": [condition]}, limit=100)
    listed: list[dict[str, Any]] = answer["data"]
    return listed


async def test_a_transaction_makes_a_batch_once_within_an_hour(desk: Jiandaoyun, clock: Clock) -> None:
    row = {"allears_key": {"value": KEY}}
    for text in ("一", "二"):
        row["_widget_2"] = {"value": text}
        status, answer = await ask(desk, "data/batch_create", data_list=[row], transaction_id=TRANSACTION)
        assert (status, answer["success_count"]) == (200, 1)
    assert [one["_widget_2"] for one in desk.created] == ["二"]
    clock.at += TRANSACTION_SECONDS
    await ask(desk, "data/batch_create", data_list=[row], transaction_id=TRANSACTION)
    assert len(desk.created) == 2


async def test_one_alone_is_made_as_often_as_it_is_sent(desk: Jiandaoyun) -> None:
    for _ in range(2):
        await ask(desk, "data/create", data={"allears_key": {"value": KEY}}, transaction_id=TRANSACTION)
    assert len(desk.created) == 2


async def test_a_filter_that_does_not_suit_its_field_is_ignored(desk: Jiandaoyun) -> None:
    for key in (KEY, "ALE-2"):
        await ask(desk, "data/create", data={"allears_key": {"value": key}, "_widget_3": {"value": key}})
    assert len(await find(desk, "allears_key", KEY)) == 1
    assert len(await find(desk, "_widget_3", KEY)) == 2
    assert len(await find(desk, "no_such_field", KEY)) == 2


async def test_unknown_fields_vanish(desk: Jiandaoyun) -> None:
    status, answer = await ask(desk, "data/create", data={"_widget_99": {"value": "x"}})
    assert status == 201
    assert "_widget_99" not in answer["data"]


async def test_files_belong_to_their_transaction_and_tokens_serve_once(desk: Jiandaoyun) -> None:
    _, tokens = await ask(desk, "file/get_upload_token", transaction_id=TRANSACTION)
    token = tokens["token_and_url_list"][0]["token"]
    status, answer = await upload(desk, token, "碎屏.jpg", b"photo")
    assert status == 200
    assert (await upload(desk, token, "again.jpg", b"photo"))[0] == 579
    row = {"_widget_9": {"value": [answer["key"]]}}
    assert (await ask(desk, "data/create", data=row, transaction_id="another"))[1]["code"] == 17017
    await ask(desk, "data/create", data=row, transaction_id=TRANSACTION)
    assert [one["name"] for one in desk.created[0]["_widget_9"]] == ["碎屏.jpg"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"key": "wrong"}, 17018),
        ({"app_id": "another"}, 2004),
        ({"entry_id": "another"}, 3000),
        ({"data_id": "nobody"}, 4001),
    ],
)
async def test_refusals_are_400_and_a_code(desk: Jiandaoyun, given: dict[str, str], code: int) -> None:
    status, answer = await ask(desk, "data/get", **given)
    assert (status, answer["code"]) == (400, code)
