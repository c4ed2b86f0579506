"""One question to the model, outside the daemon: nothing is stored, and no budget counts it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from allears.filing.model_step import send
from allears.filing.model_step_answer import Malformed, read_answer
from allears.filing.model_step_filling import filled
from allears.filing.model_step_question import Question, question_about
from allears.settings.model_section import ModelSection
from allears_sdk.codec import plain
from allears_sdk.complaint import Complaint
from allears_sdk.connector import Identity
from allears_sdk.errors import AllearsError
from allears_sdk.message import Message
from normalizer.conversation import Conversation, Draft, Facts, Heard
from normalizer.derive import derive, deserves_filing

if TYPE_CHECKING:
    from allears_sdk.remote import Remote

_SAMPLE = "The kettle I bought last week stopped heating today. I would like my money back."
_SHOWN = ("nature", "category", "priority", "expectation", "product_or_order")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What was asked and what came of it. `text` is what left, `answer` what was believed, by field."""

    fields: tuple[str, ...]
    text: str
    seconds: float
    answer: Mapping[str, Mapping[str, Any]]
    ignored: Mapping[str, int]
    rules: Mapping[str, Any]
    record: Mapping[str, Any]


def draft_of(text: str) -> Draft:
    """The rules' reading of words said to the company directly."""
    now = datetime.now(UTC)
    heard = Heard(message=Message(external_id="1", text=text), received_at=now)
    conversation = Conversation(reference="", opened_at=now, messages=(heard,))
    return as_draft(derive(conversation, Facts(channel="", connector="")), public=False)


def as_draft(record: Complaint, *, public: bool) -> Draft:
    return Draft(record=record, files=deserves_filing(record, public=public))


async def ask(question: Question) -> Trial:
    """Raises AllearsError where there is no answer, or none that can be read."""
    begun = time.monotonic()
    async with _client() as remote:
        body = await send(remote, question)
    seconds = time.monotonic() - begun
    try:
        answer, ignored = read_answer(body, question)
    except Malformed:
        raise AllearsError('the answer is not what was asked for; try answer_format = "json_object"') from None
    draft, more, _ = filled(question, answer)
    return Trial(
        fields=question.fields,
        text=question.text,
        seconds=round(seconds, 2),
        answer={name: _shown(question, name, draft.record) for name in answer},
        ignored=dict(ignored + more),
        rules=_values(question.draft.record),
        record=_values(draft.record),
    )


async def check(section: ModelSection) -> Identity:
    """One real question about words of ours: it proves address, key, model and answer format at once."""
    question = question_about(draft_of(_SAMPLE), section, public=False, always=True)
    assert question is not None, "the sample has words"
    trial = await ask(question)
    if not trial.answer:
        raise AllearsError("it answers, but nothing of the answer to a plain complaint can be believed")
    return Identity(account=place_of(section), details=(f"{trial.seconds:g} s", *sorted(trial.answer)))


def place_of(section: ModelSection) -> str:
    return urlsplit(section.base_url).netloc.rpartition("@")[2]


def _values(record: Complaint) -> dict[str, Any]:
    return {name: plain(getattr(record, name)) for name in _SHOWN}


def _shown(question: Question, name: str, record: Complaint) -> dict[str, Any]:
    why = record.provenance.get(name)
    is_taken = why is not None and why.source == question.source
    quotes = [one.words for one in why.evidence] if why is not None and is_taken else []
    return {"value": plain(getattr(record, name)), "quotes": quotes, "taken": is_taken}


@asynccontextmanager
async def _client() -> AsyncIterator[Remote]:
    from allears.context import SystemClock
    from allears_sdk.remote import Remote

    remote = Remote(clock=SystemClock())
    try:
        yield remote
    finally:
        await remote.aclose()
