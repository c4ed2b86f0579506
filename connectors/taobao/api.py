"""Calls to Taobao's open platform (TOP): signed forms, answers in envelopes, errors by the reaction they ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, Rejected, RetryLater, Unavailable
from allears_sdk.numbers import whole
from allears_sdk.remote import Response, check_status
from allears_sdk.renewal import asked_with
from allears_sdk.sorted_signing import sign_hmac, sign_md5
from connectors._marketplace.session import Session
from connectors._marketplace.times import in_beijing
from connectors.taobao.settings import TaobaoSettings

CALLS_PER_SECOND, CALLS_AT_ONCE = 5.0, 10
_SESSION_CODES = frozenset({26, 27})
_PERMISSION_CODES = frozenset({11, 12, 13})
_SIGNATURE, _LIMITED, _APP_KEY = 25, 7, 29
_BAN = re.compile(r"last for (\d{1,6}) more second")


class Api:
    """One shop. Every call may be made again: what is read changes nothing, what is confirmed is confirmed."""

    def __init__(self, settings: TaobaoSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._account = f"taobao:{settings.app_key}"
        context.remote.limit(self._account, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)
        self.session = Session(context, settings, settings.app_key, self._grant)

    async def call(self, method: str, asked: Mapping[str, object]) -> Mapping[str, Any]:
        """What is inside the answer's envelope. Raises the SDK's errors; Rejected for what Taobao does not take."""
        answer = await asked_with(
            self.session.token,
            lambda session: self._send(method, asked, session),
            lambda answer: _code(answer) in _SESSION_CODES,
        )
        if "error_response" in answer:
            raise _error(method, answer["error_response"])
        inside = answer.get(f"{method.removeprefix('taobao.').replace('.', '_')}_response")
        if not isinstance(inside, dict):
            raise Unavailable(f"{method}: Taobao's answer is not what it documents")
        return inside

    async def _send(self, method: str, asked: Mapping[str, object], session: str) -> Mapping[str, Any]:
        response = await self._context.remote.request(
            "POST",
            self._settings.url,
            data=self._signed(method, asked, session),
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            repeatable=True,
            raise_for_status=False,
        )
        return self._object(response)

    def _signed(self, method: str, asked: Mapping[str, object], session: str) -> dict[str, str]:
        settings = self._settings
        given = {name: str(value) for name, value in asked.items()} | {
            "method": method,
            "app_key": settings.app_key,
            "session": session,
            "timestamp": in_beijing(self._context.clock.now()),
            "format": "json",
            "v": "2.0",
            "sign_method": settings.sign_method,
        }
        given = {name: value for name, value in given.items() if value}
        return {**given, "sign": self._sign(given)}

    def _sign(self, given: Mapping[str, str]) -> str:
        secret, method = self._settings.app_secret.get_secret_value(), self._settings.sign_method
        if method == "md5":
            return sign_md5(secret, given)
        return sign_hmac(secret, given, "md5" if method == "hmac" else "sha256")

    async def _grant(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        """A token for a code or a refresh token."""
        settings = self._settings
        kind = "authorization_code" if "code" in form else "refresh_token"
        response = await self._context.remote.request(
            "POST",
            settings.token_url,
            data={
                **form,
                "grant_type": kind,
                "client_id": settings.app_key,
                "client_secret": settings.app_secret.get_secret_value(),
                "redirect_uri": settings.redirect_url,
            },
            timeout_seconds=settings.timeout_seconds,
            repeatable=True,
            raise_for_status=False,
        )
        if response.status in (400, 401, 403):
            raise AuthError(
                "Taobao refuses the grant: compare app_key, app_secret and redirect_url with the console, and log in "
                f"again: allears channels login {self._context.name}"
            )
        return self._object(response)

    def _object(self, response: Response) -> Mapping[str, Any]:
        check_status(response, self._context.clock.now())
        return response.json_object()


def _code(answer: Mapping[str, Any]) -> int:
    """0: none."""
    error = answer.get("error_response", {"code": 0})
    return whole(error.get("code"), -1) if isinstance(error, dict) else -1


def _error(method: str, error: Any) -> AllearsError:
    code, said = _code({"error_response": error}), error if isinstance(error, dict) else {}
    sub_code = str(said.get("sub_code") or "")[:80]
    detail = " ".join(str(said.get(name) or "") for name in ("msg", "sub_msg")).strip()[:300]
    what = f"Taobao: {method}: {code} {sub_code}".rstrip()
    if code in _SESSION_CODES:
        return AuthError(f"Taobao refuses the seller's session again and again ({what})", detail=detail)
    if code in _PERMISSION_CODES:
        return ConfigError(
            f"this application may not make this call: apply for it in the console ({what})", detail=detail
        )
    if code == _SIGNATURE:
        return AuthError(f"Taobao refuses the signature: is app_secret right? ({what})", detail=detail)
    if code == _APP_KEY:
        return AuthError(f"Taobao does not know app_key ({what})", detail=detail)
    if code == _LIMITED or "limited" in sub_code:
        ban = _BAN.search(detail)
        return RetryLater(f"too many calls ({what})", after_seconds=float(ban[1]) if ban else None, detail=detail)
    if sub_code.startswith("isv.") or code in (40, 41):
        return Rejected(what, detail=detail)
    return Unavailable(what, detail=detail)
