"""Reading for the account."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected, Unavailable
from allears_sdk.remote import Response, check_status
from allears_sdk.renewal import asked_with
from connectors.douyin.faults import STALE, code_of, error_of
from connectors.douyin.login import Login
from connectors.douyin.settings import DouyinSettings

VIDEOS = "/api/douyin/v1/video/video_list/"
COMMENTS = "/api/apps/v1/item/list_comment/"
REPLIES = "/api/apps/v1/item/list_comment_reply/"
CALLS_PER_SECOND, CALLS_AT_ONCE = 2.0, 10
"""Douyin tells no limit of these."""
MAX_PAGES = 1000


class Api:
    def __init__(self, settings: DouyinSettings, context: Context, login: Login) -> None:
        self._settings = settings
        self._context = context
        self._login = login
        self._account = f"douyin:{settings.client_key}"
        context.remote.limit(self._account, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)

    async def get(self, path: str, **params: Any) -> Mapping[str, Any]:
        """The `data` of an answer. Raises the SDK's errors, Rejected for what Douyin refuses: one video, perhaps."""
        response = await asked_with(
            self._login.token,
            lambda token: self._send(path, params, token),
            lambda response: code_of(response.json_object()) in STALE,
        )
        answer = response.json_object()
        if code := code_of(answer):
            raise error_of(code, answer, response)
        found = answer.get("data")
        if not isinstance(found, dict):
            raise Unavailable(f"{path}: the answer is not what Douyin documents")
        return found

    async def pages(self, path: str, count: int, **params: Any) -> AsyncGenerator[list[Any], None]:
        """From the newest, so many pages at most; a position is good for this walk only."""
        cursor: object = 0
        for _ in range(MAX_PAGES):
            found = await self.get(path, cursor=cursor, count=count, **params)
            rows, following = found.get("list"), found.get("cursor")
            if rows is not None and not isinstance(rows, list):
                raise Unavailable(f"{path}: a list that is none")
            yield rows or []
            if found.get("has_more") is not True or following == cursor or not isinstance(following, int | str):
                return
            cursor = following
        self._context.log.warning("list_cut", path=path, pages=MAX_PAGES)  # what else there is to read shall not wait

    async def _send(self, path: str, params: Mapping[str, Any], token: str) -> Response:
        response = await self._context.remote.request(
            "GET",
            f"{self._settings.url}{path}",
            params={"open_id": self._settings.open_id, **params},
            headers={"access-token": token, "Content-Type": "application/json"},
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            raise_for_status=False,
        )
        try:
            check_status(response, self._context.clock.now())
        except Rejected as error:
            raise ConfigError(f"Douyin does not know this call: see `url` ({error})", detail=error.detail) from None
        return response
