"""Where evidence is looked for: in the version of the message that still holds the words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allears.console.case import Case, lay_out
from allears.console.sight import Sight
from allears.console.texts import load_texts
from allears.journal.records import ComplaintFile, MessageRow
from allears_sdk.complaint import Complaint, Entities, Event, EventKind, Evidence, Provenance
from allears_sdk.message import Kind, Message
from allears_sdk.testing.clock import START


def sight(**facts: Any) -> Sight:
    return Sight(texts=load_texts("zh"), now=START, zone=None, path="/", csrf="", version="0", **facts)


def case(texts: list[str], provenance: dict[str, Provenance], *, subject: str = "", **facts: Any) -> Case:
    """A review in its versions, and what the record says of it."""
    record = Complaint(
        id="ALE-1", title="闪退", nature="complaint", received_at=START, provenance=provenance, priority="P2", **facts
    )
    messages = [
        MessageRow(
            message=Message(
                text=text,
                external_id="r1",
                revision=str(index),
                kind=Kind.EDITED if index else Kind.SAID,
                subject=subject,
            ),
            raw_id=index,
            received_at=START + timedelta(minutes=index),
        )
        for index, text in enumerate(texts)
    ]
    event = Event(id="ALE-1:1", complaint_id="ALE-1", sequence=1, kind=EventKind.OPENED, at=START, record=record)
    return lay_out(ComplaintFile(record=record, events=[event], messages=messages, deliveries=[]), sight())


def marked(laid: Case, message: int) -> list[str]:
    return [segment.text for segment in laid.speeches[message].segments if segment.fields]


def because(*evidence: Evidence) -> dict[str, Provenance]:
    return {"priority": Provenance(source="rule:zh.product.broken", score=0.834, evidence=evidence)}


def test_the_newest_version_that_holds_the_words_is_marked() -> None:
    laid = case(["打开就闪退", "打开就闪退，客服不理"], because(Evidence(message="r1", words="闪退", start=3, end=5)))
    assert (marked(laid, 0), marked(laid, 1)) == ([], ["闪退"])


def test_words_since_edited_away_are_marked_where_they_were_said() -> None:
    laid = case(["打开就闪退", "已经好了"], because(Evidence(message="r1", words="闪退", start=3, end=5)))
    assert (marked(laid, 0), marked(laid, 1)) == (["闪退"], [])


def test_words_that_moved_are_found_again() -> None:
    laid = case(["更新：打开就闪退"], because(Evidence(message="r1", words="闪退", start=0, end=2)))
    assert marked(laid, 0) == ["闪退"]


def test_words_of_a_subject_or_of_nowhere_are_named_without_a_place() -> None:
    evidence = [Evidence(message="r1", words="闪退"), Evidence(message="gone", words="炸了", start=0, end=2)]
    laid = case(["不能用"], because(*evidence), subject="闪退")
    row = next(row for row in laid.fields if row.name == "priority")
    assert [(proof.words, proof.anchor) for proof in row.proofs] == [("闪退", ""), ("炸了", "")]
    assert marked(laid, 0) == []


def test_a_field_says_its_rule_and_how_sure_it_is() -> None:
    laid = case(["闪退"], because(Evidence(message="r1", words="闪退", start=0, end=2)))
    row = next(row for row in laid.fields if row.name == "priority")
    assert (row.source, row.rule, row.percent) == ("规则", "zh.product.broken", 83)
    assert (row.label, row.values, row.codes) == ("紧急程度", ("P2 高",), ["P2"])


def test_what_the_channel_says_is_no_guess() -> None:
    laid = case(["闪退"], {"customer_id": Provenance(source="channel", score=1.0)}, customer_id="u1")
    row = next(row for row in laid.fields if row.name == "customer_id")
    assert (row.source, row.percent) == ("渠道提供", None)


def test_empty_fields_of_the_template_are_shown_as_empty() -> None:
    laid = case(["闪退"], {})
    assert [row.name for row in laid.fields if not row.values and row.name == "handler"] == ["handler"]
    assert laid.also == []


def test_marks_on_masked_words_show_the_mask() -> None:
    text = "打13812348000没人接"
    evidence = Evidence(message="r1", words="13812348000", start=1, end=12)
    provenance = {"entities.phone": Provenance(source="shape:phone.cn", score=0.9, evidence=(evidence,))}
    laid = case([text], provenance, entities=Entities(phone=("13812348000",)))
    assert marked(laid, 0) == ["138****8000"]
    (row,) = laid.also
    assert (list(row.values), row.proofs[0].words) == (["138****8000"], "138****8000")


def test_a_flood_of_evidence_and_a_very_long_text_stay_bounded() -> None:
    text = "坏了，" * 50_000
    evidence = [Evidence(message="r1", words="坏了", start=at, end=at + 2) for at in range(0, 30_000, 3)]
    laid = case([text], because(*evidence))
    assert len(marked(laid, 0)) == 400
    assert laid.speeches[0].is_cut
    assert sum(len(segment.text) for segment in laid.speeches[0].segments) == 100_000
