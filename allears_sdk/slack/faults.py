"""What Slack's error codes ask for. "Web API methods", section Errors of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allears_sdk.errors import (
    AllearsError,
    AuthError,
    ConfigError,
    InDoubt,
    Rejected,
    RetryLater,
    Unavailable,
)

LIMITED = frozenset({"ratelimited", "rate_limited"})
_LATER = frozenset({"service_unavailable", "request_timeout", "team_added_to_org", "external_channel_migrating"})
_BROKEN = frozenset({"internal_error", "fatal_error"})
_LOGIN = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "token_expired",
        "token_revoked",
        "account_inactive",
        "app_uninstalled",
        "two_factor_setup_required",
    }
)
_SETUP = frozenset(
    {
        "missing_scope",
        "not_allowed_token_type",
        "no_permission",
        "access_denied",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "org_login_required",
        "team_access_not_granted",
        "accesslimited",
        "method_deprecated",
        "deprecated_endpoint",
        "invalid_app_token",
        "missing_args",
    }
)
_GONE = frozenset({"channel_not_found", "not_in_channel", "is_archived", "thread_not_found", "message_not_found"})


class Gone(Rejected):
    """This conversation is none of ours any more."""


def error_of(method: str, answer: Mapping[str, Any], *, is_repeatable: bool) -> AllearsError:
    """The error that an answer with `"ok": false` asks for."""
    code = str(answer.get("error", "unknown_error"))[:80]
    what = f"{method}: {code}"
    if code in LIMITED or code in _LATER:
        return RetryLater(what)
    if code in _BROKEN:
        return Unavailable(what) if is_repeatable else InDoubt(what)
    if code in _LOGIN:
        return AuthError(f"Slack refuses the token ({what}): take it anew from the app's page and see it is installed")
    if code in _SETUP:
        return ConfigError(_advice(what, answer))
    return Gone(what) if code in _GONE else Rejected(what)


def _advice(what: str, answer: Mapping[str, Any]) -> str:
    if needed := str(answer.get("needed", ""))[:200]:
        return f"the token lacks the scope {needed}: add it on the app's page and install the app again ({what})"
    return f"the app may not do this: see its scopes and the workspace's policy ({what})"
