"""The optional encoder: it cuts and reads any text, weighs beside rules and model, and is nowhere when it is off."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allears_sdk.complaint import Complaint
from allears_sdk.message import Message, Visibility
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive
from normalizer.encoder import Encoder, load
from normalizer.encoder.network import Head, Placed
from normalizer.encoder.pieces import FIRST, LAST, MOST, UNKNOWN, Pieces

AT = datetime(2024, 6, 1, tzinfo=UTC)
MARKS = ("<s>", "<pad>", "</s>", "<unk>")
WORDS = ("\u2581", "\u2581qu", "er", "y", ":", "\u2581the", "\u2581box", "快递", "快", "递", "没到", "a", "b", "o", "x")
ANSWERS: tuple[str, ...] = (
    "nature=complaint",
    "nature=praise",
    "nature=other",
    "category=other",
    "category=product.design",
)
ANSWERS += ("priority=P2", "priority=P3", "expectation=refund")
WIDTH, WIDE, HEADS = 24, 48, 12


def pieces() -> Pieces:
    return Pieces((*MARKS, *WORDS), [0.0] * 4 + [-1.0 - 0.1 * number for number in range(len(WORDS))])


def packed(answers: tuple[str, ...] = ANSWERS, share: float = 1.0, towards: tuple[str, ...] = ()) -> bytes:
    """An encoder of one layer with weights by chance; `towards`: answers it gives to everything."""
    random, data, placed = Random(7), bytearray(), {}

    def append(numbers: np.ndarray) -> int:
        data.extend(bytes(-len(data) % 64))
        data.extend(numbers.tobytes())
        return len(data) - numbers.nbytes

    def matrix(name: str, rows: int, columns: int) -> None:
        weights = np.array([random.randint(-127, 127) for _ in range(rows * columns)], np.int8)
        start, scales = append(weights), append(np.full(rows, 0.01, "<f4"))
        placed[name] = Placed(rows=rows, columns=columns, start=start, scales=scales)

    def line(name: str, numbers: list[float]) -> None:
        placed[name] = Placed(rows=1, columns=len(numbers), start=append(np.array(numbers, "<f4")))

    matrix("word", len(MARKS) + len(WORDS), WIDTH)
    matrix("pos", MOST, WIDTH)
    shapes = dict.fromkeys(("0.q", "0.k", "0.v", "0.ao"), (WIDTH, WIDTH))
    shapes |= {"0.fi": (WIDE, WIDTH), "0.fo": (WIDTH, WIDE), "head": (len(answers), WIDTH)}
    for name, (rows, columns) in shapes.items():
        matrix(f"{name}.w", rows, columns)
        line(f"{name}.b", [50.0 * (answer in towards) for answer in answers] if name == "head" else [0.0] * rows)
    for name in ("ln", "0.aln", "0.oln"):
        line(f"{name}.w", [1.0] * WIDTH)
        line(f"{name}.b", [0.0] * WIDTH)
    head = Head(
        name="tiny@1",
        layers=1,
        heads=HEADS,
        pieces=(*MARKS, *WORDS),
        scores=(0.0,) * 4 + tuple(-1.0 - 0.1 * number for number in range(len(WORDS))),
        answers=answers,
        placed=placed,
        share=dict.fromkeys(("nature", "category", "priority", "expectation"), share),
        warmth=dict.fromkeys(("nature", "category", "priority"), 1.0),
        bars={"refund": 0.5},
    )
    described = msgspec.json.encode(head)
    described += b" " * (-(4 + len(described)) % 64)
    return len(described).to_bytes(4, "big") + described + bytes(data)


def full(*towards: str) -> Encoder:
    """One that knows every value of the packaged model."""
    from normalizer.model import load as load_model

    model = load_model()
    assert model is not None
    return Encoder(packed(model.table.head.lanes, towards=towards))


def record(text: str, encoder: Encoder | None = None, *, visibility: Visibility = Visibility.PUBLIC) -> Complaint:
    message = Message(external_id="1", thread=("1",), text=text, posted_at=AT, visibility=visibility)
    conversation = Conversation(reference="ALE-1", opened_at=AT, messages=(Heard(message=message, received_at=AT),))
    return derive(conversation, Facts(channel="shop", connector="form"), encoder=lambda: encoder)


class TestPieces:
    def test_the_likeliest_cut_wins(self) -> None:
        cut = pieces().numbers("快递没到")
        assert cut[0] == FIRST
        assert cut[-1] == LAST
        assert [WORDS[number - len(MARKS)] for number in cut[-3:-1]] == ["快递", "没到"]

    def test_what_is_no_piece_is_unknown(self) -> None:
        assert pieces().numbers("the box ☃")[-2] == UNKNOWN

    def test_width_and_white_space_do_not_matter(self) -> None:
        assert pieces().numbers("the\n\t box") == pieces().numbers("ｔｈｅ  ｂｏｘ")

    def test_of_a_long_text_head_and_end_are_read(self) -> None:
        cut = pieces().numbers("a" * 1_000_000 + "快递没到")
        assert len(cut) == MOST
        assert WORDS[cut[-2] - len(MARKS)] == "没到"

    @given(st.text(max_size=80))
    def test_any_text_is_cut(self, text: str) -> None:
        assert 2 < len(pieces().numbers(text)) <= MOST


class TestEncoder:
    def test_every_answer_has_its_odds(self) -> None:
        heard = Encoder(packed()).hear("the box")
        assert {f"{field}={value}" for field, odds in heard.items() for value in odds} == set(ANSWERS)

    def test_the_same_text_gives_the_same_odds_and_another_gives_others(self) -> None:
        one, other = Encoder(packed()), Encoder(packed())
        assert one.hear("the box") == other.hear("the box")
        assert one.hear("the box") != one.hear("快递没到")

    @pytest.mark.parametrize("text", ["", " ", "\x00", "\ud800", "☃" * 5000, "=" * 100_000])
    def test_hostile_texts_have_finite_odds(self, text: str) -> None:
        odds = Encoder(packed()).hear(text)
        assert all(np.isfinite(value) for values in odds.values() for value in values.values())


class TestBeside:
    TEXT = "Bought it last week for my sister and she says it is what it is, the box had it all in it"

    def test_it_decides_what_rules_leave_open_and_is_named(self) -> None:
        found = record(self.TEXT, full("nature=praise"))
        assert found.nature == "praise"
        assert "+tiny@1" in found.provenance["nature"].source
        assert found.provenance["nature"].score is not None

    def test_without_it_nobody_hears_of_it(self) -> None:
        assert "+" not in record(self.TEXT).provenance["nature"].source

    def test_what_is_certain_stays(self) -> None:
        greeting = record("你好", full("nature=praise"), visibility=Visibility.PRIVATE)
        assert greeting.nature == "other"
        danger = record(
            "充电器突然起火了，差点把房子烧了", full("nature=complaint", "priority=P4"), visibility=Visibility.PRIVATE
        )
        assert danger.priority == "P1"

    def test_it_is_not_asked_where_nothing_is_open(self) -> None:
        class Deaf(Encoder):
            def hear(self, text: str) -> dict[str, dict[str, float]]:
                raise AssertionError(text)

        assert record("你好", Deaf(packed()), visibility=Visibility.PRIVATE).nature == "other"

    def test_one_that_counts_for_nothing_changes_no_field(self) -> None:
        lanes = full("nature=praise").head.answers
        mute = Encoder(packed(lanes, share=0.0, towards=("nature=praise",)))
        plain, beside = record(self.TEXT), record(self.TEXT, mute)
        assert (beside.nature, beside.category, beside.priority) == (plain.nature, plain.category, plain.priority)


def test_where_numpy_is_missing_there_is_no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert load.__wrapped__() is None


def test_deriving_without_it_loads_no_numerical_library() -> None:
    code = "import sys, normalizer.derive, normalizer.encoder; sys.exit('numpy' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


class TestPackaged:
    def test_it_knows_every_value_of_the_model(self) -> None:
        from normalizer.model import load as load_model

        model, encoder = load_model(), load()
        if encoder is None:
            pytest.skip("no encoder is packaged: normalizer/encoder/weights.bin")
        assert model is not None
        for field in ("nature", "category", "priority"):
            assert set(model.table.fields[field]) <= set(encoder.hear("the box is broken")[field])

    @pytest.mark.parametrize(
        ("text", "nature", "category"),
        [
            ("Three weeks now and my parcel is still not here, nobody tells me anything", "complaint", "logistics"),
            ("等了三个星期包裹还没到，客服也不理人", "complaint", "logistics"),
            ("等了三個星期包裹還沒到，客服也不理人", "complaint", "logistics"),
            ("The crew went out of their way to make my kid smile, thank you all", "praise", ""),
        ],
    )
    def test_plain_texts(self, text: str, nature: str, category: str) -> None:
        if (encoder := load()) is None:
            pytest.skip("no encoder is packaged: normalizer/encoder/weights.bin")
        found = record(text, encoder)
        assert (found.nature, found.category.partition(".")[0]) == (nature, category)
