"""What a program reads when its request was not taken: problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from allears_sdk.connector import Answer, Reception

_PROBLEM = "application/problem+json"


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Answer:
    title = _TITLES.get(status) or HTTPStatus(status).phrase
    body = msgspec.json.encode({"type": "about:blank", "status": status, "title": title, "detail": detail})
    return Answer(status=status, body=body, media_type=_PROBLEM, headers=headers or {})


def refuse(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Reception:
    """Nothing to store; the sender reads why. In the log stands the status alone: a detail may quote him."""
    answer = problem(status, detail, headers)
    title = _TITLES.get(status) or HTTPStatus(status).phrase
    return Reception(refused=f"{status} {title}", answer=lambda accepted: answer)


_TITLES = {413: "Content Too Large"}
"""Where Python's name changes with its version."""
