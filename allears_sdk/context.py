"""What connectors and sinks get from the house above them, as protocols: clock, journal look-ups, tokens, HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from allears_sdk.clock import Clock

__all__ = ["Blocking", "Clock", "Context", "Log", "Tokens"]

if TYPE_CHECKING:
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


class Blocking(Protocol):
    async def __call__(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
