"""What spreadsheets have in common: a row for each event, columns of the admin's choice, nothing cut silently."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from pydantic import Field, JsonValue, field_validator

from allears_sdk.codec import decode, encode
from allears_sdk.complaint import Event
from allears_sdk.errors import Rejected
from allears_sdk.sink import marks_of
from allears_sdk.tickets import MappingSettings
from allears_sdk.tickets.facts import FACTS, Fact, facts_of
from allears_sdk.tickets.settings import chosen
from allears_sdk.words import words
from sink._line_sink import LineSettings

Cell = str | int | float
Row = list[Cell]

TEMPLATE = (
    "id",
    "customer_id",
    "customer_name",
    "contact",
    "channel",
    "received_at",
    "product_or_order",
    "category",
    "title",
    "description",
    "priority",
    "expectation",
    "attachments",
    "handler",
)
"""The columns where the settings name none: those of the record's template, and its reference."""
KEYS = 2
"""How many columns of keys stand first."""
_NEVER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
"""Characters that XML, or a spreadsheet, does not hold."""


class SheetSettings(MappingSettings, LineSettings):
    """Which columns, in which words."""

    language: Literal["zh", "en"] = Field(default="zh", description="Language of the headings.")
    timezone: str = Field(default="UTC", description="IANA zone of the times in the rows, as Asia/Shanghai.")
    fields: dict[str, str] = Field(
        default_factory=dict,
        description="Fact of the record → heading of its column, in this order. Empty: the fields of the complaint "
        f"template. Facts: {', '.join(FACTS)}.",
    )
    constants: dict[str, JsonValue] = Field(
        default_factory=dict, description='Heading of a column → what it holds in every row, as `处理状态 = "新"`.'
    )
    max_cell_chars: int = Field(
        default=32_000,
        ge=100,
        le=32_767,
        description="Longer text goes on in rows below, which have no key: Excel cuts at 32,767 and says nothing.",
    )

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"no time zone {name!r}") from None
        return name

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def columns(self) -> Mapping[str, str]:
        """Fact → heading."""
        return self.fields or {name: label(self.language, name) for name in TEMPLATE}

    @property
    def headings(self) -> list[str]:
        *first, last = OWN_HEADINGS[self.language]
        named = [*self.columns.values(), *self.constants]
        return [*first, *(" ".join(heading.split()) for heading in named), last]


OWN_HEADINGS: Mapping[str, Sequence[str]] = {
    "zh": ("键", "消息键", "事件", "事件时间", "本次内容"),
    "en": ("Key", "Message keys", "Event", "Event time", "Said now"),
}
"""Of the columns before the facts (the first two hold keys), and of the one behind them."""
EVENTS: Mapping[str, Mapping[str, str]] = {
    "zh": {"opened": "新投诉", "followed_up": "补充", "edited": "修改", "withdrawn": "撤回", "": "（续）"},
    "en": {
        "opened": "opened", "followed_up": "followed up", "edited": "edited", "withdrawn": "withdrawn",
        "": "(continued)",
    },
}  # fmt: skip
"""Kind of the event → what the row says; "" of a row that goes on with the one above."""


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """What is frozen: the rows of one event, the first with its keys."""

    key: str
    marks: list[str]
    rows: list[Row]


def label(language: str, fact: str) -> str:
    """What people call a fact; its own name where there is no word."""
    sections = words(language)
    return next((sections[name][fact] for name in ("ticket", "field") if fact in sections[name]), fact)


def render_rows(event: Event, key: str, settings: SheetSettings) -> bytes:
    facts = facts_of(event.record)
    cells: Row = [
        EVENTS[settings.language][event.kind.value],
        _moment(event.at, settings),
        *(_cell(settings, name, facts[name]) for name in settings.columns),
        *(_plain(value) for value in settings.constants.values()),
        _said(event),
    ]
    marks = marks_of(event, key, is_stream=True)
    more = list(marks) if marks != (key,) else []
    return encode(Payload(key=key, marks=more, rows=list(_rows(cells, settings))))


def read_rows(payload: bytes) -> Payload:
    """Raises Rejected for what `render_rows` did not make."""
    try:
        return decode(payload, Payload)
    except ValueError as error:
        raise Rejected(f"the frozen payload cannot be read: {error}") from None


def _rows(cells: Row, settings: SheetSettings) -> Iterator[Row]:
    """One, and as many below it as the longest text needs."""
    parts = [_parts(cell, settings.max_cell_chars) if isinstance(cell, str) else [cell] for cell in cells]
    for number in range(max(map(len, parts))):
        row: Row = [part[number] if number < len(part) else "" for part in parts]
        if number:
            row[0] = EVENTS[settings.language][""]
        yield row


def _parts(text: str, chars: int) -> Sequence[Cell]:
    """Counted as spreadsheets count: what lies beyond the basic plane (emoji, rare letters) is two."""
    clean = _NEVER.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    if len(clean) * 2 <= chars:
        return [clean]
    parts, start, width = [], 0, 0
    for place, letter in enumerate(clean):
        width += 1 + (letter > "\uffff")
        if width > chars:
            parts.append(clean[start:place])
            start, width = place, 1 + (letter > "\uffff")
    return [*parts, clean[start:]]


def _said(event: Event) -> str:
    """The words that are new with the event."""
    return "\n\n".join(one.text for one in event.record.conversation if one.id in event.messages)


def _cell(settings: SheetSettings, name: str, fact: Fact) -> Cell:
    values = settings.values.get(name, {})
    if isinstance(fact, datetime):
        return _moment(fact, settings)
    if isinstance(fact, tuple):
        return ", ".join(str(chosen(values, one)) for one in fact)
    if isinstance(fact, str):
        return _plain(chosen(values, fact))
    return fact


def _plain(value: JsonValue) -> Cell:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _moment(at: datetime, settings: SheetSettings) -> str:
    return at.astimezone(settings.zone).strftime("%Y-%m-%d %H:%M:%S")
