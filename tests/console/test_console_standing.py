"""What is left of quotas, and credentials that end, as people and machines see it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from allears_sdk.quota import Quota
from tests.console.conftest import House, stand

UNTIL = "reading goes on at 2026-11-24 08:00 UTC"


@pytest.fixture
def standing(house: House) -> House:
    stand(house)
    return house


async def test_the_overview_shows_what_is_left_of_quotas(standing: House) -> None:
    page = await standing.page("/")
    assert "9,876 of 10,000 units left until " in page
    assert "meta ab12cd34: 12 % of the limit left" in page
    assert "剩余 9,876 / 10,000 个配额单位" in await standing.page("/", language="zh")


async def test_a_quota_without_a_limit_or_of_a_strange_unit_is_shown_as_it_is(standing: House) -> None:
    now = standing.clock.now()
    steering = standing.steering
    told = {"x:77": [Quota(name="USD/1000000", left=1_234_567.0, told_at=now)]}
    steering.channels["web-form"] = replace(steering.channels["web-form"], quotas=told)
    assert "1,234,567 USD/1000000 left" in await standing.page("/")


async def test_a_channel_that_waits_for_its_budget_says_so(standing: House) -> None:
    waiting = replace(standing.steering.channels["app-store-cn"], state="running", reason=UNTIL)
    standing.steering.channels["app-store-cn"] = waiting
    assert UNTIL in await standing.page("/")
    async with standing.session.get(standing.url("/readyz")) as answer:
        assert (await answer.json())["status"] == "ready"


async def test_credentials_that_end_soon_need_a_person(standing: House) -> None:
    page = await standing.page("/")
    assert "support-mail: refresh token expires in 6 d" in page
    assert "log in again: allears channels login support-mail" in page
    assert "certificate" not in page, "it lasts for months"
    assert "support-mail：refresh token 将在 6 天后过期" in await standing.page("/", language="zh")
    standing.clock.advance(timedelta(days=7))
    assert "support-mail: refresh token has expired" in await standing.page("/")


async def test_how_early_is_a_setting(standing: House) -> None:
    state = standing.server.state
    assert state.standing is not None
    state.standing.warning = timedelta(days=3)
    assert "expires in" not in await standing.page("/")


async def test_the_api_tells_the_same(standing: House) -> None:
    async with standing.session.get(standing.url("/api/channels")) as answer:
        channels = {one["name"]: one for one in json.loads(await answer.text())["channels"]}
    assert [(one["account"], one["name"], one["left"], one["most"]) for one in channels["app-store-cn"]["quotas"]] == [
        ("meta ab12cd34", "percent", 12, 100),
        ("youtube:project 1234", "units", 9876, 10_000),
    ]
    assert [one["name"] for one in channels["support-mail"]["credentials"]] == ["refresh token", "certificate"]
    assert channels["web-form"]["quotas"] == channels["web-form"]["credentials"] == []


async def test_gauges_for_each_account_and_credential(standing: House) -> None:
    async with standing.session.get(standing.url("/metrics")) as answer:
        lines = (await answer.text()).splitlines()
    assert 'allears_quota_left{account="youtube:project 1234",quota="units"} 9876.0' in lines
    assert 'allears_quota_limit{account="youtube:project 1234",quota="units"} 10000.0' in lines
    assert 'allears_quota_left{account="meta ab12cd34",quota="percent"} 12.0' in lines
    ends = [line for line in lines if line.startswith("allears_token_expires_seconds")]
    labels = 'channel="support-mail",credential="refresh token",destination=""'
    assert f"allears_token_expires_seconds{{{labels}}} {6.5 * 86_400}" in ends
    assert any('channel="",credential="client secret",destination="helpdesk"' in line for line in ends)
