"""What HubSpot's answers ask for ("Error handling", "API usage guidelines")."""

from __future__ import annotations

from datetime import datetime

from allears_sdk.errors import ConfigError, RetryLater
from allears_sdk.remote import Response, check_status

DAILY_SECONDS = 3600.0
_LATER = {423: 5.0, 477: 900.0}
"""A locked record, an account that moves to another data centre; seconds."""
_TAKEN = ("CONFLICTING_UNIQUE_VALUE", "already has that value")


def is_taken(answer: Response) -> bool:
    """Whether a ticket was refused because another has a value that must be unique. Not documented: each of these was
    seen with other objects."""
    if answer.call.method != "POST" or not answer.call.url.endswith("/tickets"):
        return False
    return answer.status == 409 or (answer.status == 400 and any(words in answer.text() for words in _TAKEN))


def check(answer: Response, now: datetime) -> None:
    """Raises the error that the answer asks for. That a value is taken is none: it may say that the work was done."""
    place, text = answer.call.place, answer.text()
    detail = text[:500]
    if is_taken(answer):
        return
    if answer.status in _LATER:
        raise RetryLater(f"{place}: {answer.status}", after_seconds=_LATER[answer.status], detail=detail)
    if answer.status == 429 and "DAILY" in text and not answer.header("retry-after"):
        raise RetryLater(f"{place}: the day's calls are used up", after_seconds=DAILY_SECONDS, detail=detail)
    if answer.status == 403:
        raise ConfigError(f"{place}: the private app lacks a scope", detail=detail)
    if answer.status == 404:
        raise ConfigError(f"{place}: HubSpot has no such address; is api_version right?", detail=detail)
    if answer.status == 400 and _is_of_settings(text):
        raise ConfigError(f"{place}: a property, pipeline or stage of the settings is not there", detail=detail)
    check_status(answer, now)


def _is_of_settings(text: str) -> bool:
    return "PROPERTY_DOESNT_EXIST" in text or ("INVALID_OPTION" in text and "hs_pipeline" in text)
