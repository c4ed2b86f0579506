"""Errors are named by the reaction they ask for; no third-party exception crosses the SDK.

AllearsError
├── ConfigError      stop this channel or destination and tell the admin
├── AuthError        pause it and tell the admin: the credentials no longer work
├── RetryLater       not now: surely not done, try again after `after_seconds`
│   └── OverBudget   what the account may use up is used up: postponed to the budget's next window
│       └── OutOfMoney   the money that may be spent is: stop, tell the admin, go on when there is more
├── Unavailable      surely not done: nothing reached the other side
├── InDoubt          perhaps done: look before doing it again
├── BadMessage       quarantine this one item and go on
├── Rejected         the other side refuses this payload for good: a letter
├── TicketGone       the ticket was closed, merged or deleted: open a linked one
└── Void             it is too late to answer, or there is nobody to answer: drop this reply
"""

from __future__ import annotations

from datetime import datetime


class AllearsError(Exception):
    """Something went wrong."""

    def __init__(self, message: str = "", *, detail: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").splitlines()[0])
        self.detail = detail
        """The other side's own words, shortened; masked before it is shown."""


class ConfigError(AllearsError):
    """The settings cannot work as they are."""


class AuthError(AllearsError):
    """The credentials were refused."""


class RetryLater(AllearsError):
    """The other side asks to come back later; nothing was done."""

    def __init__(self, message: str = "", *, after_seconds: float | None = None, detail: str = "") -> None:
        super().__init__(message, detail=detail)
        self.after_seconds = after_seconds


class OverBudget(RetryLater):
    """What this account may use up is used up for now; nothing was done."""

    def __init__(
        self,
        message: str = "",
        *,
        after_seconds: float | None = None,
        until: datetime | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(message, after_seconds=after_seconds, detail=detail)
        self.until = until


class OutOfMoney(OverBudget):
    """The money that may be spent is spent; nothing was done."""


class Unavailable(AllearsError):
    """The other side could not be reached; nothing was done."""


class InDoubt(AllearsError):
    """The answer was lost: it may or may not have been done."""


class BadMessage(AllearsError):
    """This item cannot be read."""


class Rejected(AllearsError):
    """The other side refused this for good."""


class TicketGone(AllearsError):
    """The ticket takes no more follow-ups."""


class Void(AllearsError):
    """This answer is not to be sent any more."""
