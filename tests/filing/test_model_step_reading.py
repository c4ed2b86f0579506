"""What leaves for the model, what of its answer is believed, and what becomes of the record."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allears.filing.model_step_answer import Answer, Malformed, read_answer
from allears.filing.model_step_filling import filled
from allears.filing.model_step_mask import masked
from allears.filing.model_step_question import VALUES, Question, question_about
from allears.settings.model_section import ModelSection
from allears_sdk import codec
from allears_sdk.complaint import NATURES, Complaint, Provenance
from allears_sdk.message import Author, Message, Rating, Visibility
from normalizer.conversation import Conversation, Draft, Facts, Heard, Identifiers
from normalizer.derive import derive, deserves_filing

SECTION = ModelSection(enabled=True, base_url="http://127.0.0.1:9/v1", model="qwen3:8b")
AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
EMMA = Author(id="u-77120", name="Emma Clark", email="emma.clark@mail.example.com", phone="+44 7700 900123")
OPEN = "The lamp from you makes my cat hide behind the sofa every single evening."
ZH = "四喜烤麸没有了，却不更新点菜系统，给我换了一个凉粉，真是服了。"


def draft_of(
    *texts: str,
    author: Author = EMMA,
    public: bool = False,
    nature: str = "complaint",
    sure: Collection[str] = (),
    **facts: Any,
) -> Draft:
    """A record whose rules found nothing but what they are `sure` of, whatever today's rules find in the words."""
    visibility = Visibility.PUBLIC if public else Visibility.PRIVATE
    heard = tuple(
        Heard(
            message=Message(external_id=f"m-{at}", text=text, author=author, visibility=visibility, **facts),
            received_at=AT,
        )
        for at, text in enumerate(texts)
    )
    conversation = Conversation(reference="ALE-7K3M-Q9TX-4RWD", opened_at=AT, messages=heard)
    derived = derive(conversation, Facts(channel="mail", connector="email"))
    is_graded = nature in ("complaint", "suggestion")
    record = replace(
        derived, nature=nature, category="other" if is_graded else "", priority="P3" if is_graded else "",
        expectation=("none",), product_or_order="", provenance={**derived.provenance, **_why(sure)},
    )  # fmt: skip
    return Draft(record=record, files=deserves_filing(record, public=public))


def _why(sure: Collection[str]) -> dict[str, Provenance]:
    defaults = {"nature": 0.3, "category": 0.2, "priority": 0.6, "expectation": 0.6}
    return {
        name: Provenance(source="rule:en.sure", score=0.9)
        if name in sure
        else Provenance(source="default", score=score)
        for name, score in defaults.items()
    }


def question(*texts: str, section: ModelSection = SECTION, public: bool = False, **facts: Any) -> Question:
    if texts == (ZH,):
        facts = {"sure": ("nature",), **facts}
    asked = question_about(draft_of(*(texts or (OPEN,)), public=public, **facts), section, public=public)
    assert asked is not None
    return asked


def framed(said: object) -> bytes:
    content = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    return codec.encode({"choices": [{"message": {"role": "assistant", "content": content}}]})


def believed(asked: Question, **fields: Any) -> tuple[Draft, dict[str, int], list[str]]:
    said = {name: {"value": value, "quotes": quotes} for name, (value, quotes) in fields.items()}
    answer, ignored = read_answer(framed(said), asked)
    draft, more, names = filled(asked, answer)
    return draft, dict(ignored + more), names


# What leaves


def test_nobody_is_asked_what_rules_are_sure_of() -> None:
    for sure in (("nature", "category"), ("nature", "category", "priority", "expectation")):
        assert question_about(draft_of("插上电不加热，要求退款", sure=sure), SECTION, public=False) is None


@pytest.mark.parametrize("text", ["", "？", "👍", "[]"])
def test_nobody_is_asked_about_no_words(text: str) -> None:
    assert question_about(draft_of(text), SECTION, public=False) is None


def test_only_what_is_open_and_allowed_is_asked() -> None:
    assert question(ZH).fields == ("category", "priority", "expectation")
    assert question(ZH, section=SECTION.model_copy(update={"fields": ("category",)})).fields == ("category",)
    assert question().fields == ("nature", "category", "priority", "expectation")
    record = draft_of(ZH, sure=("nature",)).record
    own = Provenance(source="admin", score=0.1)
    by_hand = replace(record, provenance={**record.provenance, "category": own, "priority": own, "expectation": own})
    assert question_about(Draft(record=by_hand, files=True), SECTION, public=False) is None


