"""Calls for chats, and the address of the long connection."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, RetryLater, Unavailable
from allears_sdk.feishu import FeishuApp, Told
from allears_sdk.feishu.codes import check
from allears_sdk.remote import Response
from connectors.feishu.codes import CHAT
from connectors.feishu.settings import FeishuSettings

_ENDPOINT_PATH = "/callback/ws/endpoint"
_BUSY = frozenset({1, 1000040343})
_TOO_MANY = 1000040350
_TOO_MANY_SECONDS = 60.0


class FeishuApi(FeishuApp):
    def __init__(self, settings: FeishuSettings, context: Context) -> None:
        super().__init__(
            context,
            url=settings.url,
            app_id=settings.app_id,
            app_secret=settings.app_secret,
            timeout_seconds=settings.timeout_seconds,
            codes=CHAT,
        )
        self.settings = settings

    async def whole(self, path: str) -> dict[str, Any]:
        """The answer where it has no `data` (page "Obtain bot info")."""
        return (await self.call("GET", path))[1]

    async def download(self, path: str, *, max_bytes: int, **params: Any) -> Response:
        return (await self.call("GET", path, params=params, max_bytes=max_bytes))[0]

    async def endpoint(self) -> tuple[str, int, dict[str, Any]]:
        """Where to open the long connection: its URL, the number of our service in it, and its settings."""
        secret = self.settings.app_secret.get_secret_value()
        body = {"AppID": self.settings.app_id, "AppSecret": secret}
        try:
            answer = check(await self.send("POST", _ENDPOINT_PATH, json=body, repeatable=True), self.now(), CHAT)
        except Told as error:
            raise _connection_error(error) from None
        data = answer.get("data")
        url = str(data.get("URL", "")) if isinstance(data, dict) else ""
        config = data.get("ClientConfig") if isinstance(data, dict) else None
        service = parse_qs(urlsplit(url).query).get("service_id", [""])[0]
        if not service.isdecimal():
            raise Unavailable("Feishu gave no address for the long connection; try again, or use webhook mode")
        return url, int(service), config if isinstance(config, dict) else {}


def _connection_error(error: Told) -> AllearsError:
    if error.code in _BUSY:
        return Unavailable(f"Feishu's long connection is busy ({error.code})", detail=error.detail)
    if error.code == _TOO_MANY:
        return RetryLater("this app has 50 long connections already", after_seconds=_TOO_MANY_SECONDS)
    text = (
        f"Feishu gives this app no long connection ({error.code}): check app_id and app_secret, and choose "
        "the long connection in the console's event subscription"
    )
    return AuthError(text, detail=error.detail)
