"""What Jira means by its refusals: many say less than they should."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from allears_sdk.errors import AuthError, ConfigError, Rejected
from allears_sdk.remote import Response
from allears_sdk.tickets import answered
from sink.jira.settings import JiraSettings

Call = Callable[..., Awaitable[Response]]
"""`JiraSink.call`."""
BROWSE = "BROWSE_PROJECTS"
_CAPTCHA = "AUTHENTICATION_DENIED"
_OF_ALL = frozenset({"project", "issuetype"})
_NOT_ON_SCREEN = re.compile(r"(?i)cannot be set")


class Forbidden(Rejected):
    """403: the account may not do this at all, or not with this issue."""


def check_refusal(answer: Response) -> None:
    """After too many wrong passwords Jira wants a person at its login page. Raises AuthError, Forbidden."""
    if answer.status != 403:
        return
    if answer.header("x-seraph-loginreason") == _CAPTCHA:
        raise AuthError(f"{answer.call.place}: 403, Jira asks this account for a CAPTCHA: log in once in a browser")
    raise Forbidden(f"{answer.call.place}: 403", detail=answer.text()[:500])


async def need(call: Call, settings: JiraSettings, *names: str) -> None:
    """Asks which of these permissions we have in the project ("Get my permissions"): without the right to browse,
    searches find nothing and issues are not there, with no other word. Raises ConfigError."""
    query = {"projectKey": settings.project, "permissions": ",".join(names)}
    try:
        answer = await call("GET", f"{settings.api}/mypermissions", params=query)
    except Rejected as error:
        raise ConfigError(f"{settings.project}: no such project, or its account may not see it", detail=error.detail)  # noqa: B904 # its detail says all
    granted: Mapping[str, Any] = answered(answer, "permissions")
    if missing := [name for name in names if not granted.get(name, {}).get("havePermission")]:
        raise ConfigError(f"{settings.project}: the account lacks the permission {', '.join(missing)}")


def blamed_on_settings(error: Rejected, names: Collection[str]) -> bool:
    """Whether a 400 would meet every complaint: project and issue type, or one of `names` (fields we fill from
    settings) that is not on the screen."""
    try:
        faults: Any = json.loads(error.detail).get("errors", {})
    except (ValueError, AttributeError):
        return False
    if not isinstance(faults, dict):
        return False
    return any(name in _OF_ALL or (name in names and _NOT_ON_SCREEN.search(str(text))) for name, text in faults.items())
