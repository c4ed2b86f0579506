"""A door that shuts after failures, so that nobody waits for an endpoint that is down."""

from __future__ import annotations

import structlog

from allears_sdk.clock import Clock

FAILURES = 3
"""In a row; a refusal that only an admin can end shuts at once."""
FIRST_SECONDS = 30.0
MOST_SECONDS = 900.0
MOST_ASKED_SECONDS = 3600.0
REFUSED_SECONDS = 300.0

log = structlog.get_logger("allears.filing")


class Breaker:
    """Says once that it shut, with the reason, and once that all is well again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = FIRST_SECONDS
        self._until = 0.0
        self._down_since: float | None = None

    @property
    def is_shut(self) -> bool:
        return self._clock.monotonic() < self._until

    @property
    def is_down(self) -> bool:
        """Shut, or open only to see whether it works again."""
        return self._down_since is not None

    def note_success(self) -> None:
        if self._down_since is not None:
            log.info("model_step_back", away_seconds=round(self._clock.monotonic() - self._down_since))
        self._failures, self._pause, self._until, self._down_since = 0, FIRST_SECONDS, 0.0, None

    def note_failure(self, reason: str, *, after_seconds: float | None = None, refused: bool = False) -> None:
        """`after_seconds`: what the endpoint itself asks for. What was under way when it shut counts no more."""
        self._failures += 1
        if self.is_shut or not (refused or after_seconds or self._failures >= FAILURES or self.is_down):
            return
        asked = min(after_seconds or 0.0, MOST_ASKED_SECONDS)
        pause = max(self._pause, asked, REFUSED_SECONDS if refused else 0.0)
        self._until = self._clock.monotonic() + pause
        self._pause = min(self._pause * 2, MOST_SECONDS)
        if self._down_since is None:
            self._down_since = self._clock.monotonic()
            log.warning("model_step_paused", reason=reason, seconds=round(pause), advice="rules decide alone meanwhile")
