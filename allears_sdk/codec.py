"""Values to JSON bytes and back, for everything that is stored or sent."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

encode = msgspec.json.encode
"""Any SDK value, dict or list → compact UTF-8 JSON; datetimes as RFC 3339."""

_encoder = msgspec.json.Encoder(order="deterministic")


def encode_stable(value: Any) -> bytes:
    """The same value → the same bytes, whatever the order its dicts were filled in: for digests."""
    return _encoder.encode(value)


def decode(data: bytes | str, type_: type[T]) -> T:
    """JSON → a value of `type_`, checked. Raises `ValueError` naming the path of what does not fit."""
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None


def convert(value: Any, type_: type[T]) -> T:
    """Plain dicts and lists → a value of `type_`, checked. Raises `ValueError` naming the path."""
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


def plain(value: Any) -> Any:
    """An SDK value → dicts, lists and strings, as its JSON would read."""
    return msgspec.to_builtins(value)
