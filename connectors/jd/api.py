"""Calls to JD's open platform, by its two gateways: routerjson (signed form) and SP-API (signed headers)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allears_sdk.codec import encode
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.numbers import whole
from allears_sdk.remote import Response, check_status
from allears_sdk.renewal import asked_with
from allears_sdk.sorted_signing import sign_md5
from connectors._marketplace.session import Session
from connectors._marketplace.times import in_beijing
from connectors.jd.settings import JdSettings

CALLS_PER_SECOND, CALLS_AT_ONCE = 5.0, 10
_ASKED = "360buy_param_json"
_STALE = 19
_REACTIONS: Mapping[int, tuple[type[AllearsError], str]] = {
    _STALE: (AuthError, "JD refuses the access token again and again"),
    8: (ConfigError, "JD refuses the time: set this machine's clock"),
    15: (ConfigError, "JD no longer has this call"),
    2: (RetryLater, "too many calls"),
    67: (RetryLater, "too many calls"),
    403: (ConfigError, "the application may not make this call: apply for it in the console"),
    99904030005: (ConfigError, "JD takes this call from its own cloud (云鼎) only: nothing can be read from here"),
}
_LIMITS = range(600, 700)


class Api:
    """One shop. Every call may be made again."""

    def __init__(self, settings: JdSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._account = f"jd:{settings.app_key}"
        context.remote.limit(self._account, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)
        self.session = Session(context, settings, settings.app_key, self._grant)

    async def call(self, method: str, asked: Mapping[str, object]) -> Mapping[str, Any]:
        """By routerjson: what is inside the answer. Raises the SDK's errors."""
        answer = await asked_with(
            self.session.token,
            lambda token: self._route(method, asked, token),
            lambda answer: whole(_told(answer).get("code"), -1) == _STALE,
        )
        if "error_response" in answer:
            raise _error(method, _told(answer))
        name = method.replace(".", "_")
        inside = answer.get(f"{name}_responce", answer.get(f"{name}_response"))  # spelled so by JD
        if not isinstance(inside, dict):
            raise Unavailable(f"{method}: JD's answer is not what it documents")
        if whole(inside.get("resultCode"), -1) == 403:
            raise _error(method, {"code": 403, "zh_desc": inside.get("resultMsg")})
        return inside

    async def get(self, path: str, query: Mapping[str, str], named: Mapping[str, str]) -> Mapping[str, Any]:
        """By SP-API: the answer, its wrapper taken off. `named`: parameters that stand in the path. Raises the SDK's
        errors."""
        response = await asked_with(
            self.session.token,
            lambda token: self._ask(path, query, named, token),
            lambda response: response.status == 401,
        )
        answer = self._object(response)
        inside = answer.get("Response", answer)
        if not isinstance(inside, dict):
            raise Unavailable(f"{path}: JD's answer is not what it documents")
        if inside.get("success") is not True:
            faults = inside.get("errorList")
            first = faults[0] if isinstance(faults, list) and faults else inside
            raise _error(path, first if isinstance(first, dict) else {})
        return inside

    async def _route(self, method: str, asked: Mapping[str, object], token: str) -> Mapping[str, Any]:
        now = self._context.clock.now()
        body = encode(dict(asked)).decode()
        given = {
            "method": method,
            "app_key": self._settings.app_key,
            "access_token": token,
            "timestamp": f"{in_beijing(now)}.{now.microsecond // 1000:03}+0800",
            "v": "2.0",
        }
        sign = sign_md5(self._settings.app_secret.get_secret_value(), {**given, _ASKED: body})
        response = await self._context.remote.request(
            "POST",
            self._settings.gateway_url,
            params={**given, "sign": sign},
            data={_ASKED: body},
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            repeatable=True,
            raise_for_status=False,
        )
        return self._object(response)

    async def _ask(self, path: str, query: Mapping[str, str], named: Mapping[str, str], token: str) -> Response:
        settings = self._settings
        given = {
            "X-JOS-App-Key": settings.app_key,
            "X-JOS-Access-Token": token,
            "X-JOS-Timestamp": str(int(self._context.clock.now().timestamp() * 1000)),
        }
        sign = sign_md5(settings.app_secret.get_secret_value(), {**given, **query, **named})
        unsigned = {"X-JOS-Sign": sign, "X-JOS-Request-Identity": "vender", "Accept": "application/json"}
        return await self._context.remote.request(
            "GET",
            f"{settings.url}{path}",
            headers={**given, **unsigned},
            params=query,
            timeout_seconds=settings.timeout_seconds,
            account=self._account,
            raise_for_status=False,
        )

    async def _grant(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        """A token for a code or a refresh token."""
        settings = self._settings
        kind, page = ("authorization_code", "access_token") if "code" in form else ("refresh_token", "refresh_token")
        secret = settings.app_secret.get_secret_value()
        response = await self._context.remote.request(
            "POST",
            f"{settings.oauth_url}/{page}",
            data={**form, "grant_type": kind, "app_key": settings.app_key, "app_secret": secret},
            timeout_seconds=settings.timeout_seconds,
            repeatable=True,
            raise_for_status=False,
        )
        refused = response.status in (400, 401, 403)
        answer = {} if refused else self._object(response)
        if refused or "access_token" not in answer:
            raise AuthError(
                "JD refuses the grant: compare app_key, app_secret and redirect_url with the console, and log in "
                f"again: allears channels login {self._context.name}"
            )
        return answer

    def _object(self, response: Response) -> Mapping[str, Any]:
        check_status(response, self._context.clock.now())
        return response.json_object()


def _told(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    error = answer.get("error_response")
    return error if isinstance(error, dict) else {}


def _error(place: str, said: Mapping[str, Any]) -> AllearsError:
    code = whole(said.get("code"), -1)
    what = f"JD: {place}: {code}"
    told = (said.get(name) for name in ("zh_desc", "en_desc", "message"))
    detail = " ".join(str(one) for one in told if one)[:300]
    if code in _REACTIONS:
        kind, advice = _REACTIONS[code]
        return kind(f"{advice} ({what})", detail=detail)
    if code in _LIMITS:
        return RetryLater(f"too many calls ({what})", detail=detail)
    return Unavailable(what, detail=detail)
