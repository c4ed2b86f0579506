"""An answer put into a draft: only fields that were asked about change, and what follows from a nature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from allears.filing.model_step_answer import Answer, Finding
from allears.filing.model_step_question import GRADED, WISHING, Question, is_open
from allears_sdk.complaint import Complaint, Evidence, Provenance
from allears_sdk.message import Role
from normalizer.conversation import Draft
from normalizer.derive import deserves_filing

SCORE = 0.6
"""One for all: how sure a model says it is tells little."""


def filled(question: Question, answer: Answer) -> tuple[Draft, Counter[str], list[str]]:
    """The draft with what was answered, what was ignored by reason, and the fields that were filled. The same
    question and answer give the same."""
    ignored: Counter[str] = Counter()
    record = question.draft.record
    if "nature" in answer:
        record = _with_nature(record, question, answer["nature"], ignored)
    for name in ("category", "priority", "expectation", "product_or_order"):
        if name in answer:
            record = _with(record, name, question, answer[name], ignored)
    names = [name for name in answer if (why := record.provenance.get(name)) and why.source == question.source]
    files = question.draft.files or deserves_filing(record, public=question.public)
    return replace(question.draft, record=record, files=files), ignored, names


def _with_nature(record: Complaint, question: Question, finding: Finding, ignored: Counter[str]) -> Complaint:
    """A model can have something filed; it cannot keep anything from being filed, nor unsay what rules are sure of."""
    changed = _following(_put(record, "nature", finding.value, _why(question, finding)), question)
    if _contradicts(record, changed, question):
        ignored["contradicts_rules"] += 1
        return record
    if question.draft.files and not deserves_filing(changed, public=question.public):
        ignored["would_hide"] += 1
        return record
    return changed


def _contradicts(before: Complaint, after: Complaint, question: Question) -> bool:
    names = ("category", "priority", "expectation")
    return any(
        getattr(before, name) != getattr(after, name) and not is_open(before, name, question.section) for name in names
    )


def _following(record: Complaint, question: Question) -> Complaint:
    """What a nature brings with it: complaints and suggestions have a category and a priority, others none."""
    default = Provenance(source=f"nature:{question.source}", score=0.2)
    if record.nature not in GRADED:
        record = _without(_without(record, "category"), "priority")
    else:
        if not record.category:
            record = _put(record, "category", "other" if record.nature == "complaint" else "product.design", default)
        if record.nature == "suggestion" or not record.priority:
            record = _put(record, "priority", "P4" if record.nature == "suggestion" else "P3", default)
    if record.nature not in WISHING and record.expectation != ("none",):
        record = _put(record, "expectation", ("none",), default)
    return record


def _with(record: Complaint, name: str, question: Question, finding: Finding, ignored: Counter[str]) -> Complaint:
    if not _applies(record, name):
        ignored["not_applicable"] += 1
        return record
    return _put(record, name, finding.value, _why(question, finding))


def _applies(record: Complaint, name: str) -> bool:
    return {
        "category": record.nature in GRADED,
        "priority": record.nature == "complaint",
        "expectation": record.nature in WISHING,
        "product_or_order": not record.product_or_order,
    }[name]


def _put(record: Complaint, name: str, value: Any, why: Provenance) -> Complaint:
    values: dict[str, Any] = {name: value, "provenance": {**record.provenance, name: why}}
    return replace(record, **values)


def _without(record: Complaint, name: str) -> Complaint:
    kept = {known: why for known, why in record.provenance.items() if known != name}
    values: dict[str, Any] = {name: "", "provenance": kept}
    return replace(record, **values)


def _why(question: Question, finding: Finding) -> Provenance:
    quotes = [question.text[start:end] for start, end in finding.at]
    evidence = tuple(one for words in quotes for one in _stands(question.draft.record, words))
    return Provenance(source=question.source, score=SCORE, evidence=evidence)


def _stands(record: Complaint, words: str) -> Iterator[Evidence]:
    """In the newest version of a customer's message; in a subject it has no place."""
    said = {one.id: one for one in record.conversation if one.role is Role.CUSTOMER}
    for one in said.values():
        start = one.text.find(words)
        if start >= 0:
            yield Evidence(message=one.id, words=words, start=start, end=start + len(words))
            return
    if said:
        yield Evidence(message=next(iter(said)), words=words)
