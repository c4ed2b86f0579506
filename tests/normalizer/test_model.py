"""The model beside the rules: what it may decide, what it may not, and how it explains itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allears_sdk.complaint import Complaint
from allears_sdk.message import Message, Rating, Visibility
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive
from normalizer.fields.reading import Passage, Reading
from normalizer.model import Model, Opinion, load, sequences, spaced
from normalizer.model.table import Head, dump, parse
from normalizer.own_rules import OwnRules
from normalizer.rules import Rules
from normalizer.rules.fold import fold
from normalizer.rules.layers import compose

AT = datetime(2024, 6, 1, tzinfo=UTC)
LANES = (
    "nature=complaint",
    "nature=praise",
    "category=product.design",
    "category=logistics.delay",
    "priority=P1",
    "priority=P2",
    "priority=P3",
    "expectation=refund",
    "expectation=none",
)
MODES = ("public", "public strong", "private", "private strong")
NOWHERE = -8.0


def model_of(words: Mapping[str, Mapping[str, int]], measures: Sequence[str] = (), trust: float = 0.0) -> Model:
    """A model in which a few words speak for a few answers, in tenths."""
    kept = sorted(words, key=lambda word: (" " in word.strip(), word))
    rows = [bytes(128 + words[word].get(lane, 0) for lane in LANES) for word in kept]
    head = Head(
        name="test@1",
        lanes=LANES,
        sequences=tuple(kept),
        singles=sum(" " not in word.strip() for word in kept),
        measures=tuple(measures),
        scales=(0.1,) * len(LANES),
        start=(0.0, 0.0, 0.0, 0.0, NOWHERE, 0.0, 0.5, NOWHERE, 2.0),
        warmth={"nature": 1.0, "category": 1.0, "priority": 1.0, "expectation": 1.0},
        trust={name: dict.fromkeys(MODES, trust) for name in ("nature", "category", "priority")},
        rare=("technical.privacy",),
        bars={"refund": 0.5, "heard": 0.1},
    )
    return Model(parse(dump(head, b"".join(rows) + bytes([128]) * len(LANES) * len(measures))))


BLORP = model_of(
    {
        " blorp ": {
            "nature=complaint": 90,
            "category=logistics.delay": 60,
            "priority=P2": 50,
            "expectation=refund": 120,
        },
        " zing ": {"nature=praise": 90},
        " the ": {},
        "嘟嘟": {"nature=complaint": 90, "category=product.design": 60},
    }
)


def one(
    text: str, model: Model | None = BLORP, rules: Rules | None = None, facts: Facts | None = None, **more: Any
) -> Complaint:
    message = Message(text=text, external_id="a", **more)
    talk = Conversation(reference="ALE-0000", opened_at=AT, messages=(Heard(message=message, received_at=AT),))
    return derive(talk, facts or Facts(channel="shop", connector="form"), rules, lambda: model)


def test_what_rules_leave_open_the_model_decides_and_shows_its_words() -> None:
    record = one("the blorp", visibility=Visibility.PUBLIC)

    assert (record.nature, record.category, record.priority) == ("complaint", "logistics.delay", "P2")
    assert record.expectation == ("refund",)
    for field in ("nature", "category", "priority", "expectation"):
        why = record.provenance[field]
        assert why.source == "model:test@1"
        assert [(words.words, words.start, words.end) for words in why.evidence] == [("blorp", 4, 9)]
        assert 0.5 < why.score <= 1


def test_chinese_evidence_stands_where_it_says() -> None:
    record = one("今天，嘟嘟！", visibility=Visibility.PUBLIC)

    assert record.nature == "complaint"
    assert [(words.words, words.start) for words in record.provenance["nature"].evidence] == [("嘟嘟", 3)]


def test_without_a_model_rules_decide_alone() -> None:
    record = one("the blorp", model=None, visibility=Visibility.PUBLIC)

    assert record.nature == "other"
    assert not any(why.source.startswith("model:") for why in record.provenance.values())


@pytest.mark.parametrize("hint", ["ja", "fr", "de-AT"])
def test_a_language_the_model_was_not_trained_on_is_left_to_rules(hint: str) -> None:
    assert one("the blorp", visibility=Visibility.PUBLIC, language=hint).nature == "other"


def test_a_text_of_unknown_words_is_left_to_rules() -> None:
    record = one("Le colis blorp est arrivé trop tard hier soir", visibility=Visibility.PUBLIC)

    assert not record.provenance["nature"].source.startswith("model:")


@pytest.mark.parametrize("text", ["[嘟嘟]", "[blorp][blorp]", "嘟嘟", "!!"])
def test_next_to_nothing_is_left_to_rules(text: str) -> None:
    assert not any(why.source.startswith("model:") for why in one(text).provenance.values())


@pytest.mark.parametrize(
    ("more", "nature"),
    [
        ({"is_complaint": True}, "complaint"),
        ({"is_automatic": True}, "automatic"),
        ({"rating": Rating(value=1), "visibility": Visibility.PUBLIC}, "complaint"),
    ],
)
def test_what_the_channel_says_stands(more: dict[str, Any], nature: str) -> None:
    record = one("the zing zing", **more)

    assert record.nature == nature
    assert record.provenance["nature"].source == "channel"


def test_words_of_danger_stay_urgent_whatever_the_model_thinks() -> None:
    calm = model_of({" the ": {"nature=complaint": 90, "priority=P3": 120, "category=product.design": 90}})

    record = one("the charger caught fire and burned my hand", model=calm)

    assert record.priority == "P1"
    assert record.provenance["priority"].source.startswith("rule:")


def test_a_customer_who_matters_stays_urgent() -> None:
    calm = model_of({" the ": {"nature=complaint": 90, "priority=P3": 120, "category=product.design": 90}})
    facts = Facts(channel="shop", connector="form", customer_level="VIP")

    assert one("the blorp the", model=calm, facts=facts).priority == "P2"


def test_rules_are_named_where_they_say_the_same() -> None:
    agreeing = model_of(
        {" the ": {"nature=complaint": 90, "category=logistics.delay": 90}, " parcel ": {}, " arrived ": {}}
    )

    why = one("the parcel has not arrived", model=agreeing).provenance["category"]

    assert why.source.startswith("rule:en.")
    assert why.evidence


def test_a_rare_category_that_rules_name_is_not_gainsaid() -> None:
    sure = model_of({" my ": {"nature=complaint": 90, "category=product.design": 120}, " data ": {}, " leaked ": {}})

    assert one("my personal data was leaked", model=sure).category == "technical.privacy"


def test_trust_in_rules_outweighs_a_leaning() -> None:
    leaning = {" the ": {"category=product.design": 30}, " parcel ": {"nature=complaint": 50}, " arrived ": {}}

    assert one("the parcel has not arrived", model=model_of(leaning)).category == "product.design"
    assert one("the parcel has not arrived", model=model_of(leaning, trust=9.0)).category == "logistics.delay"


OWN_RULE = """
language = "en"

