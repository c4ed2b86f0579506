"""What each kind of error asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from allears.journal.errors import JournalUnavailable
from allears_sdk.errors import AllearsError, AuthError, ConfigError, OutOfMoney, OverBudget, RetryLater

AUTH_RETRY_SECONDS = 900.0
JOURNAL_RETRY_SECONDS = 15.0
"""The trouble is at home, and who pushes waits at the door meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    state: str
    """running, failing or stopped: what the channel is from now on."""
    cause: str
    delay_seconds: float | None = None
    """None: the back-off decides; infinite: until the admin reloads or resumes."""
    most_seconds: float = math.inf
    """The back-off never waits longer."""
    holds_channel: bool = False
    """Every part of the channel waits, not only the one that failed."""
    suspects_page: bool = False
    """Something in the page that was read may be the reason."""
    unexpected: bool = False
    advice: str = ""
    wait: str = "asked_to_wait"
    """What the log calls it where the channel runs on, and only waits."""


def reaction_to(error: Exception) -> Reaction:
    cause = describe(error)
    if isinstance(error, ConfigError):
        advice = "correct this channel's settings and reload, or resume the channel once the cause is gone"
        return Reaction(state="stopped", cause=cause, delay_seconds=math.inf, holds_channel=True, advice=advice)
    if isinstance(error, AuthError):
        advice = (
            "renew its credentials; then reload where the file names them, else resume the channel "
            "(`allears channels resume NAME`); tried every 15 minutes until then"
        )
        return Reaction(
            state="stopped", cause=cause, delay_seconds=AUTH_RETRY_SECONDS, holds_channel=True, advice=advice
        )
    if isinstance(error, OutOfMoney):  # whoever reads on for less is not held up
        advice = "raise monthly_budget and reload, or leave it: reading goes on by itself with the next month"
        return Reaction(state="stopped", cause=cause, delay_seconds=error.after_seconds, advice=advice)
    if isinstance(error, RetryLater):
        state = "failing" if error.after_seconds is None else "running"
        wait = "postponed" if isinstance(error, OverBudget) else "asked_to_wait"
        return Reaction(state=state, cause=cause, delay_seconds=error.after_seconds, wait=wait)
    if isinstance(error, JournalUnavailable):
        return Reaction(state="failing", cause=cause, most_seconds=JOURNAL_RETRY_SECONDS)
    expected = isinstance(error, AllearsError | OSError)
    return Reaction(state="failing", cause=cause, suspects_page=True, unexpected=not expected)


def describe(error: Exception) -> str:
    """What went wrong in words that may be stored and logged. The text of an error nobody foresaw may quote a
    message: only its name is given."""
    if isinstance(error, AllearsError):
        return str(error)
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return type(error).__name__
