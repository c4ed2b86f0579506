"""Mails from the channel's own address, which come back by a Sent folder, a copy, or a rule that leads round."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from allears_sdk.message import Message, Role
from normalizer.trim_patterns import FORWARD_PREFIX, PUBLIC_DOMAINS

ROUNDS = 3
"""So many marks of forwarding in a row are made by no person."""


def placed(message: Message, own: Collection[str]) -> Message:
    """An answer to somebody outside is the company's word. What the address mails to itself is a form's or a
    forward, and speaks for a customer, until it has been forwarded round and round."""
    if message.is_automatic or not own or message.author.email not in own:
        return message
    if _goes_round(message, own):
        reason = "our own mail (a forwarding rule leads back here)"
        return replace(message, is_automatic=True, automatic_reason=reason, original=None)
    if message.original is None and any(_is_outside(one, own) for one in message.participants):
        return replace(message, author=replace(message.author, role=Role.COMPANY))
    return message


def _goes_round(message: Message, own: Collection[str]) -> bool:
    original = message.original
    if original is not None and original.author.email in own:
        return True
    subject, rounds = message.subject, 0
    while found := FORWARD_PREFIX.match(subject):
        subject, rounds = subject[found.end() :], rounds + 1
    return rounds >= ROUNDS


def _is_outside(address: str, own: Collection[str]) -> bool:
    domain = address.rpartition("@")[2]
    if address in own:
        return False
    return domain in PUBLIC_DOMAINS or all(domain != one.rpartition("@")[2] for one in own)
