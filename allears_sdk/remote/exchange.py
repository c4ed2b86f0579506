"""What goes out and what comes back: plain values, no network."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from allears_sdk.errors import InDoubt, Unavailable

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
_LONG_SEGMENT = re.compile(r"(?<=/)[^/]{16,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as the caller asked for it."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: Mapping[str, Any] = field(repr=False)
    """httpx's `params`, `content`, `json`, `data` and `files`, those that were given."""
    timeout_seconds: float
    repeatable: bool
    max_bytes: int
    allow_private: bool

    @property
    def place(self) -> str:
        """Where it goes, for errors and logs: without query, user info and what may be a secret in the path."""
        try:
            parts = urlsplit(self.url)
        except ValueError:
            return f"{self.method} …"
        host = parts.netloc.rpartition("@")[2]
        return f"{self.method} {parts.scheme}://{host}{_LONG_SEGMENT.sub('…', parts.path)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer, read whole (or cut at the size cap: `is_cut`). Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    is_cut: bool = False
    url: str = field(default="", repr=False)
    """After redirects."""
    call: Call

    def header(self, name: str) -> str:
        """The header's value, or ""."""
        return self.headers.get(name.lower(), "")

    def text(self) -> str:
        """Decoded by the charset of the content type, else as UTF-8; what does not fit becomes �."""
        charset = re.search(r"charset=\"?([\w-]+)", self.header("content-type"), re.IGNORECASE)
        try:
            return self.content.decode(charset[1] if charset else "utf-8", "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The decoded body. Where it is none, the answer counts as lost: Unavailable for what may be repeated,
        else InDoubt. Half an emoji, as is left where a text was cut, becomes "?": nobody could write it down."""
        try:
            value = json.loads(self.content)
            if b"\\ud" not in self.content.lower():
                return value
            return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
        except (ValueError, RecursionError):  # also UnicodeDecodeError
            lost = Unavailable if self.call.repeatable else InDoubt
            raise lost(f"{self.call.place}: {self.status} whose body is not JSON") from None

    def json_object(self) -> dict[str, Any]:
        """The same, of a body that is an object. Raises as `json`."""
        found = self.json()
        if not isinstance(found, dict):
            lost = Unavailable if self.call.repeatable else InDoubt
            raise lost(f"{self.call.place}: {self.status} whose body is not what its API documents: no object")
        return found

    @property
    def media_type(self) -> str:
        """Lower case, without its parameters; "" where the server does not say."""
        return self.header("content-type").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An answer that is read while it comes."""

    status: int
    media_type: str
    """Without its parameters, lower case; "" where the server does not say."""
    chunks: AsyncIterator[bytes] = field(repr=False)
    """As they arrive, of any size. Ends when the server ends it."""


def is_repeatable(method: str) -> bool:
    """Whether sending it twice is the same as sending it once."""
    return method.upper() in _REPEATABLE
