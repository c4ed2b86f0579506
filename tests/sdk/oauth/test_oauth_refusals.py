"""What each refusal of a token server means, and how long its answers are trusted."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import respx

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.testing import FakeClock
from tests.sdk.oauth.desk import MICROSOFT, SECRET, application, granted, log_in, microsoft_says, oauth

REFUSALS = [
    (
        400,
        microsoft_says("invalid_grant", 50173, "The provided grant has expired due to it being revoked"),
        AuthError,
        "allears channels login support-mail",
    ),
    (
        400,
        microsoft_says("invalid_grant", 65001, "The user or administrator has not consented"),
        AuthError,
        "AADSTS65001, an administrator has to consent",
    ),
    (
        400,
        {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
        AuthError,
        "log in again",
    ),
    (
        401,
        microsoft_says("invalid_client", 7000222, "The provided client secret keys are expired."),
        AuthError,
        "secret has expired",
    ),
    (
        401,
        microsoft_says("invalid_client", 7000218, "The request body must contain"),
        AuthError,
        "Allow public client flows",
    ),
    (400, microsoft_says("unauthorized_client", 700016, "Application was not found"), AuthError, "no application"),
    (
        401,
        {"error": "invalid_client", "error_description": "The OAuth client was not found."},
        AuthError,
        "registration",
    ),
    (
        400,
        microsoft_says("invalid_scope", 70011, "The provided value for the input parameter 'scope'"),
        ConfigError,
        "scopes",
    ),
    (400, {"error": "temporarily_unavailable"}, RetryLater, "later"),
    (400, {"error": "<script>", "error_description": 7}, AuthError, "unknown error"),
]


@pytest.mark.parametrize(("status", "body", "kind", "says"), REFUSALS)
async def test_refusals(
    context: Context,
    router: respx.MockRouter,
    clock: FakeClock,
    status: int,
    body: dict[str, Any],
    kind: type[AllearsError],
    says: str,
) -> None:
    account = await log_in(context, router)
    clock.advance(3600)
    router.post(MICROSOFT).respond(status, json=body)
    with pytest.raises(kind, match=says):
        await account.access_token()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(503, headers={"Retry-After": "17"}), RetryLater),
        (httpx.Response(429, json={"error": "rate_limited"}), RetryLater),
        (httpx.Response(500, text="<html>oops"), Unavailable),
        (httpx.Response(404, text="<html>nothing here"), ConfigError),
        (httpx.Response(302, headers={"Location": "https://portal.example.com/"}), Unavailable),
        (httpx.Response(200, text="<html>a captive portal"), Unavailable),
        (httpx.Response(200, json=[1]), Unavailable),
        (httpx.Response(200, json={"access_token": None}), Unavailable),
        (httpx.Response(200, json={"access_token": "a\r\nX: y"}), Unavailable),
        (httpx.ReadTimeout("late"), Unavailable),
        (httpx.ConnectError("no"), Unavailable),
    ],
)
async def test_a_token_server_that_fails(
    context: Context, router: respx.MockRouter, clock: FakeClock, answer: Any, kind: type[AllearsError]
) -> None:
    """Nothing is in doubt: it is asked again later."""
    account = await log_in(context, router)
    clock.advance(3600)
    given = {"side_effect": answer} if isinstance(answer, Exception) else {"return_value": answer}
    router.post(MICROSOFT).mock(**given)
    with pytest.raises(kind) as caught:
        await account.access_token()
    if isinstance(caught.value, RetryLater) and answer.status_code == 503:
        assert caught.value.after_seconds == 17
    router.post(MICROSOFT).respond(json=granted(2))
    assert await account.access_token() == "at-2"


@pytest.mark.parametrize(
    ("expires_in", "good_for"), [("3599", 3200), (None, 3200), ("soon", 3200), (60, 40), (-5, 0), (1e30, 1e6)]
)
async def test_how_long_a_token_is_used(
    context: Context, router: respx.MockRouter, clock: FakeClock, expires_in: Any, good_for: float
) -> None:
    route = router.post(MICROSOFT).respond(json=granted(1, refresh=False, expires_in=expires_in))
    account = oauth(context, application())
    await account.access_token()
    clock.advance(good_for)
    await account.access_token()
    assert route.call_count == (1 if good_for else 2)


async def test_secrets_are_not_told(context: Context, router: respx.MockRouter) -> None:
    echo = {"error": "invalid_client", "error_description": f"client_secret={SECRET} is wrong"}
    router.post(MICROSOFT).respond(401, json=echo)
    account = oauth(context, application())
    with pytest.raises(AuthError) as caught:
        await account.access_token()
    assert SECRET not in f"{caught.value} {caught.value.detail} {caught.value!r} {account!r}"
    assert "is wrong" in caught.value.detail
