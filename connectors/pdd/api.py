"""Calls to Pinduoduo's open platform: signed forms, one envelope for each method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.numbers import whole
from allears_sdk.remote import check_status
from allears_sdk.renewal import asked_with
from allears_sdk.sorted_signing import sign_md5
from connectors._marketplace.session import Session
from connectors.pdd.settings import PddSettings

CALLS_PER_SECOND, CALLS_AT_ONCE = 8.0, 20
"""Pinduoduo permits 600 in a minute."""
CREATE, REFRESH = "pdd.pop.auth.token.create", "pdd.pop.auth.token.refresh"
_EXPIRED = 10019
_REACTIONS: Mapping[int, tuple[type[AllearsError], str]] = {
    _EXPIRED: (AuthError, "Pinduoduo refuses the access token again and again"),
    20004: (AuthError, "Pinduoduo refuses the signature: is app_secret the client_secret of client_id?"),
    70031: (RetryLater, "too many calls"),
}


class Api:
    """One shop. Every call may be made again."""

    def __init__(self, settings: PddSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._account = f"pdd:{settings.client_id}"
        context.remote.limit(self._account, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)
        self.session = Session(context, settings, settings.client_id, self._grant)

    async def call(self, method: str, asked: Mapping[str, object], envelope: str) -> Mapping[str, Any]:
        """What is inside the envelope. Raises the SDK's errors."""
        answer = await asked_with(
            self.session.token,
            lambda token: self._send(method, {**asked, "access_token": token}),
            lambda answer: _code(answer) == _EXPIRED,
        )
        return _inside(method, answer, envelope)

    async def _send(self, method: str, asked: Mapping[str, object]) -> Mapping[str, Any]:
        response = await self._context.remote.request(
            "POST",
            self._settings.url,
            data=self._signed(method, asked),
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            repeatable=True,
            raise_for_status=False,
        )
        check_status(response, self._context.clock.now())
        return response.json_object()

    def _signed(self, method: str, asked: Mapping[str, object]) -> dict[str, str]:
        given = {name: str(value) for name, value in asked.items() if value != ""} | {
            "type": method,
            "client_id": self._settings.client_id,
            "timestamp": str(int(self._context.clock.now().timestamp())),
            "data_type": "JSON",
        }
        return {**given, "sign": sign_md5(self._settings.app_secret.get_secret_value(), given)}

    async def _grant(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        """A token for a code or a refresh token."""
        method, envelope = (CREATE, "create") if "code" in form else (REFRESH, "refresh")
        answer = await self._send(method, form)
        if "error_response" in answer and _code(answer) not in _REACTIONS:
            raise AuthError(
                f"Pinduoduo refuses the grant ({_code(answer)}): log in again with the shop's main account: allears "
                f"channels login {self._context.name}"
            )
        return _inside(method, answer, f"pop_auth_token_{envelope}_response")


def _inside(method: str, answer: Mapping[str, Any], envelope: str) -> Mapping[str, Any]:
    if "error_response" in answer:
        raise _error(method, answer)
    inside = answer.get(envelope)
    if not isinstance(inside, dict):
        raise Unavailable(f"{method}: Pinduoduo's answer is not what it documents")
    return inside


def _error(method: str, answer: Mapping[str, Any]) -> AllearsError:
    error, code = answer["error_response"], _code(answer)
    said = error if isinstance(error, dict) else {}
    what = f"Pinduoduo: {method}: {code} {str(said.get('sub_code') or '')[:60]}".rstrip()
    detail = " ".join(str(said.get(name) or "") for name in ("error_msg", "sub_msg")).strip()[:300]
    if code in _REACTIONS:
        kind, advice = _REACTIONS[code]
        return kind(f"{advice} ({what})", detail=detail)
    if any(sign in detail for sign in ("权限", "未授权", "permission")):
        return ConfigError(
            f"the application may not make this call: apply for it in the console ({what})", detail=detail
        )
    return Unavailable(what, detail=detail)


def _code(answer: Mapping[str, Any]) -> int:
    """0: none."""
    error = answer.get("error_response", {"error_code": 0})
    return whole(error.get("error_code"), -1) if isinstance(error, dict) else -1
