"""Inline forwards: the mail inside the mail, whose author is the customer."""

from __future__ import annotations

from allears_sdk.message import Message

MAX_REMARK = 600
"""Characters that may stand above a forwarded mail: with more, the sender speaks for himself."""


def is_forward_subject(subject: str) -> bool:
    return False


def find_original(message: Message) -> Message | None:
    return None
