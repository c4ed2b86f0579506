"""What went wrong at a JMAP server, as the reaction it asks for (RFC 8620 §3.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable
from allears_sdk.remote import Response, check_status

BUSY_SECONDS = 60.0
_PREFIX = "urn:ietf:params:jmap:error:"

_CONFIG = {
    "unknownMethod": "the server does not offer what reading mail needs",
    "accountNotFound": "the account is gone, or no longer ours to see",
    "accountNotSupportedByMethod": "the account holds no mail",
    "accountReadOnly": 'the account is read-only for us: use after = "nothing"',
    "forbidden": 'the server does not permit it: give this login the right, or use after = "nothing"',
}
_BUSY = frozenset({"serverUnavailable", "rateLimit"})


def method_error(name: str, error: Mapping[str, Any]) -> AllearsError:
    """An error in the place of a method's answer, or of one object in it."""
    kind = str(error.get("type", "unknown"))
    detail = str(error.get("description") or error.get("arguments") or "")[:300]
    if kind in _CONFIG:
        return ConfigError(f"{name}: {_CONFIG[kind]}", detail=detail)
    if kind in _BUSY:
        return RetryLater(f"{name}: the server asks to come back later", after_seconds=BUSY_SECONDS, detail=detail)
    return Unavailable(f"{name}: {kind}", detail=detail)


def check(response: Response, now: Any, asked: str) -> None:
    """Raises what the status and the problem details ask for; 2xx passes. `asked` is the URL that was called."""
    if 200 <= response.status < 300:
        return
    if response.status == 401:
        raise AuthError(_unauthorised(response, asked))
    if response.status == 403:
        raise AuthError("the server does not permit this login to read mail over JMAP; its token may lack the scope")
    problem = _problem(response)
    kind = str(problem.get("type", "")).removeprefix(_PREFIX)
    if kind == "limit":
        text = f"a limit of the server was reached: {str(problem.get('limit', 'unnamed'))[:60]}"
        raise RetryLater(text, after_seconds=BUSY_SECONDS)
    if kind == "unknownCapability":
        raise ConfigError("the server does not offer mail over JMAP to this login")
    try:
        check_status(response, now)
    except (Rejected, InDoubt) as error:
        raise Unavailable(str(error), detail=error.detail) from None


def _unauthorised(response: Response, asked: str) -> str:
    if response.url and response.url.split("/")[2:3] != asked.split("/")[2:3]:
        return "the server sends us to another host, where the login is not repeated: set url to that address"
    return "the server refused the login; some want an app password or an API token"


def _problem(response: Response) -> Mapping[str, Any]:
    if "json" not in response.header("content-type"):
        return {}
    try:
        problem = response.json()
    except (Unavailable, InDoubt):
        return {}
    return problem if isinstance(problem, dict) else {}
