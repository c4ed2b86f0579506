"""The optional model step: an endpoint is asked what rules left open, before filing and never for long.

Whatever comes of it, the complaint is filed: an answer that is late, wrong or refused changes nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from allears.filing.model_step_answer import Answer, Malformed, read_answer
from allears.filing.model_step_breaker import Breaker
from allears.filing.model_step_filling import filled
from allears.filing.model_step_question import Question, question_about
from allears.journal.answers import Answers
from allears.journal.errors import JournalUnavailable
from allears.settings.model_section import ModelSection
from allears_sdk import codec
from allears_sdk.clock import Clock
from allears_sdk.errors import AllearsError, AuthError, RetryLater
from allears_sdk.remote import Remote
from normalizer.conversation import Draft

MAX_WAITING = 32
"""Conversations that may wait for an answer at the same time; the next are filed as the rules read them."""
MAX_ANSWER_BYTES = 64 << 10
SPENT_SECONDS = 60.0
"""Once an hour's calls are used up, it is looked again after this time."""

log = structlog.get_logger("allears.filing")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFigures:
    """Since the start of the process, but for what is left of the hour's calls."""

    model: str
    is_up: bool
    calls: Mapping[str, int]
    """By what came of them: answered, late, failed, malformed."""
    remembered: int
    """Questions that had been answered before."""
    skipped: Mapping[str, int]
    """Not asked, by reason: paused, budget, busy."""
    ignored: Mapping[str, int]
    """Parts of answers that could not be believed, by reason."""
    filled: Mapping[str, int]
    """Fields, by name."""
    calls_left: int


