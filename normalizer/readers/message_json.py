"""Our own format: one Message as a JSON object, or an array of them. Only `text` is required; what people write
by hand (an author as a string, a rating as a number) is understood, what cannot be is named by its path."""

from __future__ import annotations

import base64
import binascii
import difflib
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Rating, Ref, Role, Visibility

MAX_MESSAGES = 10_000
_MAX_DEPTH = 5
_IGNORED = frozenset({"connector", "channel"})
"""They say where a line came from, for those who route it; a message does not hold them."""

E = TypeVar("E", bound=StrEnum)
Read = Callable[[Any, str], Any]


def read_messages(body: bytes, *, timezone: str = "", with_content: bool = False) -> list[Message]:
    """The messages in a JSON body. Naive times are in `timezone` (IANA name); without one they are an error.
    Raises `BadMessage` naming the JSON path."""
    try:
        value = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage(f"not JSON: {error}") from None
    items = value if isinstance(value, list) else [value]
    if len(items) > MAX_MESSAGES:
        raise BadMessage(f"$: {len(items)} messages, at most {MAX_MESSAGES} fit in one")
    reader = _Reader(timezone, with_content)
    return [reader.message(item, f"$[{index}]" if value is items else "$") for index, item in enumerate(items)]


def read_message_object(value: Mapping[str, Any], *, timezone: str = "", with_content: bool = False) -> Message:
    """One decoded JSON object → Message. Raises `BadMessage` naming the path from `$`."""
    return _Reader(timezone, with_content).message(value, "$")


class _Reader:
    def __init__(self, timezone: str, with_content: bool) -> None:
        self.timezone = timezone
        self.with_content = with_content

    def message(self, value: Any, path: str, depth: int = 0) -> Message:
        item = _object(value, path)
        if depth > _MAX_DEPTH:
            raise BadMessage(f"{path}: nested more than {_MAX_DEPTH} deep")
        _check_keys(item, {field.name for field in fields(Message)} | _IGNORED, path)
        if "text" not in item:
            raise BadMessage(f"{path}.text: required")
        readers: dict[str, Read] = {
            "known_as": _strings,
            "thread": _strings,
            "participants": _strings,
            "kind": _choice(Kind),
            "visibility": _choice(Visibility),
            "author": self._author,
            "posted_at": self._time,
            "attachments": self._attachments,
            "rating": _rating,
            "is_automatic": _bool,
            "is_complaint": _bool,
            "original": lambda inner, where: self.message(inner, where, depth + 1),
        }
        return Message(**_read_fields(item, readers, path))

    def _author(self, value: Any, path: str) -> Author:
        if isinstance(value, str):
            return _author_from_string(value)
        item = _object(value, path)
        _check_keys(item, {field.name for field in fields(Author)}, path)
        known = _read_fields(item, {"role": _choice(Role), "profile": self._ref}, path)
        email = str(known.get("email", "")).strip().lower()
        known |= {"email": email, "id": known.get("id") or email}
        return Author(**known)

    def _time(self, value: Any, path: str) -> datetime:
        try:
            moment = datetime.fromisoformat(_string(value, path).strip())
        except ValueError:
            raise BadMessage(f"{path}: not a date and time (RFC 3339, as 2025-03-01T09:30:00+08:00)") from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._zone(path))
        return moment

    def _zone(self, path: str) -> tzinfo:
        from zoneinfo import ZoneInfo

        if not self.timezone:
            raise BadMessage(f"{path}: no time zone; add one (+08:00 or Z) or set the channel's timezone")
        try:
            return ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            raise BadMessage(f"{path}: unknown time zone {self.timezone!r}") from None

    def _attachments(self, value: Any, path: str) -> tuple[Attachment, ...]:
        return tuple(self._attachment(item, f"{path}[{index}]") for index, item in enumerate(_list(value, path)))

    def _attachment(self, value: Any, path: str) -> Attachment:
        item = _object(value, path)
        _check_keys(item, {field.name for field in fields(Attachment)}, path)
        if "name" not in item:
            raise BadMessage(f"{path}.name: required")
        readers: dict[str, Read] = {"size": _size, "inline": _bool, "content": _base64, "ref": self._ref}
        known = _read_fields(item, readers, path)
        content = known.pop("content", None)
        if content is None:
            return Attachment(**known)
        known |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        return Attachment(**known, content=content if self.with_content else None)

    def _ref(self, value: Any, path: str) -> Ref:
        item = _object(value, path)
        _check_keys(item, {field.name for field in fields(Ref)}, path)
        if "locator" not in item:
            raise BadMessage(f"{path}.locator: required")
        return Ref(**_read_fields(item, {"locator": _object, "fetch_before": self._time}, path))


