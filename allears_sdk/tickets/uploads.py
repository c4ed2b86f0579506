"""Files on their way into a store: no file keeps a complaint from being filed, and the ticket names those it lacks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from allears_sdk.complaint import AttachedFile
from allears_sdk.context import Log
from allears_sdk.errors import Rejected

T = TypeVar("T")


async def upload_each(
    files: Sequence[AttachedFile], upload: Callable[[AttachedFile], Awaitable[T]], log: Log
) -> tuple[list[T], list[str]]:
    """What `upload` made of those that could be had and that the store took, and a line for each other. Raises what
    `upload` raises, but Rejected."""
    taken: list[T] = []
    refused: list[str] = []
    for file in files:
        try:
            taken.append(await upload(file))
        except Rejected as error:
            refused.append(refused_line(file, error, log))
    return taken, refused


def refused_line(file: AttachedFile, error: Rejected, log: Log) -> str:
    """What a ticket says of a file that could not be had, or that the store does not take; it is logged."""
    log.warning("file_refused", file=file.sha256[:12], reason=str(error))
    return f"⚠ {file.name}: {error}"


def with_lines(text: str, lines: Sequence[str], newline: str = "\n") -> str:
    """Before the marks, which close a text. `newline`: how the text writes one, as "<br>"."""
    if not lines:
        return text
    gap = newline * 2
    said, found, marks = text.rpartition(gap)
    return newline.join((said, *lines)) + gap + marks if found else newline.join((text, *lines))
