"""Progress of long work: one line on stderr, redrawn."""

from __future__ import annotations

from time import monotonic
from types import TracebackType

import click

from allears.cli.session import Session

_EVERY_SECONDS = 0.2


class Progress:
    """Says nothing unless stderr is a terminal or --progress was given; then at most five times a second."""

    def __init__(self, session: Session, task: str) -> None:
        self._session = session
        self._task = task
        self._shown_at = 0.0
        self._width = 0

    def __enter__(self) -> Progress:
        self._draw(self._session.say("working", task=self._task))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._width:
            click.echo(err=True)

    def show(self, done: int, total: int) -> None:
        """`total` 0: not known."""
        now = monotonic()
        if now - self._shown_at < _EVERY_SECONDS and done != total:
            return
        self._shown_at = now
        amount = self._session.say("done_of", done=done, total=total) if total else str(done)
        self._draw(f"{self._task}: {amount}")

    def _draw(self, text: str) -> None:
        if not self._session.shows_progress:
            return
        click.echo(f"\r{text.ljust(self._width)}", err=True, nl=False)
        self._width = max(self._width, len(text))
