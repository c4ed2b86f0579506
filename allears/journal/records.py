"""What goes into the journal and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from allears_sdk.complaint import Complaint, Event
from allears_sdk.connector import Address, Cursor, Gap, Missing, Threading
from allears_sdk.errors import AllearsError
from allears_sdk.message import Message, Raw, Ref
from allears_sdk.sink import Ticket
from normalizer.conversation import Draft, Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a channel's messages make conversations; from its connector's spec and its settings."""

    threading: Threading
    public: bool = False
    settle_seconds: float = 15.0
    settle_max_seconds: float = 120.0
    idle_seconds: float = 86_400.0


class Deposit(msgspec.Struct, frozen=True, kw_only=True):
    """What one batch of one channel leaves in the journal, in one savepoint."""

    channel: str
    raws: Sequence[Raw]
    policy: Policy
    stream: str = ""
    cursor: Cursor | None = None
    missing: Sequence[Missing] = ()
    gaps: Sequence[Gap] = ()


class RawState(StrEnum):
    WAITING = "waiting"
    READ = "read"
    QUARANTINED = "quarantined"
    BASELINE = "baseline"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRaw:
    """A raw on its way through parsing. Large bodies stay in their file until a worker opens it."""

    id: int
    channel: str
    raw: Raw
    attempts: int
    body_file: str = ""
    """Path of the body when it is larger than what fits in a row; `raw.body` is then empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a worker made of one raw."""

    raw_id: int
    messages: Sequence[Message]
    draft: Draft | None = None
    """The record of a message as if it stood alone, used when it does; its id is filled in by the journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a complaint goes, as filing needs to know it."""

    name: str
    is_view: bool = False


REPLIES = "reply:"
"""Answers of a channel go to a destination of this prefix and the channel's name; configured names hold no colon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is said to a customer, and where: the payload of such a delivery."""

    address: Address
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer to whoever opened a complaint, as it is going to be sent."""

    destination: str
    payload: bytes
    who: str
    """Whom, as a digest: answers to one address are counted."""
    max_per_day: int


Responder = Callable[[Complaint, Message, datetime], Reply | None]
"""The answer to a complaint opened by this message, which was received then; none where it gets none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a complaint goes, and who handles it."""

    destinations: Sequence[Destination]
    team: str = ""
    assignee: str = ""
    cc: Sequence[str] = ()
    tags: Sequence[str] = ()
    routes: Sequence[str] = ()
    """Names of the routes that say so."""
    team_by: str = ""
    """The route that named it; so `assignee_by`."""
    assignee_by: str = ""
    responder: Responder | None = None


Router = Callable[[Complaint], Route]


@dataclass(frozen=True, slots=True, kw_only=True)
class DueConversation:
    """A conversation whose record is to be derived (again)."""

    id: int
    version: int
    """Filing is refused when the conversation has moved on meanwhile; it stays due."""
    channel: str
    reference: str
    opened_at: datetime
    messages: Sequence[Heard]
    related: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DueFetch:
    """Something a channel's connector is to be asked for."""

    id: int
    channel: str
    ref: Ref
    is_profile: bool
    size: int
    """Bytes, where the message says so."""
    attempts: int
    reason: str
    """Why the last attempt failed."""
    fetch_before: datetime
    """The platform's, or ours where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file that was fetched, on disk under its name."""

    sha256: str
    size: int
    media_type: str = ""
    """Empty where nobody could say."""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchCount:
    channel: str
    waiting: int = 0
    """Files and profiles."""
    skipped: int = 0
    """Files alone."""


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DOUBT = "doubt"
    LETTER = "letter"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDelivery:
    """The head of a line: the one delivery of it that may move now."""

    id: int
    line: int
    state: DeliveryState
    attempts: int
    ticket_key: str
    event_key: str
    ticket: Ticket | None
    """None: this is an opening."""
    event: Event
    payload: bytes
    """Empty until frozen."""
    progress: Mapping[str, Any]
    lookups: int = 0
    """How often a look-up in doubt has found nothing."""
    replayed: bool = False
    """A person has decided to send it again."""
    former: Sequence[str] = ()
    """Ids of earlier tickets on its line, which are gone."""
    is_adopted: bool = False
    """Its ticket was found there; its line does not know it yet."""
    is_narrowed: bool = False
    """The store was asked before anything was sent: this is what it does not know."""
    is_there: bool = False
    """What it tells is there; what completes it may not be."""

    @property
    def key(self) -> str:
        """Idempotency key of this operation at a store of tickets."""
        return self.ticket_key if self.ticket is None else self.event_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """A payload about to be sent: committed before the first byte leaves."""

    delivery: int
    payload: bytes
    deadline: datetime
    resolve_at: datetime
    """When doubt about this attempt may be resolved: the deadline plus the sink's wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a delivery."""

    delivery: int
    state: DeliveryState
    at: datetime | None = None
    """Pending, doubt: when to try or look again."""
    ticket: Ticket | None = None
    """Sent: the ticket an opening made or found."""
    reason: str = ""
    detail: str = ""
    lookups: int = 0
    attempted: bool = True
    """Counts as an attempt."""
    reopen: bool = False
    """The ticket is gone: the next try of this delivery opens a linked one."""
    doubtful: bool = False
    """Letter: it may have been done; a replay sends the frozen payload, unchanged."""
    error: AllearsError | None = None
    """Pending: what kept the destination from taking it."""
    anew: bool = False
    """Pending: the settings are at fault, and nothing of it was ever in doubt: rendered again when they are mended."""


