"""What the stores of rows (Bitable, 简道云) share: ids made of keys, and the files of a row."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256

from allears_sdk.complaint import AttachedFile
from allears_sdk.context import Log
from allears_sdk.errors import Rejected


def uuid_of(key: str) -> str:
    """The UUID (version 4 by its form) that stands for a key: the same for ever."""
    return str(uuid.UUID(bytes=sha256(key.encode()).digest()[:16], version=4))


async def upload_each(
    files: Sequence[AttachedFile], upload: Callable[[AttachedFile], Awaitable[str]], log: Log
) -> tuple[list[str], list[str]]:
    """What the store calls the files it took, and a line for each it refused: no file keeps a row from being written.
    Raises what `upload` raises, but Rejected."""
    taken: list[str] = []
    refused: list[str] = []
    for file in files:
        try:
            taken.append(await upload(file))
        except Rejected as error:
            log.warning("file_refused", file=file.sha256[:12], reason=str(error))
            refused.append(f"⚠ {file.name}: {error}")
    return taken, refused


def with_lines(text: str, lines: Sequence[str]) -> str:
    """Before the marks, which close a text."""
    if not lines:
        return text
    said, gap, marks = text.rpartition("\n\n")
    return "\n".join((said, *lines)) + gap + marks if gap else "\n".join((text, *lines))
