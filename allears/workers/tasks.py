"""What worker processes do. Pure; imports no more than it must, since every worker carries it."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from allears.workers import heap
from allears_sdk.codec import decode, encode
from allears_sdk.errors import BadMessage
from allears_sdk.message import RFC822, Message, Raw, Role, Visibility
from normalizer import readers
from normalizer.conversation import Conversation, Draft, Facts, Heard
from normalizer.derive import derive, deserves_filing
from normalizer.fields.consulted import LoadEncoder, encoder_for, nobody
from normalizer.own_mail import placed
from normalizer.own_rules import OwnRules
from normalizer.rules import Rules
from normalizer.rules.layers import compose

T = TypeVar("T")

SAMPLE_MAIL = (
    b"From: a@example.com\r\nSubject: =?utf-8?B?5oqV6K+J?=\r\nContent-Type: text/html; charset=gb18030\r\n\r\n"
    b"<p>Order 1024 is broken, \xcd\xcb\xbf\xee</p>"
)

NO_RULES = OwnRules()

_AT = datetime(2026, 1, 1, tzinfo=UTC)
_polite = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadJob:
    """One raw to read, with all that its channel adds."""

    raw_id: int
    raw: Raw
    body_file: str
    facts: Facts
    stands_alone: bool
    """Its channel lets nothing settle: a single message can be filed as it is."""
    public: bool
    settings: Any = None
    """The channel's settings where its connector parses by itself, else None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeriveJob:
    conversation: Conversation
    facts: Facts
    public: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    messages: Sequence[Message]
    draft: Draft | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    reason: str
    is_bad: bool
    """The raw itself is at fault: quarantine at once instead of trying again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """By what texts are read."""

    rules: Rules
    encoder: LoadEncoder = nobody


def warm_up(sample: bytes = b"", own: OwnRules = NO_RULES) -> None:
    """Have the rules loaded before the first message comes, and out of the garbage collector's way; with a sample
    mail also what reads mail [the first one took 45 ms]."""
    rules = compose(own)
    if sample:
        facts = Facts(channel="", connector="")
        raw = Raw(key="", body=sample, media_type=RFC822, received_at=_AT)
        _read(
            ReadJob(raw_id=0, raw=raw, body_file="", facts=facts, stands_alone=True, public=False), Method(rules=rules)
        )
    gc.collect()
    heap.give_back()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def read_raws(jobs: Sequence[ReadJob], own: OwnRules = NO_RULES, thoroughly: bool = False) -> list[bytes | Failed]:
    """Each raw's messages, and its record where it stands alone, for `opened` to make a `Read` of. Nothing one raw
    does touches another. `own` rules come with each batch: all that a worker reads of it, it reads by these.
    `thoroughly`: the encoder reads along."""
    _be_polite()
    method = _method(own, thoroughly)
    return [_guarded(_read, job, method) for job in jobs]


def derive_records(
    jobs: Sequence[DeriveJob], own: OwnRules = NO_RULES, thoroughly: bool = False
) -> list[bytes | Failed]:
    """Each conversation's record, for `opened` to make a `Draft` of."""
    _be_polite()
    method = _method(own, thoroughly)
    return [_guarded(_derive, job, method) for job in jobs]


def _method(own: OwnRules, thoroughly: bool) -> Method:
    return Method(rules=compose(own), encoder=encoder_for(thoroughly=thoroughly))


def opened(results: Sequence[bytes | Failed], kind: type[T]) -> list[T | Failed]:
    """What a worker handed over, in the daemon: JSON costs both a third of what pickled dataclasses do."""
    return [_opened(result, kind) for result in results]


def _opened(result: bytes | Failed, kind: type[T]) -> T | Failed:
    if isinstance(result, Failed):
        return result
    try:
        return decode(result, kind)
    except ValueError as error:  # a value that no record can hold, such as a rating that is no number
        return Failed(reason=str(error), is_bad=False)


def _guarded(step: Any, job: Any, method: Method) -> bytes | Failed:
    try:
        return encode(step(job, method))
    except BadMessage as error:
        return Failed(reason=str(error), is_bad=True)
    except Exception as error:  # a reader's bug costs its raw an attempt, nothing else
        return Failed(reason=f"{type(error).__name__}: {error}", is_bad=False)


def _read(job: ReadJob, method: Method) -> Read:
    raw = replace(job.raw, body=Path(job.body_file).read_bytes()) if job.body_file else job.raw
    messages = [placed(_light(message), job.facts.own) for message in _parse(raw, job)]
    if len(messages) != 1 or not job.stands_alone:
        return Read(messages=messages)
    message = _named(messages[0], raw)
    return Read(messages=[message], draft=_draft_alone(message, raw, job, method))


def _parse(raw: Raw, job: ReadJob) -> Sequence[Message]:
    if job.settings is None or readers.can_read(raw.media_type):
        return readers.read(raw)
    from allears_sdk.registry import connector_class

    messages: Sequence[Message] = connector_class(job.settings.connector).parse(raw, job.settings)
    return messages


def _named(message: Message, raw: Raw) -> Message:
    """As the journal would name it: done here, the daemon need not do it again."""
    if message.external_id and message.revision:
        return message
    return replace(message, external_id=message.external_id or raw.key, revision=message.revision or str(raw.ordinal))


def _draft_alone(message: Message, raw: Raw, job: ReadJob, method: Method) -> Draft:
    heard = Heard(message=message, received_at=raw.received_at)
    conversation = Conversation(reference="", opened_at=raw.received_at, messages=(heard,))
    return _derive(DeriveJob(conversation=conversation, facts=job.facts, public=job.public), method)


def _derive(job: DeriveJob, method: Method) -> Draft:
    record = derive(job.conversation, job.facts, method.rules, encoder=method.encoder)
    public = job.public or _is_said_in_public(job.conversation)
    return Draft(record=record, files=deserves_filing(record, public=public))


def _is_said_in_public(conversation: Conversation) -> bool:
    """Where a channel has both (a Page's comments and its messages): everybody reads all that the customer said."""
    said = [one.message for one in conversation.messages if one.message.author.role is Role.CUSTOMER]
    return bool(said) and all(message.visibility is Visibility.PUBLIC for message in said)


def _light(message: Message) -> Message:
    """Without what the raw keeps anyway: attachments' bytes, and the HTML where there is text."""
    if message.attachments:
        message = replace(message, attachments=tuple(replace(one, content=None) for one in message.attachments))
    return replace(message, html="") if message.html and message.text else message


def _be_polite() -> None:
    """Accepting goes before understanding, on a busy machine too."""
    global _polite  # noqa: PLW0603 once per process
    if not _polite and hasattr(os, "nice"):
        os.nice(5)
    _polite = True
