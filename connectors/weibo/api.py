"""Calls to Weibo: lists with the account's token, private messages with that of 粉丝服务平台."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from allears_sdk.codec import encode
from allears_sdk.connector import Ask
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, InDoubt, Rejected
from allears_sdk.numbers import whole
from allears_sdk.oauth.browser import code_in
from allears_sdk.remote import Response
from connectors.weibo.faults import check
from connectors.weibo.settings import WeiboSettings

CALLS_PER_SECOND, CALLS_AT_ONCE = 0.5, 20
"""Weibo publishes no numbers."""


class Api:
    def __init__(self, settings: WeiboSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._account = f"weibo:{settings.app_key}:{settings.uid}"
        context.remote.limit(self._account, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)

    async def get(self, path: str, **params: Any) -> Any:
        token = await self._token()
        asked = {**params, "access_token": token}
        return (await self._send("GET", f"{self._settings.url}{path}", token, params=asked)).json()

    async def life(self) -> timedelta | None:
        """What the token still has ("oauth2/get_token_info"); None where Weibo does not say. Raises ConfigError for
        another account's."""
        token = await self._token()
        url = f"{self._settings.login_url}/oauth2/get_token_info"
        response = await self._send("POST", url, token, data={"access_token": token}, repeatable=True)
        found = response.json_object()
        if str(found.get("uid", self._settings.uid)) != self._settings.uid:
            raise ConfigError(f"the token is that of the account {found['uid']}, and uid is {self._settings.uid}")
        left = whole(found.get("expire_in", found.get("expires_in")), -1)
        return timedelta(seconds=min(left, 10**9)) if left >= 0 else None

    async def login(self, ask: Ask) -> None:
        """A page shows a code in its address; whoever logs in pastes it here ("OAuth2/authorize")."""
        settings = self._settings
        asked = {"client_id": settings.app_key, "redirect_uri": settings.redirect_url, "response_type": "code"}
        await ask.show(f"{settings.login_url}/oauth2/authorize?{urlencode(asked)}", "")
        code = code_in(await ask.prompt("Address of the page you were led to: "))
        if not code:
            raise AuthError("no code in it: log in, and paste the whole address of the page you are led to")
        await self._redeem(code)

    async def file(self, fid: str, max_bytes: int) -> Response:
        """Of a private message ("mss/msget")."""
        token = self._message_token()
        url = f"{self._settings.upload_url}/2/mss/msget"
        asked = {"access_token": token, "fid": fid}
        return await self._send("GET", url, token, params=asked, max_bytes=max_bytes)

    async def picture(self, name: str, max_bytes: int) -> Response:
        """Of a post: it lies open."""
        return await self._context.remote.request(
            "GET",
            f"{self._settings.picture_url}/{quote(name, safe='')}",
            max_bytes=max_bytes,
            timeout_seconds=self._settings.timeout_seconds,
        )

    async def answer(self, user: str, text: str) -> None:
        """A private message, once ("messages/reply")."""
        token = self._message_token()
        form = {
            "access_token": token,
            "type": "text",
            "data": encode({"text": text}).decode(),
            "receiver_id": user,
            "save_sender_box": "1",
        }
        await self._send("POST", f"{self._settings.message_url}/2/messages/reply.json", token, data=form)

    async def _redeem(self, code: str) -> None:
        settings, secret = self._settings, self._settings.app_secret.get_secret_value()
        form = {
            "client_id": settings.app_key,
            "client_secret": secret,
            "grant_type": "authorization_code",
            "redirect_uri": settings.redirect_url,
            "code": code,
        }
        try:
            response = await self._send("POST", f"{settings.login_url}/oauth2/access_token", secret, data=form)
        except (InDoubt, Rejected) as error:
            raise AuthError(f"Weibo did not take the code: log in once more ({error})", detail=error.detail) from None
        found = response.json_object()
        token, uid = found.get("access_token"), str(found.get("uid", settings.uid))
        if not isinstance(token, str) or not token:
            raise AuthError("Weibo's answer holds no token: log in once more")
        if uid != settings.uid:
            raise AuthError(
                f"you are logged in as {uid}, and uid is {settings.uid}: log out at weibo.com and try again"
            )
        await self._context.tokens.put(self._name, {"token": token})

    @property
    def _name(self) -> str:
        return f"weibo-{self._settings.app_key}-{self._settings.uid}"

    async def _token(self) -> str:
        given = self._settings.access_token
        if given is not None:
            return given.get_secret_value()
        kept = await self._context.tokens.get(self._name)
        if not kept:
            raise AuthError(f"nobody has logged in: allears channels login {self._context.name}")
        return str(kept["token"])

    def _message_token(self) -> str:
        given = self._settings.message_token
        if given is None:
            raise ConfigError("message_token is not set: files of private messages and answers need it")
        return given.get_secret_value()

    async def _send(self, method: str, url: str, secret: str, **given: Any) -> Response:
        response = await self._context.remote.request(
            method,
            url,
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            raise_for_status=False,
            **given,
        )
        check(response, self._now(), secret=secret, advice=self._advice(secret))
        return response

    def _advice(self, token: str) -> str:
        """How to get another."""
        settings = self._settings
        if settings.message_token is not None and token == settings.message_token.get_secret_value():
            return "message_token serves no more; copy the one that 粉丝服务平台 shows"
        if settings.access_token is not None:
            return "access_token serves no more; leave it out, and log in"
        return f"the token serves no more; log in again: allears channels login {self._context.name}"

    def _now(self) -> datetime:
        return self._context.clock.now()