def test_the_request_is_a_chat_completion_with_a_strict_schema() -> None:
    body = json.loads(question(ZH, section=SECTION.model_copy(update={"extra": {"max_completion_tokens": 500}})).body)
    assert (body["model"], body["temperature"], body["max_completion_tokens"]) == ("qwen3:8b", 0, 500)
    assert [one["role"] for one in body["messages"]] == ["system", "user"]
    form = body["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["strict"] is True
    schema = form["json_schema"]["schema"]
    assert schema["required"] == ["category", "priority", "expectation"]
    assert schema["additionalProperties"] is False
    assert "product.design" in schema["properties"]["category"]["properties"]["value"]["enum"]


def test_an_endpoint_without_schemas_is_told_in_words() -> None:
    asked = question(ZH, section=SECTION.model_copy(update={"answer_format": "json_object"}))
    body = json.loads(asked.body)
    assert body["response_format"] == {"type": "json_object"}
    assert "additionalProperties" in body["messages"][0]["content"]


def test_the_rating_and_the_kind_of_channel_are_told() -> None:
    told = json.loads(question("Hmm, the blue lamp again", public=True, rating=Rating(value=4)).body)["messages"][1]
    assert "in public" in told["content"]
    assert "rated 4 on a scale from 1 to 5" in told["content"]


PERSONAL = """Hello, Emma Clark here, again about that thing behind the sofa. Call me on
+44 7700 900123 or 07700-900-123, mail emma.clark@mail.example.com, my card is 4111 1111 1111 1111,
parcel 1Z999AA10123456784, order 112-7788991-2233445. See https://shop.example.com/u/emma?token=abc123. Best, Clark"""
PERSONAL_ZH = """我是韩梅梅，手机１３８００１３８０００，微信 hanmm_1990，身份证11010519491231002X，
订单号3384756201948857231，之前王经理说会处理，邮箱 hanmm@mail.example.cn，麻烦看看那个东西"""


@pytest.mark.parametrize(
    ("text", "author", "hidden", "kept"),
    [
        (
            PERSONAL,
            EMMA,
            ["Emma", "Clark", "7700", "900", "emma.clark", "4111", "1Z999", "7788991", "token", "shop.example"],
            ["behind the sofa", "my card is"],
        ),
        (
            PERSONAL_ZH,
            Author(id="wm-hanmm", name="韩梅梅"),
            ["韩梅梅", "１３８", "hanmm", "1990", "110105", "33847562", "王经理"],
            ["身份证", "说会处理", "麻烦看看那个东西"],
        ),
    ],
    ids=["en", "zh"],
)
def test_who_it_is_stays_here(text: str, author: Author, hidden: list[str], kept: list[str]) -> None:
    left = masked(text, draft_of(text, author=author).record)
    assert [word for word in hidden if word in left] == []
    assert [word for word in kept if word not in left] == []


def test_what_leaves_holds_no_name_whatever_the_case() -> None:
    body = question(OPEN + " Thanks, EMMA", author=EMMA).body.decode()
    for word in ("emma", "clark", "7700", "u-77120", "ALE-", "m-0"):
        assert word not in body.lower()


def test_ordinary_words_and_swearing_stay() -> None:
    record = draft_of(OPEN, author=Author(name="Amazon Customer")).record
    text = "What the f*** is this, customer service took 3 days for 12.50 GBP, room 404"
    assert masked(text, record) == text


def test_masking_is_linear() -> None:
    record = draft_of(OPEN).record
    for text in ("-" * 20_000, "a1" * 10_000, "1 " * 10_000, "*" * 20_000, "a@" * 10_000, "0" * 20_000):
        assert len(masked(text, record)) <= len(text) + 20


def test_a_long_text_is_cut() -> None:
    assert len(question(OPEN + " and the cat. " * 2000, section=SECTION).text) <= SECTION.max_text_characters


def test_the_same_question_has_the_same_key_and_another_has_another() -> None:
    one = question(OPEN)
    assert one.key == question(OPEN, author=Author(name="Li Lei", id="u-9")).key, "who it is plays no part"
    others = [
        question(OPEN + " Really."),
        question(OPEN, section=SECTION.model_copy(update={"model": "other"})),
        question(OPEN, section=SECTION.model_copy(update={"base_url": "http://127.0.0.1:10/v1"})),
        question(OPEN, section=SECTION.model_copy(update={"fields": ("category", "nature")})),
    ]
    assert len({one.key, *(other.key for other in others)}) == 5


# What is believed


def test_values_come_with_the_words_that_show_them() -> None:
    draft, ignored, names = believed(
        question(ZH),
        category=("service.process", ["却不更新点菜系统"]),
        priority=("P4", ["真是服了"]),
        expectation=(["none"], []),
    )
    record = draft.record
    assert (record.category, record.priority, record.expectation) == ("service.process", "P4", ("none",))
    why = record.provenance["category"]
    assert why.source == "model-endpoint:qwen3:8b"
    (words,) = why.evidence
    assert (words.message, words.words) == ("m-0", "却不更新点菜系统")
    assert ZH[words.start : words.end] == words.words
    assert (ignored, names) == ({}, ["category", "priority", "expectation"])


def test_nothing_but_what_was_asked_changes() -> None:
    asked = question(ZH)
    asked = replace(asked, draft=replace(asked.draft, identifiers=Identifiers(customers=(7,))))
    before = asked.draft.record
    draft, ignored, names = believed(
        asked,
        category=("service.process", ["却不更新点菜系统"]),
        nature=("praise", ["真是服了"]),
        customer_id=("boss", ["凉粉"]),
        handler=("nobody", ["凉粉"]),
    )
    assert names == ["category"]
    assert ignored["unasked_field"] == 3
    after = replace(draft.record, category=before.category, provenance=before.provenance)
    assert after == before
    kept = replace(asked.draft, record=draft.record, files=draft.files)
    assert draft == kept, "what else the draft carries goes on with it"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (("product.catastrophe", ["凉粉"]), "unknown_value"),
        (("refund", ["凉粉"]), "unknown_value"),
        ((["product.design"], ["凉粉"]), "unknown_value"),
        ((7, ["凉粉"]), "unknown_value"),
        (({"a": 1}, ["凉粉"]), "unknown_value"),
        (("product.design", ["这家店很脏"]), "no_evidence"),
        (("product.design", []), "no_evidence"),
        (("product.design", [7, None, {"a": 1}]), "no_evidence"),
        (("product.design", None), "no_evidence"),
        (("product.design", ["。", "凉"]), "no_evidence"),
        (("product.design", ["x" * 5000]), "no_evidence"),
    ],
)
def test_what_cannot_be_believed_is_ignored_and_counted(given: tuple[Any, Any], reason: str) -> None:
    asked = question(ZH)
    draft, ignored, names = believed(asked, category=given)
    assert draft == asked.draft
    assert ignored[reason] == 1
    assert names == []


