"""Access tokens of applications: kept, renewed once for all, replaced when refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from allears_sdk.access_token import AccessToken, Grant
from allears_sdk.errors import AuthError
from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.context import MemoryTokens


class Platform:
    def __init__(self) -> None:
        self.asked = 0
        self.refuses = False
        self.is_asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def grant(self) -> Grant:
        await asyncio.sleep(0)
        self.asked += 1
        self.is_asked.set()
        await self.gate.wait()
        if self.refuses:
            raise AuthError
        return Grant(token=f"t-{self.asked}", seconds=7200)


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def access(
    tmp_path: Path, platform: Platform, clock: FakeClock, tokens: MemoryTokens, app: str = "cli_1"
) -> AccessToken:
    return AccessToken(make_context("chat", tmp_path, clock=clock, tokens=tokens), ("feishu", app), platform.grant)


async def test_one_for_all_who_wait_and_across_restarts(tmp_path: Path, platform: Platform, clock: FakeClock) -> None:
    tokens = MemoryTokens()
    token = access(tmp_path, platform, clock, tokens)
    assert set(await asyncio.gather(*(token.get() for _ in range(20)))) == {"t-1"}
    assert await access(tmp_path, platform, clock, tokens).get() == "t-1"
    assert await access(tmp_path, platform, clock, tokens, "cli_2").get() == "t-2"
    assert platform.asked == 2


async def test_not_used_in_its_last_minutes(tmp_path: Path, platform: Platform, clock: FakeClock) -> None:
    token = access(tmp_path, platform, clock, MemoryTokens())
    await token.get()
    clock.advance(6899)
    assert await token.get() == "t-1"
    clock.advance(1)
    assert await token.get() == "t-2"


async def test_a_refused_one_is_replaced_once(tmp_path: Path, platform: Platform, clock: FakeClock) -> None:
    token = access(tmp_path, platform, clock, MemoryTokens())
    old = await token.get()
    assert set(await asyncio.gather(*(token.get(stale=old) for _ in range(5)))) == {"t-2"}
    assert platform.asked == 2


async def test_what_the_platform_raises_is_raised(tmp_path: Path, platform: Platform, clock: FakeClock) -> None:
    platform.refuses = True
    with pytest.raises(AuthError):
        await access(tmp_path, platform, clock, MemoryTokens()).get()


async def test_what_is_on_its_way_is_kept_though_nobody_waits(
    tmp_path: Path, platform: Platform, clock: FakeClock
) -> None:
    """Behind a grant there may be a refresh token that is good once."""
    token = access(tmp_path, platform, clock, MemoryTokens())
    platform.gate.clear()
    asking = asyncio.ensure_future(token.get())
    await platform.is_asked.wait()
    asking.cancel()
    platform.gate.set()
    assert await token.get() == "t-1"
    assert platform.asked == 1
