"""An after-sales case → messages: what the customer says, and what the platform tells beside it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from allears_sdk.codec import encode_stable
from allears_sdk.message import Author, Kind, Message, Raw, Role
from allears_sdk.signing import sha256_hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    reason: str
    """As chosen from the platform's list."""
    words: str = ""
    """What the customer wrote."""
    title: str = ""
    """What it is called where neither says anything."""
    order: str = ""
    product: str = ""
    customer: Author
    platform: str
    """Who tells the facts: 淘宝."""
    facts: Sequence[tuple[str, str]] = ()
    """Label and value; empty ones are left out."""
    opened_at: datetime | None = None
    changed_at: datetime | None = None
    is_withdrawn: bool = False
    is_disputed: bool = False
    """The platform has been called in: a complaint whatever the reason."""


def messages_of(case: Case, raw: Raw, plain_reasons: Sequence[str]) -> list[Message]:
    """What the customer says has a revision of its own: a change of the state alone is no edit."""
    said = _said(case, raw, plain_reasons)
    messages = [said, _facts(case, raw)]
    if case.is_withdrawn:
        messages.append(_withdrawal(said, case.changed_at))
    return messages


def _said(case: Case, raw: Raw, plain_reasons: Sequence[str]) -> Message:
    reason, words = case.reason.strip(), case.words.strip()
    is_plain = any(one in reason for one in plain_reasons) and not case.is_disputed
    if is_plain:  # chosen from a list, and among the facts: only what was written may make it a complaint
        reason = ""
    title = case.title if not is_plain else ""
    matters = encode_stable([reason, words, case.order, case.product, is_plain])
    return Message(
        text=words or reason,
        subject=reason if words else "" if reason else title,
        external_id=raw.key,
        revision=sha256_hex(matters)[:16],
        kind=Kind.SAID if raw.ordinal == 1 else Kind.EDITED,
        author=case.customer,
        posted_at=case.opened_at,
        order=case.order,
        product=case.product,
        is_complaint=not is_plain,
    )


def _facts(case: Case, raw: Raw) -> Message:
    text = "\n".join(f"{label}：{value}" for label, value in case.facts if value)
    return Message(
        text=text,
        external_id=f"{raw.key}-facts",
        revision=sha256_hex(text)[:16],
        kind=Kind.SAID if raw.ordinal == 1 else Kind.EDITED,
        thread=(raw.key,),
        author=Author(role=Role.BOT, name=case.platform),
        posted_at=case.changed_at or case.opened_at,
    )


def _withdrawal(said: Message, at: datetime | None) -> Message:
    return Message(
        text="",
        external_id=said.external_id,
        revision=f"{said.revision}-withdrawn",
        kind=Kind.WITHDRAWN,
        author=said.author,
        posted_at=at,
        is_complaint=said.is_complaint,
    )
