"""A request of the platform → the raw that is stored."""

from __future__ import annotations

from dataclasses import dataclass, field

from allears_sdk.codec import decode, encode_stable
from allears_sdk.connector import Request
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex


@dataclass(frozen=True, kw_only=True)
class Speaker:
    is_staff: bool = False


@dataclass(frozen=True, kw_only=True)
class Glance:
    """All that is looked at before the answer; the whole item is read in a worker."""

    id: str = ""
    text: str = ""
    # %% if chat
    chat: str = ""
    # %% endif
    author: Speaker = field(default_factory=Speaker)
    is_deleted: bool = False


def raw_of(request: Request) -> Raw:
    """Never raises: what is signed but cannot be read is stored too, and `parse` refuses it."""
    try:
        item = decode(request.body, Glance)
    except ValueError:
        item = Glance()
    key = item.id or sha256_hex(request.body)
    # %% if chat
    conversation = item.chat or key
    # %% else
    conversation = key
    # %% endif
    return Raw(
        key=key,
        digest=sha256_hex(encode_stable([item.text, item.is_deleted])) if item.id else "",
        body=request.body,
        media_type="application/json",
        received_at=request.received_at,
        thread="" if item.author.is_staff else conversation,  # of a customer: the answer carries its reference
    )
