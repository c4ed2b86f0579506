"""The simulated Bitable as Feishu documents the real one, and as Feishu's own client understands it."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bench.servers.feishu_bitable import APP_ID, APP_SECRET, APP_TOKEN, CLIENT_TOKEN_SECONDS, TABLE, Bitable

KEY = "ALE-7K3M-Q9TX-4RWD-AB12CD"
RECORDS = f"/open-apis/bitable/v1/apps/{APP_TOKEN}/tables/{TABLE}/records"


class Clock:
    at = 1_800_000_000.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def desk(clock: Clock) -> AsyncIterator[Bitable]:
    desk = Bitable(lambda: clock.at)
    await desk.start()
    yield desk
    await desk.stop()


async def ask(desk: Bitable, method: str, path: str, body: Any = None, **params: str) -> dict[str, Any]:
    credentials = {"app_id": APP_ID, "app_secret": APP_SECRET}
    async with aiohttp.ClientSession(desk.url) as session:
        async with session.post("/open-apis/auth/v3/tenant_access_token/internal", json=credentials) as answer:
            token = (await answer.json())["tenant_access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        async with session.request(method, path, json=body, params=params, headers=headers) as answer:
            read: dict[str, Any] = await answer.json()
            return read


async def test_feishus_own_client_understands_it(desk: Bitable) -> None:
    script = Path(__file__).with_name("bitable_client.py")
    root = str(script.parents[2])
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), desk.url, stdout=asyncio.subprocess.PIPE, env={"PYTHONPATH": root}, cwd=root
    )
    told, _ = await process.communicate()
    assert process.returncode == 0
    facts = json.loads(told.splitlines()[-1])
    assert facts["fields"][:3] == ["投诉编号", "标题", "问题描述"]
    assert facts["made"][0] == facts["made"][1] == facts["found"][0]
    assert len(facts["found"]) == 1
    assert (facts["text"], facts["title"]) == ("ALE-1", "改")
    assert facts["codes"] == [0, 0, 0, 0, 0, 1254043]
    assert desk.files == {"碎屏.jpg": "屏幕 photo".encode()}


async def test_a_client_token_is_known_for_a_while(desk: Bitable, clock: Clock) -> None:
    token, row = str(uuid.uuid4()), {"fields": {"投诉编号": KEY}}
    first = await ask(desk, "POST", RECORDS, row, client_token=token)
    assert (await ask(desk, "POST", RECORDS, row, client_token=token))["data"] == first["data"]
    clock.at += CLIENT_TOKEN_SECONDS
    assert (await ask(desk, "POST", RECORDS, row, client_token=token))["data"] != first["data"]
    assert (await ask(desk, "POST", RECORDS, row, client_token="ALE-1"))["code"] == 99992402
    assert len(desk.created) == 2


async def test_a_filter_in_the_wrong_place_filters_nothing(desk: Bitable) -> None:
    for key in (KEY, "ALE-2"):
        await ask(desk, "POST", RECORDS, {"fields": {"投诉编号": key}})
    conditions = [{"field_name": "投诉编号", "operator": "is", "value": [KEY]}]
    right = await ask(desk, "POST", f"{RECORDS}/search", {"filter": {"conjunction": "and", "conditions": conditions}})
    wrong = await ask(desk, "POST", f"{RECORDS}/search", {"conditions": conditions})
    assert (right["data"]["total"], wrong["data"]["total"]) == (1, 2)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"没有": "x"}, 1254045),
        ({"投诉时间": "2026-11-22"}, 1254064),
        ({"投诉时间": 1_795_319_982}, 1254064),
        ({"客户期望": "refund"}, 1254063),
        ({"附件": [{"file_token": "boxcn-nobody"}]}, 1254069),
        ({"标题": 7}, 1254060),
        ({"问题描述": "裂" * 100_001}, 1254130),
    ],
)
async def test_values_that_do_not_fit_are_refused(desk: Bitable, fields: dict[str, Any], code: int) -> None:
    assert (await ask(desk, "POST", RECORDS, {"fields": fields}))["code"] == code
    assert not desk.created


async def test_a_new_option_is_made(desk: Bitable) -> None:
    await ask(desk, "POST", RECORDS, {"fields": {"紧急程度": "紧急", "客户期望": ["退款", "道歉"]}})
    assert desk.tables[TABLE].options == {"紧急程度": ["紧急"], "客户期望": ["退款", "道歉"]}


async def test_a_lagging_search(desk: Bitable, clock: Clock) -> None:
    desk.lag_seconds = 30
    await ask(desk, "POST", RECORDS, {"fields": {"投诉编号": KEY}})
    search = {"filter": {"conjunction": "and", "conditions": []}}
    assert (await ask(desk, "POST", f"{RECORDS}/search", search))["data"]["total"] == 0
    clock.at += 30
    assert (await ask(desk, "POST", f"{RECORDS}/search", search))["data"]["total"] == 1