[[rule]]
id = "own_blorp"
field = "category"
value = "billing.price"
words = ["blorp"]
"""


def test_an_admins_rule_goes_before_the_model() -> None:
    rules = compose(OwnRules(files=(("own.toml", OWN_RULE),)))

    record = one("the blorp", rules=rules, visibility=Visibility.PUBLIC)

    assert record.category == "billing.price"
    assert record.provenance["category"].source == "rule:en.own_blorp"


def test_the_same_table_comes_back() -> None:
    table = parse(dump(BLORP.table.head, BLORP.table.weights))

    assert table.head == BLORP.table.head
    assert table.rows == BLORP.table.rows


def test_adding_rows_adds_every_lane() -> None:
    model = model_of({"a": {"nature=complaint": 127, "nature=praise": -128}, "b": {"nature=praise": 3}})

    total = model.table.total(model.table.rows[:1] * 3_000 + model.table.rows[1:])

    assert total == [381_000, 3 - 384_000, 0, 0, 0, 0, 0, 0, 0]


TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.sampled_from(
            ["坏了", "不好吃", "the parcel", "don't", "@united", "https://t.co/x", "🙂", "App卡", "12.5", "\n"]
        )
    ).map(" ".join),
)


@cache
def vocabulary_of(text: str) -> Model:
    return model_of({one: {} for one in sequences(text) if one in text} or {"x": {}})


@given(TEXTS)
def test_what_is_learned_in_a_text_is_found_in_it(text: str) -> None:
    prepared = spaced(fold(text))

    assert len(prepared) == len(text) + 2
    model = vocabulary_of(prepared)
    found = {model.table.head.sequences[row] for row in model.find(prepared, set(prepared.split()), set(prepared))}
    assert found == {one for one in sequences(prepared) if one in prepared}


@pytest.mark.skipif(load() is None, reason="no model is packaged")
class TestPackaged:
    def opinion(self, text: str) -> Opinion:
        model = load()
        assert model is not None
        return Opinion(model, Reading((Passage("a", text, 0),)), {"public": 1.0})

    def test_it_has_a_lane_for_what_it_decides(self) -> None:
        model = load()
        assert model is not None
        assert set(model.table.fields) == {"nature", "category", "priority", "expectation"}
        assert set(model.table.head.bars) - {"heard"} <= set(model.table.fields["expectation"])

    @pytest.mark.parametrize(
        ("text", "nature"),
        [
            ("物流太慢了，等了一个星期，失望", "complaint"),
            ("味道很好，送餐也快，下次还来", "praise"),
            ("@united my bag is still missing and nobody answers", "complaint"),
            ("@JetBlue thank you so much for the great flight!", "praise"),
        ],
    )
    def test_plain_texts_of_its_kinds_are_understood(self, text: str, nature: str) -> None:
        likely = self.opinion(text).probabilities("nature")

        assert max(likely, key=likely.__getitem__) == nature
        assert sum(likely.values()) == pytest.approx(1)

    @pytest.mark.parametrize("visibility", list(Visibility))
    @pytest.mark.parametrize(
        ("text", "nature"),
        [
            ("请问这款耳机支持苹果手机吗？", "question"),
            ("请问你们几点开门？", "question"),
            ("这个有货吗？什么时候发货", "question"),
            ("能帮我改一下地址吗", "request"),
            ("What time do you open?", "question"),
            ("can you change my address please", "request"),
        ],
    )
    def test_what_is_plainly_asked_is_no_complaint(self, text: str, nature: str, visibility: Visibility) -> None:
        assert one(text, model=load(), visibility=visibility).nature == nature

    @given(TEXTS)
    def test_probabilities_are_probabilities_of_any_text(self, text: str) -> None:
        opinion = self.opinion(text)
        for field in ("nature", "category", "priority"):
            assert sum(opinion.probabilities(field, "complaint").values()) == pytest.approx(1)
        assert all(0 <= chance <= 1 for chance in opinion.chances("expectation").values())
