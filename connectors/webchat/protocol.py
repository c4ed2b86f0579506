"""The JSON that widget, apps and chatbots send. Fields are only ever added: stored raws are read with these types."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeVar

from msgspec import Meta, Struct

from allears_sdk.codec import decode

MESSAGE = "application/vnd.allears.webchat.message+json"
TRANSCRIPT = "application/vnd.allears.webchat.transcript+json"
FILE = "application/vnd.allears.webchat.file"
"""Media types of the raws. A file's own type stands in the raw's context: nobody may choose who reads it."""

MAX_MESSAGE_BYTES = 256 << 10
MAX_TRANSCRIPT_BYTES = 1 << 20

ID = r"^[A-Za-z0-9_.~-]{1,100}\Z"
Id = Annotated[str, Meta(pattern=ID)]
IdOrNone = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.~-]{0,100}\Z")]
Line = Annotated[str, Meta(max_length=300)]
Moment = Annotated[datetime, Meta(tz=True)]
Speaker = Literal["customer", "agent", "bot"]


class Contact(Struct, frozen=True, forbid_unknown_fields=True):
    """How to reach the customer; for an agent or bot only `name` counts."""

    name: Line = ""
    phone: Line = ""
    email: Line = ""


class Topic(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which conversation, whose, and about what."""

    conversation: IdOrNone = ""
    visitor: Line = ""
    """Programs only: your own id of the customer."""
    contact: Contact = Contact()
    order: Line = ""
    product: Line = ""
    language: Annotated[str, Meta(max_length=35)] = ""


class Post(Topic, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One message. Sent again with other words it is an edit; `withdrawn` takes it back."""

    id: Id
    text: str = ""
    said_at: Moment | None = None
    role: Speaker = "customer"
    """Programs only."""
    withdrawn: bool = False


class Turn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One message of a transcript; without an id it is known by its place."""

    text: str
    role: Speaker
    id: IdOrNone = ""
    name: Line = ""
    said_at: Moment | None = None


class Transcript(Topic, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole conversation of an app or chatbot, from its beginning; sent again when it has grown."""

    messages: Annotated[list[Turn], Meta(min_length=1, max_length=2000)]


T = TypeVar("T", Post, Transcript)


def read(body: bytes, kind: type[T]) -> T:
    """Raises ValueError naming the field that does not fit."""
    return decode(body, kind)
