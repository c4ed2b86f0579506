"""The contract of a connector: the code for one kind of channel.

What is made anew for every request is a `msgspec.Struct`: as frozen as a dataclass, and made in a tenth of the time.

A connector contains no sleeps, retries, schedulers or storage: it reads, and raises the errors of
`allears_sdk.errors`; the core decides when it is called again.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

from allears_sdk.context import Context
from allears_sdk.message import Author, Message, Raw, Ref
from allears_sdk.settings import ChannelSettings

if TYPE_CHECKING:
    from allears_sdk.remote import Response

SDK_MAJOR = 1
"""Connectors and sinks state the SDK major they were built for in their `spec.sdk`."""

Cursor = Mapping[str, Any]
"""JSON with a `version`, readable for ever; where a stream goes on reading."""


class Hears(StrEnum):
    """How a connector hears; each one asks for the method of the same name."""

    POLL = "poll"
    LISTEN = "listen"
    RECEIVE = "receive"


class Threading(StrEnum):
    """How messages of this kind of channel make conversations."""

    MAIL = "mail"
    """By references and a sender check; filed at once."""
    CHAT = "chat"
    """By `thread`, with a settle window before filing and an idle window after which a new one opens."""
    ITEM = "item"
    """Each item is one (a review, a post, a form); edits and replies in its thread are follow-ups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorSpec:
    """What the daemon, the docs and the tests know of a connector without making one."""

    kind: str
    """Folder, config value and docs page: `[a-z][a-z0-9_]*`."""
    title_en: str
    title_zh: str
    hears: frozenset[Hears]
    threading: Threading
    public: bool = False
    """What is said here is public (reviews, posts): filed only when it is a complaint."""
    answer_within_seconds: float = 5.0
    """Receivers: how long the platform waits for our answer."""
    look_back: timedelta | None = None
    """How far a first run reads back by default; none: everything the source offers."""
    max_body_bytes: int = 1 << 20
    """Receivers: larger requests are refused with 413."""
    signed: bool = False
    """Receivers: its requests prove who sent them, so the rate limit counts only refused ones."""
    verified: str = ""
    """What this was tried against: a real server (named), or "recorded fixtures only"."""
    verified_zh: str = ""
    """The same in Chinese, for tables in that language; empty: the English one is shown."""
    sdk: int = SDK_MAJOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """An item the source lists but fails to hand over: it becomes a letter that names where it is."""

    key: str
    reason: str
    locator: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A span that the source no longer gives back; recorded and alarmed."""

    since: datetime | None
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Raws, and the cursor that is true once they are stored. The line after its `yield` runs only once it is
    on disk: there a frame is acked, `\\Seen` set, a file moved."""

    raws: Sequence[Raw] = ()
    cursor: Cursor | None = None
    """None while a walk back is unfinished, and always from `listen`: only `poll` owns cursors."""
    missing: Sequence[Missing] = ()
    gaps: Sequence[Gap] = ()
    more: bool = False
    """The source holds more right now: progress is shown and the next page is asked for at once."""
    remaining: int | None = None
    """How many items are still to come, when the source says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """ "Poll this stream now." Never data, and may be lost: every stream is also polled on schedule."""

    stream: str
    hint: Mapping[str, Any] = field(default_factory=dict)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP request on a channel's public path, its body read once as bytes (signatures cover those)."""

    method: str
    path: str
    """What follows the channel's own path: "" or "/page"."""
    query: Sequence[tuple[str, str]]
    headers: Sequence[tuple[str, str]]
    body: bytes
    remote_address: str
    received_at: datetime

    def header(self, name: str) -> str:
        """The header's value, or "". Two different values of one header count as none: they are an attack."""
        return _only(self.headers, name.lower(), fold=True)

    def parameter(self, name: str) -> str:
        """The query parameter's value, or "". Two different values of one parameter count as none."""
        return _only(self.query, name, fold=False)


def _only(pairs: Sequence[tuple[str, str]], name: str, *, fold: bool) -> str:
    found = None
    for key, value in pairs:
        if (key.lower() if fold else key) == name:
            if found is not None and found != value:
                return ""
            found = value
    return found or ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The exact HTTP answer the platform wants."""

    status: int = 200
    body: bytes = b""
    media_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = {}


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal made of one raw."""

    key: str
    is_new: bool
    reference: str = ""
    """The conversation's reference, for raws with a `thread`; the same again on a redelivery."""
    opened: bool = False
    """This raw opened the conversation; in a chat it is the first in it that has a `thread` (greetings and events may
    go without), and the same is said again on a redelivery."""


def _answer_ok(accepted: Sequence[Accepted]) -> Answer:
    return Answer()


