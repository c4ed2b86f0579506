"""Calls to openapi.dianping.com: signed by MD5, dated in Beijing's time, errors in the body."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from allears_sdk.access_token import AccessToken, Grant
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, InDoubt, Rejected, Unavailable
from allears_sdk.signing import sha256_hex
from allears_sdk.sorted_signing import sign_md5
from connectors._marketplace.times import in_beijing
from connectors._meituan.answers import Expired, error_of
from connectors.dianping.settings import DianpingSettings

REVIEWS = "/router/ugc/queryshopreview"
TOKEN = "/router/oauth/token"  # noqa: S105 - a path
CALLS_PER_SECOND = 5
CALLS_AT_ONCE = 5
WELL = "200"
DAY_SECONDS = 86_400.0
MAX_RENEWALS = 1000
_RENEW = "have the owner grant access again, and set its refresh_token"
_EXPIRED = "Dianping refuses the session: have the owner grant access again, and set what comes of it"


class Api:
    def __init__(self, settings: DianpingSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._account = f"dianping:{settings.app_key}"
        context.remote.limit(self._account, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)
        seed = settings.refresh_token.get_secret_value() if settings.refresh_token else ""
        identity = ("dianping", settings.url, settings.app_key, sha256_hex(seed))
        self._kept = f"dianping-refresh-{sha256_hex('|'.join(identity))[:24]}"
        self._session = AccessToken(context, identity, self._renew)
        self._is_end_told = False

    async def reviews(self, asked: Mapping[str, str]) -> Any:
        """The answer's `data`. Raises the SDK's errors."""
        session = await self._token("")
        await self._tell_end()
        try:
            return await self._ask(asked, session)
        except Expired:
            if self._settings.refresh_token is None:
                raise
            return await self._ask(asked, await self._token(session))

    async def _token(self, stale: str) -> str:
        given = self._settings.session
        return given.get_secret_value() if given is not None else await self._session.get(stale=stale)

    async def _ask(self, asked: Mapping[str, str], session: str) -> Any:
        known = {
            **asked,
            "app_key": self._settings.app_key,
            "session": session,
            "format": "json",
            "sign_method": "MD5",
            "timestamp": in_beijing(self._context.clock.now()),
            "v": "1",
        }
        known["sign"] = sign_md5(self._settings.app_secret.get_secret_value(), known).lower()
        response = await self._context.remote.request(
            "GET",
            self._settings.url + REVIEWS,
            params=known,
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
        )
        answer = response.json_object()
        if str(answer.get("code")) != WELL:
            raise error_of("Dianping", answer.get("code"), str(answer.get("msg") or ""))
        return answer.get("data")

    async def _renew(self) -> Grant:
        """A refresh token is good once: the next one is on disk before the session is used."""
        kept = await self._context.tokens.get(self._kept)
        seed = self._settings.refresh_token
        token = str(kept["refresh_token"]) if kept else seed.get_secret_value() if seed else ""
        answer = await self._exchange(token)
        session, following, seconds = (answer.get(name) for name in ("access_token", "refresh_token", "expires_in"))
        if not isinstance(session, str) or not session:
            raise AuthError(_EXPIRED, detail=str(answer.get("msg") or "")[:300])
        lives = float(seconds) if isinstance(seconds, int | float) else DAY_SECONDS
        if isinstance(following, str) and following:
            ends = self._end(lives, answer.get("remain_refresh_count"))
            await self._context.tokens.put(self._kept, {"refresh_token": following, "ends": ends})
            self._is_end_told = False
        return Grant(token=session, seconds=lives)

    def _end(self, lives: float, renewals: Any) -> str:
        """A grant may be renewed so many times more. "" where that is not told."""
        if not isinstance(renewals, int) or not 0 <= renewals <= MAX_RENEWALS:
            return ""
        return (self._context.clock.now() + timedelta(seconds=lives) * (renewals + 1)).isoformat()

    async def _tell_end(self) -> None:
        """Once, and after each renewal; a restart is told what was kept."""
        if self._is_end_told or self._settings.refresh_token is None:
            return
        self._is_end_told = True
        ends = str((await self._context.tokens.get(self._kept) or {}).get("ends") or "")
        self._context.accounts.expires("grant", datetime.fromisoformat(ends) if ends else None, advice=_RENEW)

    async def _exchange(self, token: str) -> Mapping[str, Any]:
        form = {
            "app_key": self._settings.app_key,
            "app_secret": self._settings.app_secret.get_secret_value(),
            "grant_type": "refresh_token",
            "refresh_token": token,
        }
        try:
            response = await self._context.remote.request(
                "POST", self._settings.url + TOKEN, data=form, timeout_seconds=self._settings.timeout_seconds
            )
            return response.json_object()
        except InDoubt as error:
            raise Unavailable(str(error)) from None
        except Rejected as error:
            raise AuthError(_EXPIRED, detail=error.detail) from None
