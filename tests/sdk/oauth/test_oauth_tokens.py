"""Access tokens: asked for once by all who wait, and kept before they are used."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from allears_sdk.accounts import Accounts, Quotas
from allears_sdk.context import Context
from allears_sdk.errors import AuthError
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock, MemoryLedger, MemoryTokens, make_context
from tests.sdk.oauth.desk import IMAP, MICROSOFT, SECRET, application, granted, log_in, microsoft_says, oauth, sent


async def test_an_application_gets_a_token_and_keeps_it(
    context: Context, router: respx.MockRouter, clock: FakeClock
) -> None:
    route = router.post(MICROSOFT).respond(json=granted(1, refresh=False))
    account = oauth(context, application())
    assert [await account.access_token() for _ in range(3)] == ["at-1"] * 3
    assert sent(route) == {
        "client_id": "6731de76",
        "client_secret": SECRET,
        "grant_type": "client_credentials",
        "scope": "https://outlook.office365.com/.default",
    }
    clock.advance(3200)
    assert await account.access_token() == "at-1"
    clock.advance(150)  # five minutes before its end
    router.post(MICROSOFT).respond(json=granted(2, refresh=False))
    assert await account.access_token() == "at-2"


async def test_a_restart_finds_what_was_kept(context: Context, router: respx.MockRouter) -> None:
    await log_in(context, router)
    assert await oauth(context).access_token() == "at-1"
    assert not router.post(MICROSOFT).called


async def test_a_refresh_token_that_is_replaced(context: Context, router: respx.MockRouter, clock: FakeClock) -> None:
    account = await log_in(context, router)
    for number in (2, 3):
        clock.advance(3600)
        route = router.post(MICROSOFT).respond(json=granted(number))
        assert await account.access_token() == f"at-{number}"
        assert sent(route)["refresh_token"] == f"rt-{number - 1}"
        assert sent(route)["scope"] == f"{IMAP} offline_access"


async def test_a_refresh_token_that_stays(context: Context, router: respx.MockRouter, clock: FakeClock) -> None:
    """Google sends none with a refresh."""
    account = await log_in(context, router)
    for number in (2, 3):
        clock.advance(3600)
        route = router.post(MICROSOFT).respond(json=granted(number, refresh=False))
        await account.access_token()
        assert sent(route)["refresh_token"] == "rt-1"


async def test_all_who_wait_share_one_request(context: Context, router: respx.MockRouter, tmp_path: Path) -> None:
    """Two channels of one account, each asking several times at once."""
    route = router.post(MICROSOFT).respond(json=granted(1, refresh=False))
    twin = make_context("archive-mail", tmp_path, clock=context.clock, remote=context.remote, tokens=context.tokens)  # type: ignore[arg-type]  # the same store
    first, second = oauth(context, application()), oauth(twin, application())
    got = await asyncio.gather(*(one.access_token() for one in (first, second, first, second)))
    assert got == ["at-1"] * 4
    assert route.call_count == 1


async def test_a_token_that_a_server_refused_is_renewed_once(context: Context, router: respx.MockRouter) -> None:
    account = await log_in(context, router)
    other = oauth(context)
    await other.access_token()
    route = router.post(MICROSOFT).respond(json=granted(2))
    renewed = await asyncio.gather(account.access_token(stale="at-1"), other.access_token(stale="at-1"))
    assert set(renewed) == {"at-2"}
    assert await other.access_token(stale="at-1") == "at-2"
    assert route.call_count == 1


class Full(MemoryTokens):
    """A journal whose disk is full while `full`."""

    full = False

    async def put(self, name: str, value: Mapping[str, Any]) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        await super().put(name, value)


async def test_no_token_is_used_before_it_is_kept(
    tmp_path: Path, clock: FakeClock, remote: Remote, router: respx.MockRouter
) -> None:
    """Death between the server's answer and the disk: the old refresh token is tried again, none is half known."""
    tokens = Full()
    context = make_context("support-mail", tmp_path, clock=clock, remote=remote, tokens=tokens)
    account = await log_in(context, router)
    clock.advance(3600)
    tokens.full = True
    route = router.post(MICROSOFT).respond(json=granted(2))
    with pytest.raises(OSError, match="No space"):
        await account.access_token()
    tokens.full = False
    router.post(MICROSOFT).respond(json=granted(3))
    assert await account.access_token() == "at-3"
    assert sent(route)["refresh_token"] == "rt-1"