def test_invented_quotes_are_dropped_beside_true_ones() -> None:
    draft, ignored, _ = believed(question(ZH), category=("service.process", ["点菜系统", "服务员骂人"]))
    assert [one.words for one in draft.record.provenance["category"].evidence] == ["点菜系统"]
    assert ignored == {"invented_quote": 1, "malformed_field": 2}, "two fields were left out"


def test_what_stands_for_personal_data_is_no_evidence() -> None:
    asked = question(OPEN + " Yours, Emma")
    assert "[name]" in asked.text
    assert believed(asked, category=("product.design", ["[name]"]))[1]["no_evidence"] == 1


@pytest.mark.parametrize(
    "content",
    [
        '```json\n{"category": {"value": "service.process", "quotes": ["点菜系统"]}}\n```',
        '<think>{"category": null}</think>\n{"category": {"value": "service.process", "quotes": "点菜系统"}}',
        ' {"category": {"value": "service.process", "quotes": ["“点菜系统”"], "confidence": 1}}\n',
    ],
)
def test_common_wrappings_are_read(content: str) -> None:
    answer, _ = read_answer(framed(content), question(ZH))
    assert answer["category"].value == "service.process"
    (place,) = answer["category"].at
    assert ZH[slice(*place)] == "点菜系统"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502 Bad Gateway</html>",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": null}}]}',
        b'{"choices": "yes"}',
        framed("I am sorry, I cannot help with that."),
        framed("[1, 2]"),
        framed('{"category": {"value": "service.proc'),
        b"[" * 60_000,
        framed('{"category": ' + '{"a":' * 10_000 + "1" + "}" * 10_000 + "}"),
        b'{"choices": [{"message": {"content": "{\xff}"}}]}',
    ],
)
def test_what_is_no_answer_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_answer(body, question(ZH))


def test_a_quote_in_the_subject_has_no_place_in_the_text() -> None:
    asked = question("It is on again. It hides behind the sofa, my cat.", subject="Cat and lamp in the evening")
    draft, _, _ = believed(asked, category=("product.design", ["Cat and lamp"]))
    (words,) = draft.record.provenance["category"].evidence
    assert (words.message, words.words, words.start) == ("m-0", "Cat and lamp", -1)


def test_wishes_are_sorted_and_none_stands_alone() -> None:
    draft, _, _ = believed(question(ZH), expectation=(["explanation", "none", "apology"], ["真是服了"]))
    assert draft.record.expectation == ("apology", "explanation")


