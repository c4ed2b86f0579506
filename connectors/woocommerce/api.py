"""Calls to the REST API of a shop ("WooCommerce REST API: Authentication, Errors, Pagination")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, Rejected, Unavailable
from allears_sdk.remote import Response, basic_auth, check_status
from allears_sdk.remote.answers import detail_of
from connectors.woocommerce.settings import WooCommerceSettings

CALLS_PER_SECOND, CALLS_AT_ONCE = 2.0, 5
"""It is the shop that answers, while customers buy there."""
_CREDENTIALS = (
    "the shop refuses the key: compare consumer_key and consumer_secret with WooCommerce → Settings → Advanced → REST "
    'API (Read, of a user who may moderate reviews); where the server drops the header, credentials_in = "query"'
)
_NO_API = (
    "the shop has no such API: see `url` and `api_path`, that WooCommerce is active, and that Settings → Permalinks is "
    "not Plain"
)


class Api:
    """One shop. Every call may be made again."""

    def __init__(self, settings: WooCommerceSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._base = f"{settings.url.rstrip('/')}{settings.api_path}"
        self._account = f"woocommerce:{self._base}"
        self._key = settings.consumer_key.get_secret_value()
        self._secret = settings.consumer_secret.get_secret_value()
        self._has_answered = False
        context.remote.limit(self._account, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)

    async def reviews(self, asked: Mapping[str, Any]) -> Response:
        """Raises the SDK's errors."""
        credentials, headers = dict[str, str](), dict[str, str]()
        if self._settings.credentials_in == "query":
            credentials = {"consumer_key": self._key, "consumer_secret": self._secret}
        else:
            headers = {"Authorization": basic_auth(self._key, self._secret)}
        response = await self._context.remote.request(
            "GET",
            f"{self._base}/products/reviews",
            params={**asked, **credentials},
            headers=headers,
            timeout_seconds=self._settings.timeout_seconds,
            account=self._account,
            raise_for_status=False,
        )
        self._check(response)
        return response

    def _check(self, response: Response) -> None:
        detail = detail_of(response).replace(self._key, "…").replace(self._secret, "…")
        if response.status in (401, 403):
            raise AuthError(_CREDENTIALS, detail=detail)
        try:
            check_status(response, self._context.clock.now())
        except Rejected:  # while a shop updates itself, it is gone for a minute
            kind = Unavailable if self._has_answered else ConfigError
            raise kind(f"{_NO_API} ({response.status})", detail=detail) from None
        self._has_answered = True
