"""Which attachments go into a ticket, and what is said of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from allears_sdk.complaint import AttachedFile
from allears_sdk.tickets.settings import FileSettings

Why = Literal["skipped", "pending", "wrong_type", "too_large", "too_many", "linked", "kept"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLimits:
    """What a store takes with one ticket or note; 0: none at all."""

    each_bytes: int = 20 << 20
    total_bytes: int = 20 << 20
    count: int = 20
    media_types: tuple[str, ...] = ()
    """Those it takes, by their beginnings; (): any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A file that is not uploaded, why, and where it can be had."""

    file: AttachedFile
    why: Why
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    fit: tuple[AttachedFile, ...]
    left: tuple[Left, ...]
    each_bytes: int
    count: int


def sort_files(
    files: Sequence[AttachedFile],
    settings: FileSettings,
    limits: FileLimits,
    complaint_id: str,
    link: Callable[[str, AttachedFile, timedelta], str],
) -> Sorted:
    """In their order: those that fit go up, the others are linked. No file keeps a complaint from being filed."""
    each = limits.each_bytes if settings.max_mb is None else min(limits.each_bytes, int(settings.max_mb * (1 << 20)))
    fit: list[AttachedFile] = []
    left: list[Left] = []
    for file in files:
        why = _why_not(file, fit, settings, limits, each)
        if why is None:
            fit.append(file)
        else:
            is_here = why not in {"skipped", "pending", "kept"}
            url = link(complaint_id, file, timedelta(days=settings.link_days)) if is_here else ""
            left.append(Left(file=file, why=why, link=url))
    return Sorted(fit=tuple(fit), left=tuple(left), each_bytes=each, count=limits.count)


def _why_not(
    file: AttachedFile, fit: Sequence[AttachedFile], settings: FileSettings, limits: FileLimits, each: int
) -> Why | None:
    if file.skipped or not (file.sha256 or file.pending):
        return "skipped"
    if file.pending:
        return "pending"
    if settings.mode != "upload":
        return "linked" if settings.mode == "link" else "kept"
    if limits.media_types and not file.media_type.startswith(limits.media_types):
        return "wrong_type"
    if file.size > each or file.size + sum(one.size for one in fit) > limits.total_bytes:
        return "too_large"
    return "too_many" if len(fit) >= limits.count else None