def test_a_product_is_the_customers_own_words() -> None:
    section = SECTION.model_copy(update={"fields": ("category", "product_or_order")})
    asked = question(OPEN, section=section)
    assert believed(asked, product_or_order=("lamp", []))[0].record.product_or_order == "lamp"
    assert believed(asked, product_or_order=("toaster", []))[2] == []
    assert believed(asked, product_or_order=("lamp\nfrom you", []))[2] == []


def test_the_remembered_answer_holds_no_words() -> None:
    said = {"category": {"value": "service.process", "quotes": ["却不更新点菜系统"]}}
    answer, _ = read_answer(framed(said), question(ZH))
    stored = codec.encode(answer)
    assert "点菜" not in stored.decode()
    assert codec.decode(stored, Answer) == answer


# Natures


def test_a_model_may_have_something_filed() -> None:
    asked = question("Hmm, I wonder whether the blue lamp is meant to glow green?", public=True, nature="question")
    assert (asked.draft.record.nature, asked.draft.files) == ("question", False)
    draft, _, _ = believed(asked, nature=("complaint", ["glow green"]), category=("product.design", ["glow green"]))
    record = draft.record
    assert draft.files
    assert (record.nature, record.category, record.priority, record.expectation) == (
        "complaint", "product.design", "P3", ("none",),
    )  # fmt: skip
    assert record.provenance["priority"].source == "nature:model-endpoint:qwen3:8b"


@pytest.mark.parametrize("nature", ["praise", "spam", "automatic"])
def test_a_model_keeps_nothing_from_being_filed(nature: str) -> None:
    asked = question()
    assert asked.draft.files
    draft, ignored, names = believed(asked, nature=(nature, ["every single evening"]))
    assert draft == asked.draft
    assert ignored["would_hide"] == 1
    assert names == []


def test_a_question_has_no_category() -> None:
    asked = question()
    assert asked.draft.record.nature == "complaint"
    draft, _, _ = believed(asked, nature=("question", ["my cat"]), category=("product.design", ["my cat"]))
    record = draft.record
    assert (record.nature, record.category, record.priority, record.expectation) == ("question", "", "", ("none",))
    assert not {"category", "priority"} & record.provenance.keys()
    assert draft.files


def test_a_nature_does_not_unsay_what_rules_are_sure_of() -> None:
    asked = question()
    record = asked.draft.record
    sure = {**record.provenance, "priority": Provenance(source="rule:en.safety.fire", score=0.8)}
    asked = replace(asked, draft=Draft(record=replace(record, priority="P1", provenance=sure), files=True))
    draft, ignored, _ = believed(asked, nature=("question", ["my cat"]))
    assert draft.record.priority == "P1"
    assert draft.record.nature == "complaint"
    assert ignored["contradicts_rules"] == 1


def test_the_record_is_valid_whatever_is_answered() -> None:
    asked = question()
    for nature in ("complaint", "question", "request", "suggestion", "other"):
        for fields in ({}, {"priority": ("P1", ["my cat"]), "expectation": (["refund"], ["my cat"])}):
            draft, _, _ = believed(asked, nature=(nature, ["my cat"]), **fields)
            record = codec.decode(codec.encode(draft.record), Complaint)
            assert bool(record.category) == bool(record.priority) == (record.nature in ("complaint", "suggestion"))
            assert record.priority == "P4" or record.nature != "suggestion"
            assert record.expectation == ("none",) or record.nature in ("complaint", "request")


# Whatever comes

_WORDS = ["complaint", "praise", "P1", "refund", "other", "product.design", "my cat"]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(_WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "quotes", "a"]), inner),
    max_leaves=12,
)
_SAID = st.dictionaries(st.sampled_from([*VALUES, "product_or_order", "handler"]), _JSON)
_NOTHING_NEW = (
    "id",
    "customer_id",
    "contact",
    "channel",
    "received_at",
    "description",
    "attachments",
    "handler",
    "title",
)


@given(said=_SAID, nature=st.sampled_from(NATURES), public=st.booleans())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_json_gives_a_valid_record(said: dict[str, Any], nature: str, public: bool) -> None:
    asked = question(f"{OPEN} {' '.join(_WORDS)}", nature=nature, public=public)
    answer, _ = read_answer(framed(said), asked)
    draft, _, _ = filled(asked, answer)
    record = codec.decode(codec.encode(draft.record), Complaint)
    assert record == draft.record
    assert draft.files or not asked.draft.files
    for name in _NOTHING_NEW:
        assert getattr(record, name) == getattr(asked.draft.record, name)
    for name, values in VALUES.items():
        found = getattr(record, name)
        assert set([found] if isinstance(found, str) else found) <= {*values, ""}
