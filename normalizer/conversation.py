"""What deriving a record starts from: a conversation and the facts known around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from allears_sdk.complaint import Complaint
from allears_sdk.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A message with what the journal knows of it. `message.external_id` and `.revision` are filled in."""

    message: Message
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the record may depend on beside the words; kept with it, so that deriving again gives the same."""

    channel: str
    connector: str
    region: str = "CN"
    """ISO 3166 code in which a phone number without country code is read."""
    max_rating: float = 2.0
    """On a 1..5 scale: a public review at or below it is a complaint."""
    own: tuple[str, ...] = ()
    """Addresses, in lower case, under which the channel itself writes."""
    customer_level: str = ""
    earlier_contacts: int = 0
    """Earlier complaints of the same customer that are still open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The messages that belong together, ordered by when they were said."""

    reference: str
    opened_at: datetime
    messages: tuple[Heard, ...]
    related: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifiers:
    """By what a record is linked with others, as keyed hashes."""

    customers: tuple[int, ...] = ()
    """The strongest first."""
    orders: tuple[int, ...] = ()
    since: float = 0.0
    """Seconds since 1970: complaints without news after it are not linked any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A derived record on its way to being filed."""

    record: Complaint
    files: bool
    """Whether it deserves filing."""
    identifiers: Identifiers | None = None
    """None: it is linked with nothing."""
