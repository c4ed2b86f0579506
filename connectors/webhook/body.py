"""A request's body → what paths walk: JSON as it is, a form as a table of its fields."""

from __future__ import annotations

from email.message import Message as Part
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

import msgspec

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
MAX_FIELDS = 2000


def decode_body(body: bytes, media_type: str, json_fields: tuple[str, ...] = ()) -> Any:
    """`json_fields` of a form hold JSON as text. Raises ValueError."""
    kind = media_type.partition(";")[0].strip().lower()
    if kind == URLENCODED:
        return _table(_urlencoded(body), json_fields)
    if kind == MULTIPART:
        return _table(_multipart(body, media_type), json_fields)
    return decode_json(body)


def decode_json(body: bytes) -> Any:
    """UTF-8, else GB18030 as older Chinese systems send it. Raises ValueError."""
    try:
        return msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except UnicodeDecodeError:
        return _decode_gb18030(body)
    except msgspec.DecodeError as error:
        return _decode_gb18030(body) if "UTF-8" in str(error) else _fail(str(error))
    except RecursionError:
        return _fail("nested too deeply")


def urlencoded_pairs(body: bytes) -> list[tuple[str, str]]:
    """Fields of a URL-encoded form in their order, blank ones too; UTF-8, else GB18030. Raises ValueError."""
    return _urlencoded(body)


def _decode_gb18030(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body.decode("gb18030"))
    except (msgspec.DecodeError, UnicodeDecodeError, UnicodeEncodeError, RecursionError):
        return _fail("neither UTF-8 nor GB18030")


def _fail(reason: str) -> Any:
    raise ValueError(f"not JSON: {reason}")


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    for encoding in ("utf-8", "gb18030"):
        try:
            text = body.decode(encoding)
            return parse_qsl(
                text, keep_blank_values=True, encoding=encoding, errors="strict", max_num_fields=MAX_FIELDS
            )
        except UnicodeDecodeError:
            continue
    raise ValueError("neither UTF-8 nor GB18030")


def _multipart(body: bytes, media_type: str) -> list[tuple[str, str]]:
    """Text fields; files that lie in the body itself are named by their file name."""
    head = f"Content-Type: {media_type}\r\n\r\n".encode("latin-1", "replace")
    parts = BytesParser(policy=HTTP).parsebytes(head + body).get_payload()
    if not isinstance(parts, list) or not parts or len(parts) > MAX_FIELDS:
        raise ValueError("not a multipart form")
    return [(_option(part, "name"), _text(part)) for part in parts if isinstance(part, Part)]


def _option(part: Part, name: str) -> str:
    return str(part.get_param(name, "", header="content-disposition") or "")


def _text(part: Part) -> str:
    name = part.get_filename()
    if name is not None:
        return name
    content = part.get_payload(decode=True)
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else ""


def _table(pairs: list[tuple[str, str]], json_fields: tuple[str, ...]) -> dict[str, Any]:
    """Field → its text; a list where one name comes several times."""
    table: dict[str, Any] = {}
    for name, text in pairs:
        value = decode_json(text.encode()) if name in json_fields else text
        if name in table:
            known = table[name]
            table[name] = [*known, value] if isinstance(known, list) else [known, value]
        else:
            table[name] = value
    return table
