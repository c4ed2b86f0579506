"""Calls to the Selling Partner API ("Reports API v2021-06-30", "Customer Feedback API v2024-06-01")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allears_sdk.access_token import AccessToken, Grant, grant_of
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, Rejected, RetryLater, Unavailable
from allears_sdk.remote import Response
from allears_sdk.remote.answers import check_status, detail_of
from allears_sdk.renewal import asked_with
from connectors.amazon.settings import AmazonSettings

REPORTS = "/reports/2021-06-30"
TOPICS = "/customerFeedback/2024-06-01/items"
FEEDBACK = "GET_SELLER_FEEDBACK_DATA"
MAX_DOCUMENT_BYTES = 64 << 20
_RATES: Mapping[str, tuple[float, int]] = {
    "list": (0.0222, 10),
    "order": (0.0167, 15),
    "look": (2.0, 15),
    "document": (0.0167, 15),
    "topics": (0.5, 1),
}
"""Calls a second, and at once, until Amazon names other rates."""
_RATE_HEADER = "x-amzn-ratelimit-limit"
_CREDENTIALS = (
    "Amazon refuses the application: compare client_id and client_secret (they expire: Developer Central → View LWA "
    "credentials), and authorise it again for a new refresh_token"
)
_ROLE = "Amazon does not let the application read {}: give it that role in its profile, then authorise it again"
_FEEDBACK = "seller feedback reports (role Selling Partner Insights)"
_TOPICS = "topics of reviews (role Brand Analytics, for brand owners)"


class Api:
    """One seller's authorisation in one region. Every call may be made again: a report too many harms nobody."""

    def __init__(self, settings: AmazonSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._account = f"amazon:{settings.client_id}:{settings.seller}:{settings.shop_region}"
        self._rates = {name: rate for name, (rate, _) in _RATES.items()}
        for name, (rate, burst) in _RATES.items():
            context.remote.limit(f"{self._account}:{name}", per_second=rate, burst=burst)
        self._token = AccessToken(context, (settings.token_url, self._account), self._ask_token)

    async def call(self, what: str, method: str, path: str, **asked: Any) -> Mapping[str, Any]:
        """`what` is one of `_RATES`. Raises the SDK's errors; Rejected where Amazon knows no such thing."""
        response = await asked_with(
            self._token.get, lambda token: self._send(what, method, path, token, asked), _is_token_refused
        )
        self._heed(what, response)
        self._check(what, response)
        return response.json_object()

    async def download(self, url: str) -> Response:
        """The document behind a link that lives five minutes and needs no token."""
        try:
            return await self._context.remote.request(
                "GET", url, timeout_seconds=self._settings.timeout_seconds, max_bytes=MAX_DOCUMENT_BYTES
            )
        except (AuthError, Rejected) as error:
            raise Unavailable(
                "the link to Amazon's report does not work: it is asked for again", detail=error.detail
            ) from None

    async def _send(self, what: str, method: str, path: str, token: str, asked: Mapping[str, Any]) -> Response:
        now = self._context.clock.now()
        return await self._context.remote.request(
            method,
            f"{self._settings.effective_url}{path}",
            headers={"x-amz-access-token": token, "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}"},
            timeout_seconds=self._settings.timeout_seconds,
            account=f"{self._account}:{what}",
            repeatable=True,
            raise_for_status=False,
            **asked,
        )

    def _heed(self, what: str, response: Response) -> None:
        """Amazon names the rate that holds for this application."""
        rate = self._rate(response)
        if rate and rate != self._rates[what]:
            self._rates[what] = rate
            self._context.remote.limit(f"{self._account}:{what}", per_second=rate, burst=_RATES[what][1])

    def _check(self, what: str, response: Response) -> None:
        if response.status == 401:
            raise AuthError(_CREDENTIALS, detail=detail_of(response))
        if response.status == 403:
            if what == "topics":  # feedback is heard all the same
                raise Unavailable(_ROLE.format(_TOPICS), detail=detail_of(response))
            raise AuthError(_ROLE.format(_FEEDBACK), detail=detail_of(response))
        try:
            check_status(response, self._context.clock.now())
        except RetryLater as error:
            after = error.after_seconds if error.after_seconds is not None else 1 / self._rates[what]
            raise RetryLater(str(error), after_seconds=after, detail=error.detail) from None

    async def _ask_token(self) -> Grant:
        settings = self._settings
        form = {
            "grant_type": "refresh_token",
            "refresh_token": settings.refresh_token.get_secret_value(),
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value(),
        }
        response = await self._context.remote.request(
            "POST",
            settings.token_url,
            data=form,
            timeout_seconds=settings.timeout_seconds,
            repeatable=True,
            raise_for_status=False,
        )
        if response.status in (400, 401, 403):
            raise AuthError(_CREDENTIALS)
        check_status(response, self._context.clock.now())
        return grant_of(response.json_object(), Unavailable("Amazon's answer holds no access token"))

    @staticmethod
    def _rate(response: Response) -> float:
        """0: it names none."""
        try:
            rate = float(response.headers.get(_RATE_HEADER, "0"))
        except ValueError:
            return 0.0
        return rate if 1e-5 < rate < 1e4 else 0.0


def _is_token_refused(response: Response) -> bool:
    return response.status == 401 or (response.status == 403 and "token" in detail_of(response).lower())


def refused(error: Rejected) -> ConfigError:
    advice = "compare `marketplaces`, `report_days`, `history_days` and `url` with the seller's account"
    return ConfigError(f"Amazon refuses to make reports: {advice}", detail=error.detail)
