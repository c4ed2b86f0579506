"""What connectors and sinks get from the house above them, as protocols: clock, journal look-ups, tokens, HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from allears_sdk.clock import Clock
from allears_sdk.errors import Rejected

__all__ = ["Blocking", "Clock", "Context", "Files", "Log", "NoFiles", "Tokens"]

if TYPE_CHECKING:
    from allears_sdk.accounts import Accounts
    from allears_sdk.complaint import AttachedFile
    from allears_sdk.remote import Remote

P = ParamSpec("P")
R = TypeVar("R")


class Log(Protocol):
    """structlog's calls: an event name and key=value facts; never bodies, contacts or secrets above debug."""

    def debug(self, event: str, **facts: object) -> None: ...
    def info(self, event: str, **facts: object) -> None: ...
    def warning(self, event: str, **facts: object) -> None: ...
    def error(self, event: str, **facts: object) -> None: ...


class Tokens(Protocol):
    """Small secrets kept encrypted in the journal: access and refresh tokens, one-time codes."""

    async def get(self, name: str) -> Mapping[str, Any] | None:
        """The newest value kept under `name`, in this account's own space."""

    async def put(self, name: str, value: Mapping[str, Any]) -> None:
        """On disk when this returns."""

    async def delete(self, name: str) -> None:
        """Gone from the disk when this returns; nothing happens where there is none."""

    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        """One refresh at a time, across channels of the same account."""


class Files(Protocol):
    """The bytes of complaints' attachments, for sinks."""

    async def read(self, complaint_id: str, file: AttachedFile) -> bytes:
        """Raises Rejected when they are no more, or never came."""

    def link(self, complaint_id: str, file: AttachedFile, until: datetime) -> str:
        """A signed address that opens it until then; the same for the same arguments. "" where this house has no public
        address."""


class NoFiles:
    """Where there are none to be had."""

    async def read(self, complaint_id: str, file: AttachedFile) -> bytes:
        raise Rejected(f"{file.name}: its bytes are not here")

    def link(self, complaint_id: str, file: AttachedFile, until: datetime) -> str:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One channel's or destination's view of the house."""

    name: str
    clock: Clock
    log: Log
    known: Callable[[Collection[str]], Awaitable[frozenset[str]]]
    """Which of these raw keys the channel has stored already."""
    tokens: Tokens
    remote: Remote
    data_folder: Path
    """A folder of this channel's or destination's own, made on demand."""
    blocking: Blocking
    """Runs a blocking library's call in a bounded thread pool: `await context.blocking(function, *args)`."""
    accounts: Accounts
    """Budgets, quotas, ends of credentials."""
    files: Files = NoFiles()  # noqa: RUF009  # holds nothing


class Blocking(Protocol):
    async def __call__(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
