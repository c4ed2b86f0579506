"""Calls to 美团外卖: signed by MD5, dated, errors in the body ("根据门店id批量查询评价信息（新版）")."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from allears_sdk.context import Context
from allears_sdk.errors import Unavailable
from connectors._meituan.answers import error_of
from connectors.meituan.settings import MeituanSettings

COMMENTS = "/api/v1/comment/query"
CALLS_PER_SECOND = 5
CALLS_AT_ONCE = 5
PAGE_ITEMS = 20
MAX_PAGES = 500
"""Of one span and status: 10,000 comments."""


def sign(url: str, parameters: Mapping[str, str], secret: str) -> str:
    """Lower-case hex of MD5 over address, sorted parameters as they are before encoding, and secret."""
    asked = "&".join(f"{name}={value}" for name, value in sorted(parameters.items()))
    return hashlib.md5(f"{url}?{asked}{secret}".encode(), usedforsecurity=False).hexdigest()


class Api:
    def __init__(self, settings: MeituanSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._account = f"meituan:{settings.app_id}"
        context.remote.limit(self._account, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)

    async def comments(self, poi: str, begin: str, end: str, status: int) -> list[Any]:
        """All of a span of days (`20260101`, both inside). Raises the SDK's errors."""
        found: list[Any] = []
        for _ in range(MAX_PAGES):
            rows = await self.page(poi, begin, end, status, len(found))
            found += rows
            if len(rows) < PAGE_ITEMS:
                return found
        raise Unavailable(f"Meituan lists more than {MAX_PAGES * PAGE_ITEMS} comments of {begin} to {end}")

    async def page(self, poi: str, begin: str, end: str, status: int, offset: int) -> list[Any]:
        asked = {
            "app_poi_code": poi,
            "start_time": begin,
            "end_time": end,
            "pageoffset": str(offset),
            "pagesize": str(PAGE_ITEMS),
            "replyStatus": str(status),
        }
        response = await self._context.remote.request(
            "GET",
            self._settings.url + COMMENTS,
            params=self._signed(asked),
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
        )
        return _rows(response.json_object())

    def _signed(self, asked: Mapping[str, str]) -> Mapping[str, str]:
        seconds = self._context.clock.now().timestamp()
        timestamp = int(seconds * 1000) if self._settings.timestamp_unit == "ms" else int(seconds)
        known = {**asked, "app_id": self._settings.app_id, "timestamp": str(timestamp)}
        secret = self._settings.app_secret.get_secret_value()
        return {**known, "sig": sign(self._settings.url + COMMENTS, known, secret)}


def _rows(answer: Mapping[str, Any]) -> list[Any]:
    if error := answer.get("error"):
        told = error if isinstance(error, dict) else {}
        raise error_of("Meituan", told.get("code"), str(told.get("msg") or error))
    rows = answer.get("data", "")
    if rows is not None and not isinstance(rows, list):
        raise Unavailable("Meituan's answer is not a list of comments")
    return rows or []
