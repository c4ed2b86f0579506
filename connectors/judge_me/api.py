"""Calls to Judge.me, as other clients make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from allears_sdk.connector import Media
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, Rejected, Unavailable
from allears_sdk.remote.answers import check_status, detail_of
from connectors.judge_me.settings import JudgeMeSettings

CALLS_PER_SECOND, CALLS_AT_ONCE = 1.0, 5
"""Judge.me tells no limit, but has one."""
_CREDENTIALS = (
    "Judge.me refuses the token: compare shop_domain and api_token with Settings → Integrations → View API tokens "
    "(private token)"
)


class Api:
    """One shop. Every call may be made again."""

    def __init__(self, settings: JudgeMeSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._account = f"judge_me:{settings.shop_domain}"
        context.remote.limit(self._account, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)

    async def reviews(self, page: int, limit: int) -> Mapping[str, Any]:
        """A page, counted from 1. Raises the SDK's errors."""
        settings, token = self._settings, self._settings.api_token.get_secret_value()
        asked: dict[str, Any] = {"shop_domain": settings.shop_domain, "page": page, "per_page": limit}
        response = await self._context.remote.request(
            "GET",
            f"{settings.url}{settings.reviews_path}",
            params=asked | ({"api_token": token} if settings.credentials_in == "query" else {}),
            headers={"X-Api-Token": token} if settings.credentials_in == "header" else {},
            timeout_seconds=settings.timeout_seconds,
            account=self._account,
            raise_for_status=False,
        )
        detail = detail_of(response).replace(token, "…")
        if response.status in (401, 403):
            raise AuthError(_CREDENTIALS, detail=detail)
        try:
            check_status(response, self._context.clock.now())
        except Rejected:
            what = f"Judge.me does not know this call ({response.status}): see `url`, `reviews_path` and `shop_domain`"
            raise ConfigError(what, detail=detail) from None
        answer = response.json_object()
        if answer.get("current_page", page) not in (page, str(page)):
            raise Unavailable("Judge.me gives another page than the one asked for")
        return answer

    async def picture(self, url: str) -> Media:
        if urlsplit(url).scheme != "https":
            raise Rejected("Judge.me named no address of a picture")
        try:
            response = await self._context.remote.fetch_public(url, self._settings.max_attachment_bytes)
        except AuthError as error:
            raise Rejected("the picture is not public", detail=error.detail) from None
        return Media.of(response)
