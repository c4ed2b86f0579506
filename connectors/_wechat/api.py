"""Calls to api.weixin.qq.com and qyapi.weixin.qq.com: both answer 200 and say in `errcode` what went wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from allears_sdk.access_token import AccessToken, Grant
from allears_sdk.codec import encode
from allears_sdk.connector import Media
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, ConfigError, InDoubt, Rejected, Unavailable
from allears_sdk.remote import Response
from allears_sdk.signing import sha256_hex
from connectors._wechat.codes import OFFICIAL, WORK, Codes, asks_renewal, error_of

MAX_ANSWER_BYTES = 16 << 20
_JSON = ("application/json", "text/plain", "text/json")
_NAME = re.compile(r"filename\*=(?:UTF-8|utf-8)''([^;]+)|filename=\"?([^\";]+)", re.ASCII)


class WechatApi:
    """One app's calls. `secret` may be "": then every call is a ConfigError that says so."""

    def __init__(self, context: Context, *, url: str, account: str, secret: str, timeout_seconds: float) -> None:
        self._context = context
        self._url = url.rstrip("/")
        self._account = account
        self._secret = secret
        self._timeout_seconds = timeout_seconds
        self._codes = self.codes()
        self._refused = ""
        """The token that was refused last."""
        self.tokens = AccessToken(context, ("wechat", self._url, account, sha256_hex(secret)), self._grant)

    def codes(self) -> Codes:
        return OFFICIAL

    async def grant(self, *, force: bool) -> Grant:
        """`force`: also when the token in use is still good in the platform's eyes; 20 times a day at most."""
        body = {
            "grant_type": "client_credential",
            "appid": self._account,
            "secret": self._need_secret("app_secret"),
            "force_refresh": force,
        }
        return _granted(await self._send("POST", "/cgi-bin/stable_token", json=body, repeatable=not force))

    async def get(self, path: str, **params: str | int) -> Mapping[str, Any]:
        return await self._call("GET", path, params=params)

    async def post(self, path: str, body: Mapping[str, Any], **params: str | int) -> Mapping[str, Any]:
        """For what may be asked twice: it changes nothing over there, or the same thing."""
        return await self._call("POST", path, params=params, content=encode(body), repeatable=True)

    async def post_once(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises InDoubt when it may have been done. A refused token did nothing, and is renewed."""
        return await self._call("POST", path, content=encode(body), repeatable=False)

    async def download(self, path: str, max_bytes: int, **params: str) -> Media | Mapping[str, Any]:
        """A file, or the object the platform answers in its place (the address of a video)."""
        response = await self._authorised("GET", path, params=params, max_bytes=max_bytes)
        if _is_object(response):
            return _object(response)
        return Media(content=response.content, media_type=_kind(response), name=_file_name(response))

    async def fetch_media(self, media_id: str, max_bytes: int) -> Media:
        """A customer's file, kept over there for three days ("获取临时素材"). Of a video the address alone is told."""
        found = await self.download("/cgi-bin/media/get", max_bytes, media_id=media_id)
        if isinstance(found, Media):
            return found
        address = found.get("video_url") or found.get("down_url")
        if not isinstance(address, str):
            raise Rejected("the platform answered neither a file nor its address")
        return await self.fetch_address(address, max_bytes)

    async def fetch_address(self, url: str, max_bytes: int) -> Media:
        """What lies open on the platform's file servers."""
        response = await self._context.remote.fetch_public(url, max_bytes, timeout_seconds=self._timeout_seconds)
        return Media(content=response.content, media_type=_kind(response), name=_file_name(response))

    async def _grant(self) -> Grant:
        """The platform repeats a token while it believes in it."""
        granted = await self.grant(force=False)
        return await self.grant(force=True) if granted.token == self._refused else granted

    def _need_secret(self, setting: str) -> str:
        if not self._secret:
            raise ConfigError(f"{setting} is not set: files, profiles, answers and reviews need it")
        return self._secret

    async def _call(self, method: str, path: str, **given: Any) -> Mapping[str, Any]:
        return _object(await self._authorised(method, path, **given))

    async def _authorised(self, method: str, path: str, **given: Any) -> Response:
        """With the access token; once more with another when it is refused."""
        token = await self.tokens.get()
        response = await self._request(method, path, token, given)
        code, message = _error(response)
        if asks_renewal(code, self._codes):
            self._refused = token
            token = await self.tokens.get(stale=token)
            response = await self._request(method, path, token, given)
            code, message = _error(response)
        if code:
            raise self.error(code, message, path)
        return response

    async def _request(self, method: str, path: str, token: str, given: Mapping[str, Any]) -> Response:
        params = {**given.get("params", {}), "access_token": token}
        headers = {"Content-Type": "application/json"} if "content" in given else {}
        return await self._context.remote.request(
            method,
            f"{self._url}{path}",
            **{"max_bytes": MAX_ANSWER_BYTES, **given, "params": params, "headers": headers},
            timeout_seconds=self._timeout_seconds,
        )

    async def _send(self, method: str, path: str, **given: Any) -> Mapping[str, Any]:
        """Without an access token: how one is got."""
        try:
            response = await self._context.remote.request(
                method, f"{self._url}{path}", **given, timeout_seconds=self._timeout_seconds
            )
        except InDoubt as error:
            raise Unavailable(str(error)) from None
        code, message = _error(response)
        if code:
            raise self.error(code, message, path)
        return _object(response)

    def error(self, code: int, message: str, path: str) -> AllearsError:
        return error_of(code, message.replace(self._secret or "\0", "…"), self._codes, path.rpartition("/cgi-bin/")[2])


class WorkApi(WechatApi):
    """The same of 企业微信: `account` is the corp id, `secret` that of one app."""

    def codes(self) -> Codes:
        return WORK

    async def grant(self, *, force: bool) -> Grant:
        """There is no forcing: a valid token is repeated, an invalid one is not."""
        params = {"corpid": self._account, "corpsecret": self._need_secret("secret")}
        return _granted(await self._send("GET", "/cgi-bin/gettoken", params=params))


def _granted(answer: Mapping[str, Any]) -> Grant:
    token, seconds = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(token, str) or not token or not isinstance(seconds, int | float):
        raise Unavailable("the platform answered without an access token")
    return Grant(token=token, seconds=float(seconds))


def _object(response: Response) -> Mapping[str, Any]:
    found = response.json()
    if not isinstance(found, dict):
        lost = Unavailable if response.call.repeatable else InDoubt
        raise lost("the platform's answer is no JSON object")
    return found


def _is_object(response: Response) -> bool:
    """Not a customer's file that happens to be JSON: those have a name."""
    is_named = bool(response.header("content-disposition"))
    return not is_named and _kind(response) in _JSON and response.content.lstrip()[:1] == b"{"


def _error(response: Response) -> tuple[int, str]:
    """`errcode` and `errmsg` of an answer that is JSON; 0 for all else."""
    if not _is_object(response):
        return 0, ""
    found = _object(response)
    try:
        return int(found.get("errcode") or 0), str(found.get("errmsg") or "")
    except (TypeError, ValueError):
        return 0, ""


def _kind(response: Response) -> str:
    return response.header("content-type").partition(";")[0].strip().lower() or "application/octet-stream"


def _file_name(response: Response) -> str:
    found = _NAME.search(response.header("content-disposition"))
    if not found:
        return ""
    name = unquote(found[1]) if found[1] else found[2]
    return name.replace("\\", "/").rpartition("/")[2].strip()
