"""One row of a sheet → the JSON of one Message."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from connectors.folder.columns import Header

Cell = str | int | float | bool | datetime | date | time | timedelta | None

_DATE = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:[T\s]*(\d{1,2})[:时点](\d{1,2})(?:[:分](\d{1,2})(?:\.(\d{1,6})\d*)?)?[分秒]?)?\s*(Z|[+-]\d\d:?\d\d)?"
)
_RATING = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/\s*(\d+(?:\.\d+)?)|[星分颗]|stars?)?", re.IGNORECASE)
_VERDICTS = {"好评": 1.0, "中评": 0.5, "差评": 0.0}


def show(cell: Cell) -> str:
    """A cell as a person reads it: no ".0" behind a phone number, ISO dates."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime | date | time):
        return cell.isoformat(" ") if isinstance(cell, datetime) else cell.isoformat()
    return str(cell).strip()


def read_row(
    cells: Sequence[Cell], header: Header, zone: tzinfo, rating_best: float, product: str = ""
) -> dict[str, Any]:
    """A message as JSON has it, without what is empty. Values that cannot be read are left out here and stay
    among `read_others`. `product`: what it is about where no cell says."""
    values = {field: cells[place] for field, place in header.fields.items() if place < len(cells)}
    texts = {field: show(cell) for field, cell in values.items()}
    message: dict[str, Any] = {"text": texts.get("text", "")}
    message |= {name: texts.get(name, "") for name in ("external_id", "subject", "order", "permalink")}
    message["product"] = " ".join(filter(None, (texts.get("product") or product, texts.get("version", ""))))
    message["author"] = _author(texts)
    message["posted_at"] = read_time(values.get("posted_at"), zone)
    message["rating"] = read_rating(values.get("rating"), rating_best)
    return {name: value for name, value in message.items() if value or name == "text"}


def _author(texts: Mapping[str, str]) -> dict[str, str]:
    """With the best id there is, so that a later row of the same customer is known to be theirs."""
    email, phone, wechat = texts.get("email", "").lower(), texts.get("phone", ""), texts.get("wechat", "")
    author = {
        "id": texts.get("customer_id", "") or email or re.sub(r"[^\d+]", "", phone) or wechat,
        "name": texts.get("name", ""),
        "handle": wechat,
        "email": email,
        "phone": phone,
        "level": texts.get("level", ""),
    }
    return {name: value for name, value in author.items() if value}


def read_others(cells: Sequence[Cell], header: Header, message: Mapping[str, Any]) -> dict[str, str]:
    """Columns nothing is mapped to, and mapped ones whose value could not be read."""
    places = dict(header.others)
    for field in ("posted_at", "rating"):
        if field in header.fields and field not in message:
            places[header.fields[field]] = header.names[header.fields[field]]
    shown = {name: show(cells[place]) for place, name in sorted(places.items()) if place < len(cells)}
    return {name: value for name, value in shown.items() if value}


def read_time(cell: Cell, zone: tzinfo) -> datetime | None:
    """Aware; naive times are in `zone`. None for what is not surely a date (is 03/04/2026 in March or April?)."""
    if isinstance(cell, datetime):
        return cell if cell.tzinfo else cell.replace(tzinfo=zone)
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day, tzinfo=zone)
    if not isinstance(cell, str):
        return None
    found = _DATE.fullmatch(unicodedata.normalize("NFKC", cell).strip())
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        naive = datetime(  # noqa: DTZ001 - gets its zone in the next statement
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
        )
        naive += timedelta(microseconds=int((fraction or "0").ljust(6, "0")))
        return naive.replace(tzinfo=datetime.strptime(offset, "%z").tzinfo if offset else zone)
    except ValueError:
        return None


def read_rating(cell: Cell, best: float) -> dict[str, float] | None:
    """ "4星", "★★☆☆☆", "8/10", "差评" → value and scale, or None."""
    text = unicodedata.normalize("NFKC", show(cell))
    worst = min(1.0, best)
    if text in _VERDICTS:
        return {"value": worst + (best - worst) * _VERDICTS[text], "best": best, "worst": worst}
    if text and not text.strip("★☆⭐\ufe0f "):
        return {"value": float(text.count("★") + text.count("⭐")), "best": 5.0, "worst": 1.0}
    found = _RATING.fullmatch(text)
    if not found:
        return None
    value, scale = float(found[1]), float(found[2] or best)
    return {"value": value, "best": scale, "worst": min(1.0, value)} if 0 <= value <= scale else None