class LetterKind(StrEnum):
    RAW = "raw"
    DELIVERY = "delivery"
    MISSING = "missing"
    GAP = "gap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Something that needs a person."""

    id: int
    kind: LetterKind
    place: str
    """The channel or destination."""
    reason: str
    detail: str
    at: datetime
    state: str
    """open, replayed or discarded."""
    raw_id: int | None = None
    delivery_id: int | None = None
    complaint_id: str = ""
    locator: Mapping[str, Any] = field(default_factory=dict)


NEW = "new"
"""A channel of which nothing is known yet, and the order to begin again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRow:
    """What the journal keeps of a channel."""

    name: str
    connector: str = ""
    state: str = NEW
    """new, running, failing, paused (by the admin) or stopped (credentials or settings)."""
    reason: str = ""
    since: datetime | None = None
    seen: int = 0
    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    last_success_at: datetime | None = None
    last_item_at: datetime | None = None
    orders: int = 0
    """How many it was given by other processes."""
    waiting: int = 0
    """Raws not parsed yet."""
    oldest_waiting_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationRow:
    """How far a destination has come."""

    name: str
    pending: int = 0
    doubt: int = 0
    sent: int = 0
    letters: int = 0
    oldest_pending_at: datetime | None = None
    last_sent_at: datetime | None = None
    last_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintRow:
    """A complaint in a list."""

    id: str
    title: str
    channel: str
    category: str
    priority: str
    nature: str
    customer: str
    opened_at: datetime
    updated_at: datetime
    events: int
    state: str = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """A delivery in a list."""

    id: int
    destination: str
    complaint_id: str
    event_id: str
    event_kind: str
    state: DeliveryState
    attempts: int
    next_at: datetime | None
    reason: str
    ticket_id: str = ""
    ticket_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRow:
    """What a store has told of a complaint's ticket."""

    destination: str
    ticket_id: str
    ticket_url: str
    status: str
    """A `TicketStatus`, "" while none was told."""
    store_status: str
    handler: str
    changed_at: datetime
    answered_at: datetime | None
    """The first answer to the customer."""
    solved_at: datetime | None
    """Since when it is solved or closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """A message as the console shows it beside the record."""

    message: Message
    raw_id: int
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintFile:
    """Everything about one complaint."""

    record: Complaint
    events: Sequence[Event]
    messages: Sequence[MessageRow]
    deliveries: Sequence[DeliveryRow]
    related: Sequence[str] = ()
    """References of other complaints of the same customer or order, as they are known now."""
    tickets: Sequence[TicketRow] = ()