async def test_whoever_asked_may_be_cancelled(context: Context, router: respx.MockRouter, clock: FakeClock) -> None:
    """A replaced refresh token that is under way is kept, though nobody waits for it any more."""
    account = await log_in(context, router)
    clock.advance(3600)
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.set()
        await may_answer.wait()
        return httpx.Response(200, json=granted(2))

    router.post(MICROSOFT).mock(side_effect=answer)
    waiting = asyncio.create_task(account.access_token())
    await asked.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    may_answer.set()
    assert await oauth(context).access_token() == "at-2"


async def test_a_log_in_meanwhile_wins(context: Context, router: respx.MockRouter, clock: FakeClock) -> None:
    """`allears channels login` runs in another process, where our lock does not reach."""
    account = await log_in(context, router)
    clock.advance(3600)

    async def answer(request: httpx.Request) -> httpx.Response:
        (name,) = context.tokens.values  # type: ignore[attr-defined]  # MemoryTokens
        renew_at = clock.now().replace(hour=23).isoformat()
        await context.tokens.put(
            name, {"version": 1, "access_token": "new", "refresh_token": "rt", "renew_at": renew_at}
        )
        return httpx.Response(400, json=microsoft_says("invalid_grant", 700082, "The refresh token has expired."))

    router.post(MICROSOFT).mock(side_effect=answer)
    assert await account.access_token() == "new"


async def test_nobody_has_logged_in(context: Context, router: respx.MockRouter) -> None:
    with pytest.raises(AuthError, match="allears channels login support-mail"):
        await oauth(context).access_token()
    assert not router.calls


@pytest.mark.parametrize("stored", [{"version": 2}, {"version": 1, "access_token": "a"}, {"renew_at": 7}])
async def test_what_cannot_be_read_is_no_log_in(
    context: Context, router: respx.MockRouter, tokens: MemoryTokens, stored: dict[str, Any]
) -> None:
    await log_in(context, router)
    (name,) = tokens.values
    tokens.values[name] = stored
    with pytest.raises(AuthError, match="nobody has logged in"):
        await oauth(context).access_token()


async def test_the_end_of_a_log_in_is_known_where_the_provider_tells(
    context: Context, router: respx.MockRouter, clock: FakeClock
) -> None:
    await log_in(context, router, granted(1, refresh_token_expires_in=7 * 86_400))
    end = clock.now() + timedelta(days=7)
    assert [(one.name, one.expires_at) for one in context.accounts.credentials] == [("log-in", end)]
    assert "allears channels login" in context.accounts.credentials[0].advice
    clock.advance(3600)
    router.post(MICROSOFT).respond(json=granted(2, refresh=False))
    again = oauth(replace(context, accounts=Accounts(MemoryLedger(), Quotas(), clock)))
    assert await again.access_token() == "at-2"
    assert await oauth(context).access_token() == "at-2"
    assert [one.expires_at for one in context.accounts.credentials] == [end], "the same token ends when it did"
    clock.advance(3600)
    router.post(MICROSOFT).respond(json=granted(3, refresh_token_expires_in="604800"))
    await oauth(context).access_token()
    assert [one.expires_at for one in context.accounts.credentials] == [clock.now() + timedelta(days=7)]


async def test_a_log_in_that_lies_idle_ends_too(context: Context, router: respx.MockRouter, clock: FakeClock) -> None:
    account = await log_in(context, router)
    [credential] = context.accounts.credentials
    assert timedelta(days=90) <= credential.expires_at - clock.now() < timedelta(days=91)
    clock.advance(30 * 86_400)
    router.post(MICROSOFT).respond(json=granted(2))
    await account.access_token()
    [credential] = context.accounts.credentials
    assert credential.expires_at - clock.now() >= timedelta(days=90)


async def test_what_no_person_grants_does_not_end(context: Context, router: respx.MockRouter) -> None:
    router.post(MICROSOFT).respond(json=granted(1, refresh=False))
    await oauth(context, application()).access_token()
    assert not context.accounts.credentials


@pytest.mark.parametrize("told", [None, 0, "soon", -5, [], 1e300])
async def test_an_end_that_makes_no_sense_does_no_harm(
    context: Context, router: respx.MockRouter, told: object
) -> None:
    await log_in(context, router, granted(1, refresh_token_expires_in=told))
    assert await oauth(context).access_token() == "at-1"
