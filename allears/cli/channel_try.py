"""What a channel would make of one item: the raw read as a worker reads it, each conversation's record derived."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from allears.cli.failures import Exit, Failure
from allears.cli.normalising import record_of
from allears.cli.session import Session
from allears.settings.sections import Configuration
from allears_sdk import registry
from allears_sdk.codec import plain
from allears_sdk.errors import BadMessage
from allears_sdk.message import OUTLOOK_MSG, RFC822, Message, Raw
from allears_sdk.settings import ChannelSettings
from normalizer import readers
from normalizer.conversation import Facts
from normalizer.fields.consulted import encoder_for
from normalizer.rules.layers import compose

_BY_NAME = {".eml": RFC822, ".msg": OUTLOOK_MSG, ".json": "application/json"}
_FORM = "application/x-www-form-urlencoded"


def records_in(
    session: Session, name: str, settings: ChannelSettings, path: Path, media_type: str, configuration: Configuration
) -> list[Any]:
    """One for each conversation in the file. Raises Failure where there is none."""
    now = datetime.now(UTC)
    body = path.read_bytes()
    raw = Raw(key=path.name, body=body, media_type=media_type or _media_type(path, body), received_at=now)
    try:
        messages = _read(raw, settings)
    except BadMessage as error:
        raise Failure(session.say("unreadable", name=name, path=path, reason=error), Exit.FAULTS) from None
    if not messages:
        raise Failure(session.say("no_message", name=name, path=path), Exit.FAULTS)
    facts = Facts(channel=name, connector=settings.connector, region=settings.region, max_rating=settings.max_rating)
    rules = compose(configuration.own_rules)
    encoder = encoder_for(thoroughly=configuration.understanding.listens)
    return [plain(record_of(path.name, group, facts, now, rules, encoder)) for group in _conversations(messages)]


def _read(raw: Raw, settings: ChannelSettings) -> Sequence[Message]:
    if readers.can_read(raw.media_type):
        return readers.read(raw)
    return registry.connector_class(settings.connector).parse(raw, settings)


def _conversations(messages: Sequence[Message]) -> list[list[Message]]:
    """By thread, else each its own."""
    groups: dict[str, list[Message]] = {}
    for at, message in enumerate(messages):
        root = message.thread[-1] if message.thread else message.external_id or f"#{at}"
        groups.setdefault(root, []).append(message)
    return list(groups.values())


def _media_type(path: Path, body: bytes) -> str:
    known = _BY_NAME.get(path.suffix.lower())
    if known:
        return known
    head = body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    is_form = head not in (b"{", b"[") and b"=" in body and b"\n" not in body.strip()
    return _FORM if is_form else "application/json"