def _read_fields(item: dict[str, Any], readers: Mapping[str, Read], path: str) -> dict[str, Any]:
    """null means the same as leaving the key away."""
    known: dict[str, Any] = {}
    for name, value in item.items():
        if value is not None and name not in _IGNORED:
            reader: Read = readers.get(name, _string)
            known[name] = reader(value, f"{path}.{name}")
    return known


def _check_keys(item: Mapping[str, Any], valid: set[str], path: str) -> None:
    for key in item:
        if key not in valid:
            near = difflib.get_close_matches(str(key), sorted(valid), 1, 0.5)
            hint = f"; did you mean {near[0]!r}?" if near else f"; valid are {', '.join(sorted(valid))}"
            raise BadMessage(f"{path}.{key}: unknown key{hint}")


def _object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise BadMessage(f"{path}: expected an object, found {_kind(value)}")
    return dict(value)


def _list(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadMessage(f"{path}: expected an array, found {_kind(value)}")
    return value


def _string(value: Any, path: str) -> str:
    """Numbers are taken for ids and orders written without quotes."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise BadMessage(f"{path}: expected a string, found {_kind(value)}")
    return str(value).replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _strings(value: Any, path: str) -> tuple[str, ...]:
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return (_string(value, path),) if value != "" else ()
    return tuple(_string(item, f"{path}[{index}]") for index, item in enumerate(_list(value, path)))


def _bool(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise BadMessage(f"{path}: expected true or false, found {_kind(value)}")
    return value


def _size(value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadMessage(f"{path}: expected a number of bytes, found {_kind(value)}")
    return value


def _number(value: Any, path: str) -> float:
    try:
        number = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise BadMessage(f"{path}: expected a number, found {_kind(value)}")
    return number


def _rating(value: Any, path: str) -> Rating:
    if not isinstance(value, Mapping):
        return Rating(value=_number(value, path))
    item = _object(value, path)
    _check_keys(item, {"value", "best", "worst"}, path)
    if item.get("value") is None:
        raise BadMessage(f"{path}.value: required")
    return Rating(**_read_fields(item, dict.fromkeys(("value", "best", "worst"), _number), path))


def _base64(value: Any, path: str) -> bytes:
    try:
        return base64.b64decode("".join(_string(value, path).split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadMessage(f"{path}: not base64") from None


def _choice(options: type[E]) -> Read:
    def read(value: Any, path: str) -> E:
        try:
            return options(_string(value, path).strip().lower())
        except ValueError:
            raise BadMessage(f"{path}: {value!r} is none of {', '.join(options)}") from None

    return read


def _author_from_string(value: str) -> Author:
    """`Name <a@b>`, a bare address, or just a name."""
    from normalizer.readers.address import parse_addresses

    found = parse_addresses(value)
    if len(found) == 1 and "@" in found[0].address:
        return Author(id=found[0].address, email=found[0].address, name=found[0].name)
    return Author(name=value.strip())


def _kind(value: Any) -> str:
    names = {
        dict: "an object",
        list: "an array",
        str: "a string",
        bool: "a boolean",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "null" if value is None else type(value).__name__)
