"""Calls to the App Store Connect API: a token we sign ourselves, and how many calls are left."""

from __future__ import annotations

import re
from typing import Any

from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, RetryLater
from allears_sdk.jwt import sign_es256
from allears_sdk.remote import Response
from allears_sdk.remote.answers import check_status, detail_of
from connectors.app_store_connect.settings import AppStoreConnectSettings

PAGE_ITEMS = 200
CALLS_PER_SECOND, CALLS_AT_ONCE = 0.9, 60
"""Below both limits an account has: 3,600 an hour and 150 a minute."""
MINUTE_SECONDS, HOUR_SECONDS = 60.0, 600.0
"""How long to wait when the calls of a minute or of a (rolling) hour are used up."""
TOKEN_SECONDS = 600
EARLY_SECONDS = 60
"""Apple refuses a token that is from the future by its clock."""
_AUDIENCE = "appstoreconnect-v1"
_LEFT = re.compile(r"user-(hour|minute)-rem:\s*(\d+)")


class Api:
    """One key. Every call may be made again."""

    def __init__(self, settings: AppStoreConnectSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._account = f"app_store_connect:{settings.issuer_id or settings.key_id}"
        context.remote.limit(self._account, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)
        self._token = ""
        self._signed_at = 0

    async def get(self, path: str) -> dict[str, Any]:
        """`path`: with its query, or the whole address a page gave for the next one. Raises the SDK's errors, Rejected
        for what Apple does not know."""
        base = self._settings.url
        url = path if path.startswith(f"{base}/") else f"{base}{path}"
        response = await self._context.remote.request(
            "GET",
            url,
            headers={"Authorization": f"Bearer {self._bearer()}"},
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            raise_for_status=False,
        )
        self._check(response)
        return response.json_object()

    def _bearer(self) -> str:
        now = int(self._context.clock.now().timestamp())
        if not self._token or abs(now - self._signed_at) >= TOKEN_SECONDS:
            who = {"iss": self._settings.issuer_id} if self._settings.issuer_id else {"sub": "user"}
            until = now + TOKEN_SECONDS + EARLY_SECONDS
            claims: dict[str, str | int] = {**who, "iat": now - EARLY_SECONDS, "exp": until, "aud": _AUDIENCE}
            key = self._settings.private_key.get_secret_value()
            self._token, self._signed_at = sign_es256(key, {"kid": self._settings.key_id}, claims), now
        return self._token

    def _check(self, response: Response) -> None:
        detail = detail_of(response)
        if response.status == 401:
            self._token = ""
            raise AuthError(
                "Apple refuses the key: compare key_id, issuer_id and private_key with App Store Connect → Users and "
                "Access → Integrations; see that it is not revoked, and that this machine's clock is right",
                detail=detail,
            )
        if response.status == 403:
            raise ConfigError(
                "this key may not read customer reviews: give it the role Customer Support, App Manager or Admin, and "
                "have the account holder accept new agreements",
                detail=detail,
            )
        try:
            check_status(response, self._context.clock.now())
        except RetryLater as error:
            after = error.after_seconds or wait_of(response)
            raise RetryLater("Apple's limit of calls is reached", after_seconds=after, detail=detail) from None


def wait_of(response: Response) -> float:
    """By Apple's own header: "user-hour-lim:3600;user-hour-rem:0;", with or without a group for the minute."""
    left = {span: int(count) for span, count in _LEFT.findall(response.header("x-rate-limit"))}
    return HOUR_SECONDS if left.get("hour", 1) == 0 else MINUTE_SECONDS


def is_ours(url: str, base: str) -> bool:
    """Whether the key may be shown there."""
    return url.startswith(f"{base}/")
