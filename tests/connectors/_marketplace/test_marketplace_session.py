"""A seller's grant: renewed once for all who ask, kept before it is used, and kept though nobody waits any more."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.context import Context
from allears_sdk.errors import AuthError, Unavailable
from allears_sdk.testing import FakeClock, make_context
from connectors._marketplace.session import Session
from connectors._marketplace.settings import ShopSettings
from tests.connectors._marketplace.person import Seller


def make_settings(**more: Any) -> ShopSettings:
    return ShopSettings.model_validate({"connector": "pdd", "shop": "示例店", "app_secret": "s3cret-word", **more})


class Grants:
    def __init__(self) -> None:
        self.asked: list[Mapping[str, str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.renewing = asyncio.Event()

    async def __call__(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        self.asked.append(form)
        if "refresh_token" in form:
            self.renewing.set()
        await self.gate.wait()
        number = len(self.asked)
        told = {"access_token": f"t-{number}", "refresh_token": f"r-{number}", "expires_in": 7200}
        return told | {"re_expires_in": 30 * 86_400}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def context(tmp_path: Path, clock: FakeClock) -> Context:
    return make_context("shop", tmp_path, clock=clock)


@pytest.fixture
def grants() -> Grants:
    return Grants()


@pytest.fixture
async def session(context: Context, grants: Grants) -> Session:
    settings = make_settings(redirect_url="https://x.example.com/b")
    session = Session(context, settings, "app", grants)
    await session.login(Seller(), "https://platform.example.com/grant", {"client_id": "app"})
    return session


async def test_one_renewal_serves_all_who_ask(session: Session, grants: Grants, clock: FakeClock) -> None:
    clock.advance(7200)
    assert set(await asyncio.gather(*(session.token() for _ in range(5)))) == {"t-2"}
    assert grants.asked[1:] == [{"refresh_token": "r-1"}]
    assert set(await asyncio.gather(*(session.token(stale="t-2") for _ in range(5)))) == {"t-3"}


async def test_a_renewal_is_kept_though_nobody_waits(session: Session, grants: Grants, clock: FakeClock) -> None:
    clock.advance(7200)
    grants.gate.clear()
    asking = asyncio.ensure_future(session.token())
    await grants.renewing.wait()
    asking.cancel()
    grants.gate.set()
    assert await session.token() == "t-2"
    assert len(grants.asked) == 2


async def test_another_channel_of_the_shop_shares_it(context: Context, session: Session, grants: Grants) -> None:
    other = make_settings(shop="别的店")
    with pytest.raises(AuthError, match="nobody has logged in"):
        await Session(context, other, "app", grants).token()
    assert await session.token() == "t-1"


async def test_the_house_knows_when_the_grant_ends(
    context: Context, session: Session, grants: Grants, clock: FakeClock
) -> None:
    clock.advance(7200)
    await session.token()
    assert [one.expires_at for one in context.accounts.credentials] == [clock.now() + timedelta(days=30)]


async def test_an_answer_without_a_token_changes_nothing(context: Context, session: Session, clock: FakeClock) -> None:
    async def broken(form: Mapping[str, str]) -> Mapping[str, Any]:
        return {"access_token": 5}

    clock.advance(7200)
    with pytest.raises(Unavailable):
        await Session(context, session._settings, "app", broken).token()
    assert await session.token() == "t-2"
