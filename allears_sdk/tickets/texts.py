"""What allears writes into a ticket, in Chinese or English."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allears_sdk.codec import convert
from allears_sdk.complaint import Event, Said
from allears_sdk.message import Kind, Rating, Role
from allears_sdk.tickets.facts import as_text, reach
from allears_sdk.tickets.files import Left, Sorted
from allears_sdk.words import category, word

SHOWN = ("contact", "channel", "received_at", "product_or_order", "category", "priority", "expectation", "handler")
_UNIT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Of one event in one language."""

    language: str
    event: Event
    files: Sorted

    def opening(self) -> str:
        """What was said, the facts, and what goes on here when an earlier ticket is gone."""
        former = self._say("former", tickets=", ".join(self.event.former)) if self.event.former else ""
        return _joined(former, self.event.record.description, self.facts(), "\n".join(self.file_lines()))

    def follow_up(self) -> str:
        """What is new: messages, changed fields, files. Where all else is silent, the facts as they are now."""
        said = [f"{one['heading']}\n{one['text']}".rstrip() for one in self.said()]
        parts = [*said, "\n".join(self.changes()), "\n".join(self.file_lines())]
        return _joined(*parts) or self.facts()

    def facts(self) -> str:
        """The template's fields, a line for each that is known."""
        record = self.event.record
        shown = {
            "contact": " · ".join(filter(None, (record.contact.name, *reach(record)))),
            "channel": record.channel,
            "received_at": _moment(record.received_at),
            "product_or_order": record.product_or_order,
            "category": category(self.language, record.category),
            "priority": self._priority(record.priority),
            "expectation": self._expectations(record.expectation),
            "handler": record.handler or record.assignee or record.team,
            "customer_id": record.customer_id,
            "permalink": record.permalink,
        }
        return "\n".join(f"{self._say(name)}: {value}" for name, value in shown.items() if value)

    def said(self) -> list[dict[str, str]]:
        """The messages that are new with the event: `author`, `at`, `text`, `kind`, `heading`."""
        new = [one for one in self.event.record.conversation if one.id in self.event.messages]
        return [self._message(one) for one in new]

    def changes(self) -> list[str]:
        """A line for each field that changed, but for those that the messages and files show themselves."""
        pairs = {name: pair for name, pair in self.event.changes.items() if name in _COMPARED}
        return [
            self._say(
                "changed", field=self._say(name), before=self._shown(name, before), after=self._shown(name, after)
            )
            for name, (before, after) in pairs.items()
        ]

    def file_lines(self) -> list[str]:
        """A line for each attachment that is not in the ticket."""
        return [self._file(one) for one in self.files.left]

    def cut(self, chars: int) -> str:
        return self._say("cut", left=chars, reference=self.event.complaint_id)

    def _message(self, said: Said) -> dict[str, str]:
        at = _moment(said.posted_at or said.at)
        author = said.author or self._say("nobody")
        kind = said.kind if said.kind != Kind.SAID.value or said.role is Role.CUSTOMER else "company"
        text = "" if kind == Kind.WITHDRAWN.value else said.text
        return {
            "author": author,
            "at": at,
            "text": text,
            "kind": kind,
            "heading": self._say(kind, author=author, at=at),
        }

    def _file(self, left: Left) -> str:
        link = left.link or self._say("kept", reference=self.event.complaint_id)
        limit = _size(self.files.each_bytes) if left.why == "too_large" else str(self.files.count)
        key = "linked" if left.why == "kept" else left.why
        return self._say(
            key, name=left.file.name, size=_size(left.file.size), limit=limit, link=link, reason=left.file.skipped
        )

    def _shown(self, name: str, value: Any) -> str:
        if name == "category":
            value = category(self.language, str(value))
        elif name == "priority":
            value = self._priority(str(value))
        elif name == "expectation":
            value = self._expectations(value)
        elif name == "rating":
            value = _stars(value)
        return as_text(tuple(value) if isinstance(value, list) else value) or self._say("nothing")

    def _priority(self, value: str) -> str:
        return f"{value} {word(self.language, 'priority', value)}" if value else ""

    def _expectations(self, values: Sequence[str]) -> str:
        return ", ".join(word(self.language, "expectation", value) for value in values)

    def _say(self, key: str, **facts: object) -> str:
        text = word(self.language, "ticket", key)
        return text.format(**facts) if facts else text


_COMPARED = frozenset(
    {"nature", "rating", "product_or_order", "category", "priority", "expectation", "handler", "customer_id"}
)


def _stars(value: Any) -> str:
    """`2 / 5`; a record read from the journal's events holds a plain dict."""
    rating = convert(value, Rating) if isinstance(value, dict) else value
    return f"{rating.value:g} / {rating.best:g}" if rating else ""


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")


def _size(count: int) -> str:
    if count < _UNIT:
        return f"{count} B"
    return f"{count / _UNIT:.0f} KB" if count < _UNIT**2 else f"{count / _UNIT**2:.1f} MB"
