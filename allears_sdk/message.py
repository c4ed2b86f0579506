"""What a channel hands over (`Raw`) and what parsing makes of it (`Message`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

RFC822 = "message/rfc822"
"""Media type of a raw that is one mail, byte for byte; read by `normalizer.readers`."""

OUTLOOK_MSG = "application/vnd.ms-outlook"
"""Media type of a raw that is one Outlook message file (.msg); read by `normalizer.readers`."""

MESSAGE_JSON = "application/vnd.allears.message+json"
"""Media type of a raw that is one Message as JSON (or an array of them); read by `normalizer.readers`."""

FORM_DATA = "multipart/form-data"
"""Media type (with its boundary parameter) of a raw that is one submitted form; read by `normalizer.readers`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """What the channel handed over, untouched: the unit of acceptance, quarantine and replay."""

    key: str
    """Known by (channel, key): the platform's delivery or item id, else a SHA-256 of what identifies it.
    Never random, so that a redelivery has the same key."""
    body: bytes
    media_type: str
    received_at: datetime
    """Aware UTC: when we (or, where it says so reliably, the platform) received it."""
    digest: str = ""
    """Hash of what matters in an item that can change (no vote counts, no signed URLs). The raw is new when the
    digest differs from the newest one kept under its key; with an empty digest a known key is never new."""
    thread: str = ""
    """Conversation key known before parsing (a chat user, a form submission). Set it where the answer to the
    sender must carry the reference: the conversation is then found or made in the accept transaction."""
    baseline: bool = False
    """Seen on a channel's first run: known from now on, so that a later edit is heard, but never filed."""
    quarantine: str = ""
    """Why this cannot be read whole (over the size limit, say): it is stored as it is and becomes a letter."""
    ordinal: int = 1
    """Which revision of its key this is, counted from 1 by the journal; connectors leave it alone."""
    context: dict[str, Any] = field(default_factory=dict)
    """Small facts from outside the body that `parse` needs (folder, file name and row, a verified sender)."""


class Role(StrEnum):
    """Who speaks. Only customers' words make complaints; the rest is context."""

    CUSTOMER = "customer"
    COMPANY = "company"
    BOT = "bot"


class Kind(StrEnum):
    """What happened to the message."""

    SAID = "said"
    EDITED = "edited"
    WITHDRAWN = "withdrawn"


class Visibility(StrEnum):
    PRIVATE = "private"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """Something still at the platform (media, a profile, the text behind an id), for `Connector.fetch`."""

    locator: dict[str, Any]
    fetch_before: datetime | None = None
    """Aware: when the platform stops handing it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who said it, as far as the channel tells. Empty means unknown: nothing is invented."""

    role: Role = Role.CUSTOMER
    id: str = ""
    """The platform's stable id (openid, user id); for mail the lower-cased address."""
    name: str = ""
    handle: str = ""
    email: str = ""
    phone: str = ""
    level: str = ""
    profile: Ref | None = None
    """Where the platform tells more of them when asked by `Connector.fetch` (a name, a level)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that came with a message. Its bytes are found in this order: `content` (in transit only),
    the blob named by `sha256`, the part `index` of the raw when that is read again, `ref` at the platform."""

    name: str
    """As the source says; empty when it says nothing."""
    title: str = ""
    """What one without a name is called among people: after its subject or kind."""
    media_type: str = "application/octet-stream"
    size: int = 0
    """Bytes."""
    sha256: str = ""
    inline: bool = False
    """Shown inside the text (a logo, an emoji) rather than attached."""
    content_id: str = ""
    content: bytes | None = None
    ref: Ref | None = None
    skipped: str = ""
    """Why we do not have the bytes; the record says it too."""

    @property
    def is_pending(self) -> bool:
        """Its bytes are still at the platform."""
        return self.ref is not None and not self.sha256 and not self.skipped and self.content is None

    @property
    def shown_name(self) -> str:
        return self.name or self.title or "attachment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """A score on the source's own scale, `worst`..`best`."""

    value: float
    best: float = 5.0
    worst: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing said, as read from a raw: by the customer, or by the company as context."""

    text: str
    """Readable plain text, whole: quote and signature included."""
    external_id: str = ""
    """Stable at the source; empty: the core uses the raw's key. A mail's is its Message-ID plus a digest of
    what a reader sees."""
    revision: str = ""
    """Which version of it; empty: the core uses the raw's ordinal. Known by (channel, external_id, revision)."""
    kind: Kind = Kind.SAID
    known_as: tuple[str, ...] = ()
    """Ids by which other messages refer to this one, where they differ from `external_id` (Message-ID)."""
    thread: tuple[str, ...] = ()
    """Ids this one belongs to, nearest first, root last (In-Reply-To and References; a chat; a review)."""
    author: Author = field(default_factory=Author)
    participants: tuple[str, ...] = ()
    """Author ids this message was addressed to: they may answer into the conversation."""
    posted_at: datetime | None = None
    """Aware, or none where the source does not say. A claim: it orders a conversation, no timer trusts it."""
    subject: str = ""
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    rating: Rating | None = None
    product: str = ""
    """Hint from the source: the app, item or listing this is about."""
    order: str = ""
    """Hint from the source: the order this is about."""
    permalink: str = ""
    visibility: Visibility = Visibility.PRIVATE
    language: str = ""
    """Hint from the source, BCP 47."""
    is_automatic: bool = False
    """An auto-reply, bounce, list mail, system notice or our own traffic."""
    automatic_reason: str = ""
    """Which sign said so (`Auto-Submitted: auto-replied`)."""
    is_complaint: bool = False
    """The platform says that this is one (a complaint filed there), whatever its words say."""
    original: Message | None = None
    """Of a forward: the forwarded message, whose author is the customer."""
