"""What a browser submitted: its fields, its files' names and sizes, and a digest of both.

Only looked at here, to answer the customer; the body itself is stored untouched and read again in a worker.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.message import Message as Headers
from urllib.parse import parse_qsl

URLENCODED = "application/x-www-form-urlencoded"
FIELDS = ("name", "email", "phone", "wechat", "order", "product", "subject", "text")
HONEYPOT = "fax_extension"
"""Hidden from people and from screen readers; a name that browsers do not fill in by themselves."""

MAX_FIELD_CHARS = 300
_MAX_PARTS = 128
_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(slots=True, kw_only=True)
class Submission:
    fields: dict[str, str] = field(default_factory=dict)
    files: list[tuple[str, int]] = field(default_factory=list)
    """Name and size in bytes."""
    digest: str = ""
    """SHA-256 over names, values and file contents: the same again when a browser picks another boundary."""
    broken: bool = False
    """Not readable to its end; `fields` holds what was."""

    @property
    def id(self) -> str:
        """The id the page was made with; "" when it is not one of ours."""
        found = self.fields.get("submission", "")
        return found if _ID.fullmatch(found) else ""

    @property
    def is_trapped(self) -> bool:
        return bool(self.fields.get(HONEYPOT, "").strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What the customer should mend."""

    field: str
    code: str
    """A key of `words.FAULTS`."""
    limit: int = 0
    actual: int = 0


def read(content_type: str, body: bytes) -> Submission:
    """Never raises: what cannot be read is `broken`."""
    if content_type.lower().startswith(URLENCODED):
        return _read_urlencoded(body)
    return _read_multipart(_boundary(content_type), body)


def check(submission: Submission, *, max_text_chars: int, max_files: int) -> Sequence[Fault]:
    """Turns away only what could not become a complaint: an odd e-mail address is still somebody's complaint."""
    if submission.broken:
        return [Fault(field="text", code="broken")]
    faults = [] if submission.fields.get("text", "").strip() else [Fault(field="text", code="text_missing")]
    for name in FIELDS:
        limit = max_text_chars if name == "text" else MAX_FIELD_CHARS
        if (actual := len(submission.fields.get(name, "").replace("\r\n", "\n"))) > limit:
            faults.append(Fault(field=name, code="too_long", limit=limit, actual=actual))
    if len(submission.files) > max_files:
        faults.append(Fault(field="files", code="too_many_files", limit=max_files, actual=len(submission.files)))
    return faults


def read_pairs(body: bytes) -> list[tuple[str, str]]:
    """A URL-encoded body → its pairs; UTF-8, else GB18030 as older Chinese pages send it. Raises ValueError."""
    for encoding in ("utf-8", "gb18030"):
        try:
            text = body.decode(encoding)
            return parse_qsl(
                text, keep_blank_values=True, encoding=encoding, errors="strict", max_num_fields=_MAX_PARTS
            )
        except UnicodeDecodeError:
            continue
    raise ValueError("neither UTF-8 nor GB18030")


def _read_urlencoded(body: bytes) -> Submission:
    try:
        pairs = read_pairs(body)
    except ValueError:
        return Submission(broken=True)
    digest = hashlib.sha256()
    for name, value in pairs:
        digest.update(f"{name}\0{value}\0".encode())
    return Submission(fields=dict(reversed(pairs)), digest=digest.hexdigest())


def _boundary(content_type: str) -> bytes:
    headers = Headers()
    headers["Content-Type"] = content_type
    return str(headers.get_param("boundary") or "").encode("latin-1", "replace")


def _read_multipart(boundary: bytes, body: bytes) -> Submission:
    from python_multipart.exceptions import MultipartParseError
    from python_multipart.multipart import MultipartParser

    reader = _PartReader(MultipartParseError)
    try:
        parser = MultipartParser(boundary, reader.callbacks())  # type: ignore[arg-type]  # its TypedDict is private
        parser.write(body)
        parser.finalize()
    except (MultipartParseError, ValueError):
        reader.submission.broken = True
    if not (boundary and reader.is_complete):
        reader.submission.broken = True
    reader.submission.digest = reader.digest.hexdigest()
    return reader.submission


class _PartReader:
    """Collects what the parser finds; hashes as it goes."""

    def __init__(self, error: type[Exception]) -> None:
        self.submission = Submission()
        self.digest = hashlib.sha256()
        self.is_complete = False
        self._error = error
        self._count = 0
        self._begin()

    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._end_header,
            "on_part_data": self._data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._name: bytes = b""
        self._value: bytes = b""
        self._field = ""
        self._file: str | None = None
        self._pieces: list[bytes] = []
        self._size = 0

    def _begin_part(self) -> None:
        self._count += 1
        if self._count > _MAX_PARTS:
            raise self._error("too many parts")
        self._begin()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        from python_multipart.multipart import parse_options_header

        if self._name.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            self._field = options.get(b"name", b"").decode("utf-8", "replace")
            self._file = options[b"filename"].decode("utf-8", "replace") if b"filename" in options else None
            self.digest.update(f"{self._field}\0{self._file or ''}\0".encode("utf-8", "replace"))
        self._name = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        self.digest.update(memoryview(data)[start:end])
        if self._file is None:
            self._pieces.append(data[start:end])

    def _end_part(self) -> None:
        self.digest.update(b"\0%d\0" % self._size)
        if self._file is None:
            self.submission.fields.setdefault(self._field, b"".join(self._pieces).decode("utf-8", "replace"))
        elif self._file or self._size:  # an empty file field is sent too, nameless and empty
            self.submission.files.append((self._file, self._size))

    def _end(self) -> None:
        self.is_complete = True