class ModelStep:
    """One for a daemon. Off until `apply` gives it settings that are on."""

    def __init__(self, answers: Answers, remote: Remote, clock: Clock) -> None:
        self._answers = answers
        self._remote = remote
        self._clock = clock
        self._take(ModelSection())
        self._waiting = 0
        self._calls: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._ignored: Counter[str] = Counter()
        self._filled: Counter[str] = Counter()
        self._remembered = 0

    def apply(self, section: ModelSection) -> None:
        """From now on; what is being asked is asked to its end."""
        if section != self.section:
            self._take(section)

    def _take(self, section: ModelSection) -> None:
        self.section = section
        self._turns = asyncio.Semaphore(section.concurrency)
        self._breaker = Breaker(self._clock)
        self._spent_until = 0.0

    @property
    def is_on(self) -> bool:
        return self.section.enabled

    async def look_up(self, drafts: Sequence[tuple[Draft, bool]]) -> list[Draft | Question]:
        """For each draft, and whether everybody reads along: the draft to file, with what was answered before; or
        the question to `ask` first."""
        questions = []
        for draft, public in drafts:
            questions.append(self._question(draft, public=public))
            if questions[-1] is not None:  # masking a hundred long texts in one go would hold the loop
                await asyncio.sleep(0)
        known = await self._answers.known({one.key for one in questions if one is not None})
        room = MAX_WAITING - self._waiting
        found: list[Draft | Question] = []
        for (draft, _), question in zip(drafts, questions, strict=True):
            step = draft if question is None else self._next(question, known, room)
            room -= isinstance(step, Question)
            found.append(step)
        return found

    async def ask(self, question: Question) -> Draft:
        """The draft with what could be believed of the answer, after `timeout_seconds` at most."""
        self._waiting += 1
        try:
            answer = await self._answer_in_time(question)
        except JournalUnavailable:  # filing meets it too, and waits
            answer = {}
        except Exception:  # a bug of ours costs an answer, never a complaint
            log.exception("model_step_failed")
            answer = {}
        finally:
            self._waiting -= 1
        return self._fill(question, answer)

    async def figures(self) -> ModelFigures | None:
        """None while it is off."""
        if not self.is_on:
            return None
        return ModelFigures(
            model=self.section.model,
            is_up=not self._breaker.is_down,
            calls=dict(self._calls),
            remembered=self._remembered,
            skipped=dict(self._skipped),
            ignored=dict(self._ignored),
            filled=dict(self._filled),
            calls_left=max(0, self.section.max_calls_per_hour - await self._answers.calls()),
        )

    def _question(self, draft: Draft, *, public: bool) -> Question | None:
        try:
            return question_about(draft, self.section, public=public)
        except Exception:  # as in `ask`
            log.exception("model_step_failed")
            return None

    def _next(self, question: Question, known: Mapping[bytes, bytes], room: int) -> Draft | Question:
        remembered = _remembered(known.get(question.key))
        if remembered is not None:
            self._remembered += 1
            return self._fill(question, remembered)
        reason = self._why_not(room)
        if reason:
            self._skipped[reason] += 1
            return question.draft
        return question

    def _why_not(self, room: int) -> str:
        if self._breaker.is_shut:
            return "paused"
        if self._clock.monotonic() < self._spent_until:
            return "budget"
        return "busy" if room <= 0 else ""

    async def _answer_in_time(self, question: Question) -> Answer:
        is_asked = False
        body = b""
        try:
            async with asyncio.timeout(question.section.timeout_seconds), self._turns:
                call = await self._spend(question)
                if call is None:
                    return {}
                is_asked = True
                body = await send(self._remote, question)
        except TimeoutError:
            self._note_late(is_asked=is_asked)
            return {}
        except AllearsError as error:
            if isinstance(error, JournalUnavailable):
                raise
            self._note_failure(error)
            return {}
        return await self._believe(question, call, body)

    async def _spend(self, question: Question) -> int | None:
        """Whoever waited for his turn may find the door shut."""
        reason = self._why_not(room=1)
        call = None if reason else await self._answers.spend(question.key, question.section.max_calls_per_hour)
        if call is None:
            self._skipped[reason or "budget"] += 1
            self._spent_until = max(self._spent_until, 0 if reason else self._clock.monotonic() + SPENT_SECONDS)
        return call

    async def _believe(self, question: Question, call: int, body: bytes) -> Answer:
        try:
            answer, ignored = read_answer(body, question)
        except Malformed as error:
            self._calls["malformed"] += 1
            self._breaker.note_failure(f"its answers are not what was asked for ({error})")
            return {}
        self._calls["answered"] += 1
        self._ignored += ignored
        self._breaker.note_success()
        await self._answers.keep(call, codec.encode(answer))
        return answer

    def _note_late(self, *, is_asked: bool) -> None:
        if not is_asked:
            self._skipped["busy"] += 1
            return
        self._calls["late"] += 1
        self._breaker.note_failure(f"no answer within {self.section.timeout_seconds:g} s")

    def _note_failure(self, error: AllearsError) -> None:
        self._calls["failed"] += 1
        after = (error.after_seconds or 1.0) if isinstance(error, RetryLater) else None
        self._breaker.note_failure(str(error), after_seconds=after, refused=isinstance(error, AuthError))

    def _fill(self, question: Question, answer: Answer) -> Draft:
        if not answer:
            return question.draft
        try:
            draft, ignored, names = filled(question, answer)
        except Exception:  # as in `ask`
            log.exception("model_step_failed")
            return question.draft
        self._ignored += ignored
        self._filled.update(names)
        return draft


async def send(remote: Remote, question: Question) -> bytes:
    """The endpoint's answer as it came. Raises AllearsError for anything but a success of ordinary size."""
    section = question.section
    headers = {"content-type": "application/json", "accept": "application/json"}
    if section.api_key is not None:
        headers["authorization"] = f"Bearer {section.api_key.get_secret_value()}"
    response = await remote.request(
        "POST",
        f"{section.base_url.rstrip('/')}/chat/completions",
        headers=headers,
        content=question.body,
        timeout_seconds=section.timeout_seconds + 1,
        max_bytes=MAX_ANSWER_BYTES,
    )
    if response.is_cut:
        raise AllearsError(f"its answer is larger than {MAX_ANSWER_BYTES} bytes")
    return response.content


def _remembered(body: bytes | None) -> Answer | None:
    """None also for one that today's code cannot read: it is asked again."""
    if body is None:
        return None
    try:
        return codec.decode(body, Answer)
    except ValueError:
        return None
