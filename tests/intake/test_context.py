"""What a connector gets from the house: tokens that are never readable on disk, threads, its own folder."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import respx

from allears.context import Contexts
from allears.journal.journal import Journal
from allears.journal.sqlite import open_journal
from allears_sdk.budget import Budget, Period
from allears_sdk.context import Clock
from allears_sdk.errors import ConfigError, OverBudget, RetryLater
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock

SECRET = {"access_token": "wx-7f3e-密钥", "expires_in": 7200}


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = await open_journal(tmp_path, FakeClock())
    yield journal
    await journal.close()


@pytest.fixture
async def contexts(journal: Journal, tmp_path: Path) -> AsyncIterator[Contexts]:
    contexts = Contexts(journal, tmp_path, FakeClock())
    yield contexts
    await contexts.close()


async def test_tokens_survive_and_are_sealed(contexts: Contexts, journal: Journal, tmp_path: Path) -> None:
    tokens = contexts.channel("kf").tokens
    assert await tokens.get("access") is None
    await tokens.put("access", SECRET)
    assert await tokens.get("access") == SECRET
    again = Contexts(journal, tmp_path, FakeClock())
    assert await again.channel("kf").tokens.get("access") == SECRET
    await again.close()
    sealed = await journal.token("channel:kf", "access")
    assert sealed
    assert b"wx-7f3e" not in sealed
    assert stat.S_IMODE((tmp_path / "tokens.key").stat().st_mode) == 0o600


async def test_each_has_its_own_tokens(contexts: Contexts) -> None:
    await contexts.channel("shop").tokens.put("access", SECRET)
    assert await contexts.channel("mall").tokens.get("access") is None
    assert await contexts.destination("shop").tokens.get("access") is None
    await contexts.channel("mall").tokens.put("access", SECRET)
    await contexts.channel("shop").tokens.delete("access")
    assert await contexts.channel("shop").tokens.get("access") is None
    assert await contexts.channel("mall").tokens.get("access") == SECRET


async def test_with_another_key_a_token_is_as_good_as_none(
    contexts: Contexts, journal: Journal, tmp_path: Path
) -> None:
    await contexts.channel("kf").tokens.put("access", SECRET)
    (tmp_path / "tokens.key").unlink()
    later = Contexts(journal, tmp_path, FakeClock())
    assert await later.channel("kf").tokens.get("access") is None
    (tmp_path / "tokens.key").write_bytes(b"not a key")
    broken = Contexts(journal, tmp_path, FakeClock())
    with pytest.raises(ConfigError, match="not a key"):
        await broken.channel("kf").tokens.put("access", SECRET)
    await later.close()
    await broken.close()


async def test_one_refresh_at_a_time_across_channels_of_an_account(contexts: Contexts) -> None:
    first, second = contexts.channel("inbox").tokens, contexts.channel("archive").tokens
    async with first.lock("outlook:help@example.com"):
        entered = asyncio.create_task(_enter(second.lock("outlook:help@example.com")))
        other = asyncio.create_task(_enter(second.lock("gmail:help@example.com")))
        await asyncio.wait({other}, timeout=5)
        assert other.done()
        assert not entered.done()
    await asyncio.wait_for(entered, 5)


async def _enter(lock: object) -> None:
    async with lock:  # type: ignore[attr-defined]  # any async context manager
        pass


async def test_a_hung_call_keeps_its_place_and_others_go_on(contexts: Contexts) -> None:
    go_on = threading.Event()
    hung = contexts.channel("hung").blocking
    calls = [asyncio.create_task(hung(go_on.wait, 30)) for _ in range(2)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    third = asyncio.create_task(hung(len, "投诉"))
    assert await asyncio.wait_for(contexts.channel("shop").blocking(len, "投诉"), 5) == 2
    assert not third.done(), "the two that hang still hold the channel's threads"
    go_on.set()
    assert await asyncio.wait_for(third, 5) == 2


async def test_twenty_channels_that_hang_delay_no_other(contexts: Contexts) -> None:
    go_on = threading.Event()
    calls = [asyncio.create_task(contexts.channel(f"hung-{number}").blocking(go_on.wait, 30)) for number in range(20)]
    await asyncio.sleep(0)
    assert await asyncio.wait_for(contexts.channel("shop").blocking(len, "投诉"), 5) == 2
    assert not any(call.done() for call in calls)
    go_on.set()
    assert await asyncio.wait_for(asyncio.gather(*calls), 5) == [True] * 20


async def test_a_thousand_short_calls_need_few_threads(contexts: Contexts) -> None:
    calls = (contexts.channel(f"shop-{number}").blocking(threading.get_ident) for number in range(1000))
    assert len(set(await asyncio.gather(*calls))) <= 16


async def test_an_error_in_a_blocking_call_is_the_callers(contexts: Contexts) -> None:
    blocking = contexts.channel("shop").blocking
    for _ in range(5):
        with pytest.raises(ValueError, match="invalid literal"):
            await blocking(int, "十二")


async def test_known_and_the_folder_are_the_channels_own(contexts: Contexts, tmp_path: Path) -> None:
    context = contexts.channel("投诉邮箱")
    assert await context.known(["mail-1"]) == frozenset()
    assert context.data_folder.is_dir()
    assert context.data_folder.is_relative_to(tmp_path)
    assert context.data_folder != contexts.destination("投诉邮箱").data_folder


async def test_all_share_one_client_made_when_first_used(journal: Journal, tmp_path: Path) -> None:
    made: list[Remote] = []

    def make(clock: object) -> Remote:
        made.append(Remote(clock=FakeClock()))
        return made[-1]

    contexts = Contexts(journal, tmp_path, FakeClock(), make_remote=make)
    shop, mall = contexts.channel("shop"), contexts.channel("mall")
    assert not made
    shop.remote.limit("wechat", per_second=10)
    mall.remote.limit("wechat", per_second=10)
    assert len(made) == 1
    await contexts.close()


def test_heavy_libraries_are_not_loaded_before_they_are_needed() -> None:
    code = (
        "import sys, allears.context, allears.intake.intake, allears.http.public;"
        "print([name for name in ('httpx', 'cryptography', 'jinja2', 'openpyxl') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_what_a_vendor_tells_of_a_quota_is_known_to_all_who_use_the_account(
    journal: Journal, tmp_path: Path
) -> None:
    def make(clock: Clock) -> Remote:
        return Remote(clock=clock, transport=httpx.AsyncHTTPTransport)

    contexts = Contexts(journal, tmp_path, FakeClock(), make_remote=make)
    one, two, other = (contexts.channel(name) for name in ("videos", "shorts", "mail"))
    headers = {"X-RateLimit-Remaining": "7", "X-RateLimit-Limit": "100"}
    with respx.mock:
        respx.get("https://api.example.com/reviews").respond(429, headers=headers)
        respx.get("https://cdn.example.com/1.jpg").respond(200, headers={"X-RateLimit-Remaining": "1"})
        with pytest.raises(RetryLater):
            await one.remote.request("GET", "https://api.example.com/reviews", account="shop:77")
        await one.remote.request("GET", "https://cdn.example.com/1.jpg")
    two.accounts.use("shop:77")
    left = [(quota.left, quota.most) for quota in two.accounts.quotas["shop:77"]]
    assert left == [(7, 100)]
    assert list(one.accounts.quotas) == ["shop:77"], "calls of no account are nobody's quota"
    assert not other.accounts.quotas
    await contexts.close()


async def test_budgets_are_kept_in_the_journal(journal: Journal, tmp_path: Path) -> None:
    budget = Budget(account="shop:77", unit="calls", most=3, period=Period.DAY)
    first = Contexts(journal, tmp_path, FakeClock())
    await first.channel("videos").accounts.spend(budget, 2)
    await first.close()
    later = Contexts(journal, tmp_path, FakeClock())
    with pytest.raises(OverBudget):
        await later.destination("desk").accounts.spend(budget, 2)
    assert await later.channel("shorts").accounts.left(budget) == 1
    await later.close()
