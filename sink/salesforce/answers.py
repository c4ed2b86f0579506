"""What Salesforce's refusals ask for ("REST API Developer Guide", "Status Codes and Error Responses")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from allears_sdk.errors import AllearsError, ConfigError, InDoubt, Rejected, RetryLater, TicketGone
from allears_sdk.remote import Response
from allears_sdk.tickets import answered

DUPLICATE = "DUPLICATE_VALUE"
HALTED = frozenset({"PROCESSING_HALTED", "ALL_OR_NONE_OPERATION_ROLLED_BACK"})
"""Of those that would have been done, had not another failed."""
_GONE = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"})
_LATER = {"UNABLE_TO_LOCK_ROW": 10.0, "REQUEST_LIMIT_EXCEEDED": 300.0, "SERVER_UNAVAILABLE": 60.0}
"""Code → seconds. The daily quota is asked about every five minutes: an admin may raise it."""
_SPEAK_FOR_THEMSELVES = frozenset({401, 425, 429})
_SETTINGS = frozenset(
    {
        "API_CURRENTLY_DISABLED",
        "API_DISABLED_FOR_ORG",
        "FUNCTIONALITY_NOT_ENABLED",
        "INSUFFICIENT_ACCESS_OR_READONLY",
        "INVALID_FIELD",
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "INVALID_TYPE",
        "NOT_FOUND",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The first entry of an error answer."""

    code: str
    message: str
    fields: Sequence[str]


def refusal_of(answer: Response) -> Refusal | None:
    """Of a 4xx with a list of errors. What says all by its status, and what is no list, are for `check_status`."""
    if not 400 <= answer.status < 500 or answer.status in _SPEAK_FOR_THEMSELVES:
        return None
    try:
        return _refusal(answer.json())
    except AllearsError:
        return None


def composite_refusal(answer: Response, count: int) -> Refusal | None:
    """Of `/composite` with `allOrNone` and so many requests: why none was done. Raises InDoubt for an answer that makes
    no sense."""
    subs = [("compositeResponse", place) for place in range(count)]
    failed = [sub for sub in subs if answered(answer, *sub, "httpStatusCode") not in range(200, 300)]
    return _reason(answer, [answered(answer, *sub, "body") for sub in failed])


def collection_refusal(answer: Response, count: int) -> Refusal | None:
    """The same of `/composite/sobjects` and so many records."""
    failed = [place for place in range(count) if answered(answer, place, "success") is not True]
    return _reason(answer, [answered(answer, place, "errors") for place in failed])


def error_of(refusal: Refusal, place: str, *, of_ticket: bool = False) -> AllearsError:
    """`of_ticket`: the request names a ticket that is there, or was."""
    what = f"{place}: {refusal.code}"
    if refusal.fields:
        what += f" ({', '.join(refusal.fields)})"
    if of_ticket and refusal.code in _GONE:
        return TicketGone(what, detail=refusal.message)
    if refusal.code in _LATER:
        return RetryLater(what, after_seconds=_LATER[refusal.code], detail=refusal.message)
    if refusal.code in _SETTINGS:
        text = "look at the mapping, and at what the app's user may see and write"
        return ConfigError(f"{what}: {text}", detail=refusal.message)
    return Rejected(what, detail=refusal.message)


def _reason(answer: Response, failed: Sequence[Any]) -> Refusal | None:
    """What was done together failed because of one of them."""
    reasons = [one for one in map(_refusal, failed) if one is not None and one.code not in HALTED]
    if failed and not reasons:
        raise InDoubt(f"{answer.call.place}: failed, and does not say why", detail=answer.text()[:500])
    return reasons[0] if reasons else None


def _refusal(errors: Any) -> Refusal | None:
    if not isinstance(errors, list) or not errors or not isinstance(errors[0], dict):
        return None
    first = errors[0]
    code = first.get("errorCode") or first.get("statusCode")
    fields = [str(name) for name in first.get("fields") or ()]
    return Refusal(code=str(code), message=str(first.get("message", ""))[:500], fields=fields) if code else None
