"""The optional encoder: it cuts and reads any text, weighs beside rules and model, and is nowhere when it is off."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from math import erf
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allears_sdk.complaint import Complaint
from allears_sdk.message import Message, Visibility
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive
from normalizer.encoder import Encoder, load, network
from normalizer.encoder.network import FILE, LENGTH, Head, Placed, read
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
SCORES = [0.0] * len(MARKS) + [-1.0 - 0.1 * number for number in range(len(WORDS))]
WIDTH, WIDE, HEADS = 64, 128, 4


def pieces() -> Pieces:
    return Pieces((*MARKS, *WORDS), SCORES)


def packed(
    answers: tuple[str, ...] = ANSWERS, share: float = 1.0, towards: tuple[str, ...] = (), layers: int = 2
) -> bytes:
    """An encoder with weights by chance, its second layer on pairs; `towards`: answers it gives to everything."""
    random, data, placed = np.random.default_rng(7), bytearray(), {}

    def put(name: str, numbers: np.ndarray, kind: str) -> None:
        data.extend(bytes(-len(data) % 64))
        placed[name] = Placed(start=len(data), shape=numbers.shape, kind=kind)
        data.extend(numbers.astype(f"<{kind}").tobytes())

    def step(name: str, rows: int, columns: int) -> None:
        put(name, random.integers(-127, 128, (rows, columns)), "i1")
        put(f"{name}.scales", np.full(rows, 0.01), "f4")
        put(
            f"{name}.start",
            np.array([50.0 * (answer in towards) for answer in answers][:rows])
            if name == "answer"
            else random.normal(0, 0.1, rows),
            "f4",
        )

    def norm(name: str) -> None:
        put(name, random.normal(1, 0.1, WIDTH), "f4")
        put(f"{name}.start", random.normal(0, 0.1, WIDTH), "f4")

    count = len(MARKS) + len(WORDS)
    put("word", random.integers(0, 256, (count, WIDTH // 2)), "u1")
    put("word.scales", random.uniform(0.01, 0.1, (count, WIDTH // 32)), "f2")
    put("scores", np.array(SCORES), "f4")
    put("places", random.normal(0, 0.1, (MOST, WIDTH)), "f2")
    for layer in range(layers):
        step(f"{layer}.asked", 3 * WIDTH, WIDTH)
        step(f"{layer}.heard", WIDTH, WIDTH)
        step(f"{layer}.wide", WIDE, WIDTH)
        step(f"{layer}.narrow", WIDTH, WIDE)
        norm(f"{layer}.first")
        norm(f"{layer}.second")
    norm("begun")
    step("answer", len(answers), WIDTH)
    head = Head(
        name="tiny@1",
        layers=layers,
        heads=HEADS,
        paired=1,
        pieces=(*MARKS, *WORDS),
        answers=answers,
        placed=placed,
        share=dict.fromkeys(("nature", "category", "priority", "expectation"), share),
        warmth=dict.fromkeys(("nature", "category", "priority"), 1.0),
        bars={"refund": 0.5},
    )
    described = msgspec.json.encode(head)
    described += b" " * (-(4 + len(described)) % 64)
    return len(described).to_bytes(4, "big") + described + bytes(data)


def array(data: bytes, name: str) -> np.ndarray:
    """One of a packed encoder's, in 64 bits."""
    end = 4 + int.from_bytes(data[:4], "big")
    place = msgspec.json.decode(data[4:end], type=Head).placed[name]
    size = int(np.prod(place.shape))
    return np.frombuffer(data, f"<{place.kind}", size, end + place.start).reshape(place.shape).astype(np.float64)


def reckoned(data: bytes, numbers: list[int], layers: int = 2) -> np.ndarray:
    """The same by the book, word for word, in 64 bits."""

    def through(name: str, given: np.ndarray) -> np.ndarray:
        weights = array(data, name) * array(data, f"{name}.scales")[:, None]
        return np.asarray(np.einsum("oi,...i->...o", weights, given) + array(data, f"{name}.start"))

    def evened(state: np.ndarray, name: str) -> np.ndarray:
        spread = state.std(axis=1, keepdims=True)
        even = (state - state.mean(axis=1, keepdims=True)) / spread * array(data, name)
        return np.asarray(even + array(data, f"{name}.start"))

    halves = array(data, "word")[numbers].astype(int).reshape(len(numbers), -1, 16)
    levels = np.concatenate([halves % 16, halves // 16], axis=2) - 8
    words = (levels * array(data, "word.scales")[numbers][:, :, None]).reshape(len(numbers), WIDTH)
    state = evened(words + array(data, "places")[: len(numbers)], "begun")
    for layer in range(layers):
        if layer == 1:
            state = np.array([state[at : at + 2].mean(axis=0) for at in range(0, len(state), 2)])
        queries, keys, values = np.split(through(f"{layer}.asked", state), 3, axis=1)
        heard = np.zeros_like(state)
        for head in np.split(np.arange(WIDTH), HEADS):
            likeness = np.exp(queries[:, head] @ keys[:, head].T / len(head) ** 0.5)
            heard[:, head] = likeness / likeness.sum(axis=1, keepdims=True) @ values[:, head]
        state = evened(state + through(f"{layer}.heard", heard), f"{layer}.first")
        wide = through(f"{layer}.wide", state)
        bent = 0.5 * wide * (1 + np.vectorize(erf)(wide / 2**0.5))
        state = evened(state + through(f"{layer}.narrow", bent), f"{layer}.second")
    mean = state.mean(axis=0)
    return through("answer", mean * LENGTH / np.linalg.norm(mean))


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

    @pytest.mark.parametrize("text", ["", "the box", "query 快递没到 the box", "the box 没到 " * 40])
    def test_the_odds_are_those_of_the_book(self, text: str) -> None:
        data = packed()
        heard = Encoder(data).hear(text)
        found = [odds for field in heard.values() for odds in field.values()]
        assert found == pytest.approx(reckoned(data, pieces().numbers(text)).tolist(), abs=0.02)

    def test_threads_do_not_disturb_each_other(self) -> None:
        encoder, texts = Encoder(packed()), ["the box", "快递没到", "query the box " * 20] * 20
        alone = [encoder.hear(text) for text in texts]
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(encoder.hear, texts)) == alone

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "\x00",
            "\ud800",
            "☃" * 5000,
            "😡" * 300,
            "=" * 100_000,
            "ﷺ" * 1000,
            "a" * 1_000_000,
            "快 " * 500_000,
        ],
        ids=lambda text: f"{text[:1]!a} {len(text)}",
    )
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


@pytest.mark.parametrize("kept", [0, 3, 1_000, 5_000_000, -1])
def test_a_damaged_file_is_none(tmp_path: Path, kept: int) -> None:
    whole = (Path(network.__file__).parent / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:kept])
    assert read(tmp_path / FILE) is None


def test_deriving_without_it_loads_no_numerical_library() -> None:
    code = "import sys, normalizer.derive, normalizer.encoder; sys.exit('numpy' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


class TestPackaged:
    def test_it_knows_every_value_of_the_model(self) -> None:
        from normalizer.model import load as load_model

        model, encoder = load_model(), load()
        assert encoder is not None
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
        encoder = load()
        assert encoder is not None
        found = record(text, encoder)
        assert (found.nature, found.category.partition(".")[0]) == (nature, category)
