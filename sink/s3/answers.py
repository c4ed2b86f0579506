"""What the service said, in our words.

obstore tells a few kinds of errors apart; status and code stand in its text.
Source: Amazon S3 API Reference, "Error responses", "PutObject".
"""

from __future__ import annotations

import re

from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,80})</Code>")
_NO_CONNECTION = "kind: Connect"
BAD_LOGIN = frozenset(
    {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
)
ELSEWHERE = frozenset({"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"})
NOT_NOW = frozenset(
    {"OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown", "ConditionalRequestConflict"}
)


def named(error: Exception) -> AllearsError:
    """A refusal, or a lost answer."""
    text = str(error)
    said = _first(_CODE, text)
    detail = said or text.partition("\n")[0][:300]
    if _NO_CONNECTION in text:
        return Unavailable("no connection to the service", detail=detail)
    if "BareRedirect" in text or said in ELSEWHERE:
        return ConfigError("the bucket is elsewhere: mend `region` or `endpoint_url`", detail=detail)
    if said in NOT_NOW:
        return RetryLater(f"the service takes nothing now: {said}", detail=detail)
    if said in BAD_LOGIN:
        return AuthError(f"the service refuses the access key: {said}", detail=detail)
    return _by_status(int(_first(_STATUS, text) or 0), detail)


def is_there(error: Exception) -> bool:
    """Of a write that only creates. A 409, which obstore takes for the same, is another write that may yet fail."""
    return _first(_STATUS, str(error)) == "412"


def is_denied(error: AllearsError) -> bool:
    """The key is right, and may not do this."""
    return isinstance(error, AuthError) and error.detail not in BAD_LOGIN


def _by_status(status: int, detail: str) -> AllearsError:
    if status in (401, 403):
        return AuthError("the access key may not do this in the bucket", detail=detail)
    if status == 404:
        return ConfigError("the bucket is not there: make it, or mend `bucket`", detail=detail)
    if status == 501:
        return ConfigError("it cannot do this; where that is If-None-Match, set create_only = false", detail=detail)
    if status in (409, 425, 429, 503):
        return RetryLater(f"the service takes nothing now: {status}", detail=detail)
    if 400 <= status < 500 and status != 408:
        return Rejected(f"the service refuses it: {status}", detail=detail)
    return InDoubt(f"an error in place of an answer: {status}" if status else "no answer", detail=detail)


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""
