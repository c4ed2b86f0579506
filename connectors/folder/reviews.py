"""Rows of a platform's export: public reviews and comments, and the company's answers to them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from allears_sdk.codec import encode
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex
from connectors.folder.cells import Cell, read_time, show
from connectors.folder.columns import Header
from connectors.folder.items import Reading

ANSWER = "answer:"
"""Begins the keys of answers."""
_NO_ANSWER = re.compile(r"[-/01]|--|无|暂无|否|是|[未已待]回复|no|yes|none|null|n/a", re.IGNORECASE)
"""What stands in a column of answers though nothing was answered, or only that something was."""
_ROUNDED = re.compile(r"\d(\.\d+)?[eE]\+?\d+|\d{15}0{2,}")
"""A spreadsheet keeps 15 digits of a number: many long ids are one then. One zero is too often an id's own."""


def make_public(message: dict[str, Any]) -> list[Any]:
    """Makes it a public one; gives what it is known by where the platform exports no id: what the customer said. The
    answer, counts of likes and a state change later, so that they must not be among it."""
    message["visibility"] = "public"
    external_id = message.pop("external_id", "").strip("'=\"")  # marks that keep a spreadsheet from counting with it
    if external_id and not _ROUNDED.fullmatch(external_id):
        message["external_id"] = external_id
    return [message.get(part) for part in ("author", "posted_at", "rating", "subject", "text")]


def matters_of(message: Mapping[str, Any]) -> list[Any]:
    """What is an edit when it changes."""
    return [message.get(part) for part in ("rating", "subject", "text")]


def read_answer(cells: Sequence[Cell], header: Header, reading: Reading, review: Raw) -> Raw | None:
    """The company's answer to it, which shares its fate."""
    text = show(_cell(cells, header, "reply"))
    if not text or _NO_ANSWER.fullmatch(text):
        return None
    key = f"{ANSWER}{review.key}"
    message = {
        "text": text,
        "external_id": key,
        "thread": [review.key],
        "author": {"role": "company"},
        "posted_at": read_time(_cell(cells, header, "replied_at"), reading.zone),
        "visibility": "public",
    }
    return replace(review, key=key, body=encode(message), digest=sha256_hex(text), thread="", quarantine="")


def _cell(cells: Sequence[Cell], header: Header, field: str) -> Cell:
    place = header.fields.get(field)
    return cells[place] if place is not None and place < len(cells) else None
