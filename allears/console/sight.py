"""Who is looking, and how: what every page of one request shares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from allears.console import moments
from allears.console.texts import Texts
from allears.console.veil import veil_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    texts: Texts
    now: datetime
    zone: tzinfo | None
    """None: this machine's."""
    path: str
    """Path and query of the page, for links that come back to it."""
    csrf: str
    version: str
    reveal: bool = False
    signed_in: bool = False
    """By a session cookie, which can be ended."""
    contacts: frozenset[str] = frozenset()
    """Words known to be ways to reach somebody, also those no mask would recognise."""
    done: str = ""
    """What was just done, a key of the texts' `done` section."""

    @property
    def language(self) -> str:
        return self.texts.language

    def age(self, moment: datetime | None) -> str:
        return moments.age(moment, self.now, self.texts)

    def span(self, since: datetime | None) -> str:
        """How long it has lasted."""
        return moments.span((self.now - since).total_seconds(), self.texts) if since else ""

    def between(self, begin: datetime, end: datetime) -> str:
        return moments.span(max(0.0, (end - begin).total_seconds()), self.texts)

    def stamp(self, moment: datetime) -> str:
        return moments.stamp(moment, self.now, self.zone)

    def day(self, seconds: str) -> str:
        """The date of a stamp of the journal, kept in seconds since 1970."""
        return datetime.fromtimestamp(float(seconds), UTC).astimezone(self.zone).strftime("%Y-%m-%d")

    def size(self, count: int) -> str:
        return moments.size(count, self.texts)

    def shown(self, text: str) -> str:
        """Masked unless the reader asked for contacts."""
        return text if self.reveal else veil_text(text, self.contacts).text
