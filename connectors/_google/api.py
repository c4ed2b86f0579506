"""Reading from Google's APIs: tokens, and what their errors mean ("API Design Guide: Errors")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from allears_sdk.budget import Budget
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, RetryLater
from allears_sdk.oauth import OAuth, OAuthSettings
from allears_sdk.oauth.assertion import load_key
from allears_sdk.remote import Response
from allears_sdk.remote.answers import check_status, detail_of, retry_after
from allears_sdk.renewal import asked_with

WAIT_SECONDS = 600.0
"""Where a limit is reached and Google does not say for how long."""
_LATER = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "RATE_LIMIT_EXCEEDED"})
_TOMORROW = frozenset({"dailyLimitExceeded"})
_TOMORROW_SECONDS = 3600.0
_SWITCHED_OFF = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
_NOT_GRANTED = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One of Google's services, as far as refusals are explained by it."""

    name: str
    """As it is called in the library of a Google Cloud project."""
    scope: str
    permission: str
    """What an admin does where permission is missing."""
    approval: str = ""
    """And where a project has a quota of none."""


class Api:
    """Who has logged in, or a service account. Every call may be made again."""

    def __init__(self, service: Service, context: Context, oauth: OAuthSettings, *, timeout_seconds: float) -> None:
        self.oauth = OAuth(context, oauth, (service.scope,))
        key = oauth.service_account
        self.account = load_key(key.get_secret_value()).client_email if key else oauth.client_id
        self._service = service
        self._context = context
        self._timeout_seconds = timeout_seconds

    async def get(
        self, url: str, params: Mapping[str, Any], *, account: str, budget: Budget | None = None
    ) -> dict[str, Any]:
        """`account`: whose limit it counts against, `budget`: and what it spends a call of. Raises the SDK's errors,
        Rejected for what Google does not know."""
        given = {name: value for name, value in params.items() if value != ""}
        response = await asked_with(
            self.oauth.access_token,
            lambda token: self._send(url, given, token, account, budget),
            lambda response: response.status == 401,
        )
        self._check(response)
        return response.json_object()

    async def _send(
        self, url: str, params: Mapping[str, Any], token: str, account: str, budget: Budget | None
    ) -> Response:
        if budget is not None:
            await self._context.accounts.spend(budget)
        return await self._context.remote.request(
            "GET",
            url,
            params=params,
            headers={"Authorization": f"Bearer {token}"},
            timeout_seconds=self._timeout_seconds,
            account=account,
            raise_for_status=False,
        )

    def _check(self, response: Response) -> None:
        if 200 <= response.status < 300:
            return
        named = self._named(response, frozenset(reasons_of(response)))
        if named is not None:
            named.detail = detail_of(response)
            raise named
        try:
            check_status(response, self._context.clock.now())
        except RetryLater as error:
            error.after_seconds = WAIT_SECONDS if error.after_seconds is None else error.after_seconds
            raise

    def _named(self, response: Response, reasons: frozenset[str]) -> AllearsError | None:
        service, what = self._service, f"{response.call.place}: {response.status} {', '.join(sorted(reasons))}".rstrip()
        if response.status == 401:
            return AuthError(f"Google refuses the access token ({what})")
        if response.status in (403, 429) and service.approval and _has_no_quota(response):
            return ConfigError(f"{service.approval} ({what})")
        if response.status != 403:
            return None
        if reasons & (_LATER | _TOMORROW):
            usual = _TOMORROW_SECONDS if reasons & _TOMORROW else WAIT_SECONDS
            told = retry_after(response.headers, self._context.clock.now())
            return RetryLater(what, after_seconds=usual if told is None else told)
        if reasons & _SWITCHED_OFF:
            return ConfigError(f"switch the {service.name} on in the Google Cloud project ({what})")
        if reasons & _NOT_GRANTED:
            return AuthError(f"the login does not cover {service.scope}: log in again and grant it ({what})")
        return ConfigError(f"{service.permission} ({what})")


def reasons_of(response: Response) -> list[str]:
    """Old style and new."""
    error = _error(response)
    items = [*_listed(error, "errors"), *_listed(error, "details")]
    return [str(item["reason"])[:60] for item in items if item.get("reason")]


def _has_no_quota(response: Response) -> bool:
    details = [item.get("metadata") for item in _listed(_error(response), "details")]
    return any(isinstance(facts, dict) and str(facts.get("quota_limit_value")) == "0" for facts in details)


def _error(response: Response) -> Mapping[str, Any]:
    try:
        answer = response.json()
    except AllearsError:
        return {}
    error = answer.get("error") if isinstance(answer, dict) else None
    return error if isinstance(error, dict) else {}


def _listed(error: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    items = error.get(name)
    yield from (item for item in items if isinstance(item, dict)) if isinstance(items, list) else ()