class Reception(msgspec.Struct, frozen=True, kw_only=True):
    """What a request brought: raws to store, streams to wake, and the answer to make after the commit."""

    raws: Sequence[Raw] = ()
    wakes: Sequence[Wake] = ()
    answer: Callable[[Sequence[Accepted]], Answer] = _answer_ok
    """Called after the commit with one entry per raw, in order."""
    refused: str = ""
    """Why this is not ours to store (bad signature, replay): counted, logged once, `answer` sent at once."""

    @classmethod
    def refuse(cls, reason: str, status: int = 401, *, allow: str = "POST") -> Reception:
        """`allow`: what a 405 names."""
        answer = Answer(status=int(status), headers={"Allow": allow} if status == 405 else {})
        return cls(refused=reason, answer=lambda accepted: answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """What `fetch` brought."""

    content: bytes
    media_type: str = "application/octet-stream"
    name: str = ""

    @classmethod
    def of(cls, response: Response, *, name: str = "", usual: str = "application/octet-stream") -> Media:
        """`usual`: what it is where the server does not say."""
        return cls(content=response.content, media_type=response.media_type or usual, name=name)


class Words(str):
    """An English text that knows how it is said in Chinese: `Words("heard by polling", zh="定时读取")`."""

    __slots__ = ("zh",)
    zh: str

    def __new__(cls, en: str, *, zh: str) -> Words:
        words = super().__new__(cls, en)
        words.zh = zh
        return words


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What `check` found: who we are over there and what we can read."""

    account: str
    details: Sequence[str] = ()
    """`Words`, where they are more than names. A path that begins with `/in/` is shown as the whole address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Whom a reply goes to and what it answers. Kept as JSON from the filing to the sending."""

    to: Author
    message: str
    """`external_id` of the message that is answered."""
    known_as: tuple[str, ...] = ()
    thread: tuple[str, ...] = ()
    """Both as that message has them."""
    said_at: datetime
    """When it was said: platforms let us answer for so long only."""
    reference: str
    """Of the complaint."""
    at: datetime
    """When the complaint was opened: the same in every attempt."""
    subject: str = ""
    """Of our answer, where there are subjects."""
    language: str = ""
    """Of our answer: `zh` or `en`."""


class Ask(Protocol):
    """The person who runs `allears channels login`."""

    async def show(self, url: str, code: str) -> None:
        """Have them open `url` in a browser, and enter `code` there unless it is ""."""

    async def prompt(self, text: str) -> str:
        """The line they type; "" where nobody can."""


S = TypeVar("S", bound=ChannelSettings)


class Connector(ABC, Generic[S]):
    """One channel's reader. Made afresh whenever its settings change; `start` and `stop` frame its life."""

    spec: ClassVar[ConnectorSpec]
    Settings: ClassVar[type[ChannelSettings]]

    def __init__(self, settings: S, context: Context) -> None:
        self.settings = settings
        self.context = context

    @property
    def own_spec(self) -> ConnectorSpec:
        """The spec of this one channel: another than its class's where settings decide `threading`, `public`, `signed`,
        `answer_within_seconds` or `max_body_bytes`, as in a generic receiver."""
        return self.spec

    async def start(self) -> None:
        """Prepare what the other methods share; no network needed yet."""

    async def stop(self) -> None:
        """Close connections. Called once, also after a failed `start`."""

    async def check(self) -> Identity:
        """Log in and say who we are and what we can read; raise ConfigError or AuthError with what to do."""
        return Identity(account=self.context.name)

    async def streams(self) -> Sequence[str]:
        """Names of the streams `poll` reads; a name holds all its cursor depends on (account, folder)."""
        return ()

    def poll(self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        """Walk the pages of a stream from `cursor` (None on the first run), at most `limit` raws a batch."""
        raise NotImplementedError

    def listen(self) -> AsyncIterator[Batch | Wake]:
        """Yield what the source pushes until it ends or fails; the core restarts it with back-off. A batch that could
        not be stored closes the generator at its `yield`, so a `finally` there can tell the source to keep it."""
        raise NotImplementedError

    async def receive(self, request: Request) -> Reception:
        """Read one request: verify, cut into raws, and say how to answer. Fetches nothing."""
        raise NotImplementedError

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        """Pure; runs in a worker process. Raise BadMessage for what cannot be read. Never asked about the
        standard media types of `allears_sdk.message`: those are read by the house."""
        raise NotImplementedError

    async def fetch(self, ref: Ref) -> Media | Author:
        """Optional: get what is still at the platform, after the message is stored: a file's bytes, or (for an
        author's `profile`) an Author whose filled fields complete the one that was read. May be called again after a
        crash. No more than `settings.max_attachment_bytes` are of use. Raises Rejected when it is gone, refused or too
        large: it is never asked for again, the text is shown to people. RetryLater, Unavailable, AuthError and
        ConfigError: it is asked for again until `fetch_before`; the last error's text then says why it is missing."""
        raise NotImplementedError

    async def reply(self, address: Address, text: str, key: str) -> None:
        """Optional: send `text` to the customer, once; `key` is the same in every attempt. Raises InDoubt when it may
        have been sent (it is then never sent again), Void when it is too late or there is nobody to answer, Rejected
        when this one is refused; RetryLater, Unavailable, AuthError and ConfigError surely not sent, tried again."""
        raise NotImplementedError

    async def login(self, ask: Ask) -> None:
        """Optional: have a person grant access once, and keep what comes of it in `context.tokens`. It may take
        minutes, and wait; only the command line calls it. Raises AuthError when it is declined or takes too long."""
        raise NotImplementedError
