"""The network of normalizer/encoder once more, in jax, where it can learn. Needs jax.

Its lower layers may stay as they are: what they make of every text is then reckoned once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from encoder_base import MATRICES, Base
from encoder_file import HEADS, NORMS

from allears_sdk.complaint import CATEGORIES, NATURES, PRIORITIES
from normalizer.encoder.network import LENGTH
from normalizer.encoder.pieces import MOST

ASKED = ("action", "explanation", "refund", "compensation")
VALUES = {"nature": tuple(NATURES), "category": tuple(CATEGORIES), "priority": tuple(PRIORITIES)}
ANSWERS = tuple(f"{field}={value}" for field, values in VALUES.items() for value in values) + tuple(
    f"expectation={value}" for value in ASKED
)
WEIGHT = {"nature": 1.0, "category": 1.0, "priority": 0.7, "expectation": 0.7, "native": 0.4}
SPEED, LOWER, HEAD_SPEED = 1.5e-4, 0.9, 1.5e-3
"""Of the highest layer; each below it learns so much slower; of the answers."""
DROPPED, DECAY = 0.1, 0.01
SIZES = (16, 20, 24, 32, 40, 56, 80, MOST)
"""Pieces to which texts are filled up, all even."""
BATCH_PIECES = 1024
NOWHERE = -1e9

Weights = dict[str, Any]
Array = Any


@dataclass(frozen=True, slots=True)
class Shape:
    """Of the base's layers the lowest `layers` are taken, `frozen` of them as they are; before layer `paired` each two
    neighbours become one."""

    layers: int
    frozen: int
    paired: int


@dataclass(frozen=True, slots=True)
class Known:
    """Of each text: pieces, the chance of every answer (0 in all of a field: unknown), whether wishes are known, the
    number of what its source says to each question (-1: nothing), and how much it counts."""

    pieces: Sequence[Sequence[int]]
    answers: np.ndarray
    wishing: np.ndarray
    natives: np.ndarray
    weights: np.ndarray


def fields() -> dict[str, slice]:
    """Where each field's answers stand."""
    found, at = {}, 0
    for field, choices in (*VALUES.items(), ("expectation", ASKED)):
        found[field] = slice(at, at + len(choices))
        at += len(choices)
    return found


FIELDS = fields()


def batches(pieces: Sequence[Any], chosen: np.ndarray, random: np.random.RandomState) -> list[tuple[int, np.ndarray]]:
    """(pieces, which texts), shuffled; texts of like length together."""
    lengths = np.array([len(pieces[at]) for at in chosen])
    found, least = [], 0
    for size in SIZES:
        some = random.permutation(chosen[(lengths > least) & (lengths <= size)])
        count = rows_of(size)
        found += [(size, some[at : at + count]) for at in range(0, len(some), count)]
        least = size
    return [found[at] for at in random.permutation(len(found))]


def rows_of(size: int) -> int:
    return max(8, BATCH_PIECES // size)


def layers_of(tensors: Mapping[str, np.ndarray], numbers: Sequence[int]) -> list[Weights]:
    return [
        {name: (tensors[f"l{at}.{name}.w"].T, tensors[f"l{at}.{name}.b"]) for name in MATRICES}
        | {name: (tensors[f"l{at}.{name}.w"], tensors[f"l{at}.{name}.b"]) for name in NORMS}
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
    wide = jax.nn.gelu(through("fi", state), approximate=True)
    return evened(state + dropped(through("fo", wide), keys[1]), weights["oln"])


def pairs(state: Array, there: Array) -> tuple[Array, Array]:
    """The mean of each two neighbours, of those that are there."""
    two = there.reshape(len(there), -1, 2, 1)
    both = (state.reshape(*two.shape[:3], -1) * two).sum(2) / jnp.maximum(two.sum(2), 1)
    return both, two.any((2, 3))


def begun(first: Weights, numbers: Array, there: Array) -> Array:
    """What the frozen layers make of a batch."""
    state = evened(first["word"][numbers] + first["pos"][: numbers.shape[1]], first["ln"])
    for weights in first["layers"]:
        state = layer(state, there, weights, None)
    return state


def answered(tuned: Weights, state: Array, there: Array, key: Array | None, *, shape: Shape) -> Array:
    keys = [None] * (len(tuned["layers"]) + 1) if key is None else jax.random.split(key, len(tuned["layers"]) + 1)
    for number, weights in enumerate(tuned["layers"], shape.frozen):
        if number == shape.paired:
            state, there = pairs(state, there)
        state = layer(state, there, weights, keys[number - shape.frozen + 1])
    shown = there[:, :, None]
    mean = (state * shown).sum(1) / shown.sum(1)
    vector = mean / jnp.linalg.norm(mean, axis=-1, keepdims=True) * LENGTH
    return dropped(vector, keys[0]) @ tuned["head"][0] + tuned["head"][1]


def loss(tuned: Weights, batch: Weights, key: Array, *, shape: Shape, questions: np.ndarray) -> Array:
    """`questions`: to which each answer of the sources belongs."""
    odds = answered(tuned, batch["state"], batch["there"], key, shape=shape)
    weight, right, total = batch["weights"], batch["answers"], 0.0
    for field in VALUES:
        surprise = -(jax.nn.log_softmax(odds[:, FIELDS[field]]) * right[:, FIELDS[field]]).sum(1)
        total += WEIGHT[field] * (surprise * weight).sum()
    wanted, wishes = odds[:, FIELDS["expectation"]], right[:, FIELDS["expectation"]]
    surprise = jnp.maximum(wanted, 0) - wanted * wishes + jnp.log1p(jnp.exp(-jnp.abs(wanted)))
    total += WEIGHT["expectation"] * (surprise * (batch["wishing"] * weight)[:, None]).sum()
    for question in range(batch["natives"].shape[1]):
        asked = jnp.where(questions == question, odds[:, len(ANSWERS) :], NOWHERE)
        total += WEIGHT["native"] * missed(asked, batch["natives"][:, question], weight)
    return total / len(weight)


def missed(odds: Array, right: Array, weight: Array) -> Array:
    """Surprise at what is right, where something is."""
    given = jnp.take_along_axis(jax.nn.log_softmax(odds), jnp.maximum(right, 0)[:, None], 1)[:, 0]
    return -(given * weight * (right >= 0)).sum()


def stepped(
    tuned: Weights, mean: Weights, square: Weights, at: Array, batch: Weights, key: Array, *, steps: int, wrong: Any
) -> tuple[Weights, Weights, Weights, Array]:
    """One step of Adam with weight decay; speed rises for a tenth of all steps, then falls to nothing."""
    surprise, slope = jax.value_and_grad(wrong)(tuned, batch, key)
    steep = jnp.sqrt(sum(jnp.sum(one * one) for one in jax.tree.leaves(slope)))
    slope = jax.tree.map(lambda one: one * jnp.minimum(1, 1 / (steep + 1e-6)), slope)
    mean = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, mean, slope)
    square = jax.tree.map(lambda old, new: 0.999 * old + 0.001 * new * new, square, slope)
    pace = jnp.minimum(1, (at + 1) / (0.1 * steps)) * (steps - at) / steps
    highest = len(tuned["layers"]) - 1

    def moved(path: Any, weight: Array, first: Array, second: Array) -> Array:
        speed = HEAD_SPEED if path[0].key == "head" else SPEED * LOWER ** (highest - path[1].idx)
        change = first / (1 - 0.9 ** (at + 1)) / (jnp.sqrt(second / (1 - 0.999 ** (at + 1))) + 1e-8)
        return weight - pace * speed * (change + DECAY * weight * (weight.ndim > 1))

    return jax.tree_util.tree_map_with_path(moved, tuned, mean, square), mean, square, surprise


class Trainer:
    """`questions`: of the sources, for each of their answers the number of its question."""

    def __init__(self, base: Base, known: Known, questions: np.ndarray, shape: Shape, seed: int) -> None:
        width = base.tensors["emb.ln.w"].size
        self.known, self.shape, self.questions, self.seed = known, shape, questions, seed
        self.first = {
            "word": base.tensors["emb.word"],
            "pos": base.tensors["emb.pos"].reshape(-1, width)[:MOST] + base.tensors["emb.type"][:width],
            "ln": (base.tensors["emb.ln.w"], base.tensors["emb.ln.b"]),
            "layers": layers_of(base.tensors, range(shape.frozen)),
        }
        count = len(ANSWERS) + len(questions)
        start = np.asarray(jax.random.normal(jax.random.PRNGKey(seed), (width, count))) * 0.02
        layers = layers_of(base.tensors, range(shape.frozen, shape.layers))
        self.tuned: Weights = {"layers": layers, "head": (start, np.zeros(count, np.float32))}
        self._answer = jax.jit(partial(answered, key=None, shape=shape))
        self._begun = self._begin_all()

    def take_up(self, earlier: dict[str, np.ndarray]) -> None:
        """Begins with what an earlier run made; what sources say to their questions is learnt anew."""
        weights, start = (np.array(one) for one in self.tuned["head"])
        weights[:, : len(ANSWERS)], start[: len(ANSWERS)] = earlier["answer.w"].T, earlier["answer.b"]
        self.tuned = {
            "layers": layers_of(earlier, range(self.shape.frozen, self.shape.layers)),
            "head": (weights, start),
        }

    def _begin_all(self) -> list[np.ndarray]:
        """Half as exact, since they are many."""
        begin = jax.jit(begun)
        found: list[Any] = [None] * len(self.known.pieces)
        for size, some in batches(self.known.pieces, np.arange(len(found)), np.random.RandomState(self.seed)):
            numbers, there = np.ones((rows_of(size), size), np.int32), self._there(size, some)
            for row, at in enumerate(some):
                numbers[row, : len(self.known.pieces[at])] = self.known.pieces[at]
            states = np.asarray(begin(self.first, numbers, there)).astype(np.float16)
            for row, at in enumerate(some):
                found[at] = states[row, : len(self.known.pieces[at])]
        return found

    def _there(self, size: int, chosen: np.ndarray) -> np.ndarray:
        there = np.zeros((rows_of(size), size), bool)
        there[:, 0] = True
        for row, at in enumerate(chosen):
            there[row, : len(self.known.pieces[at])] = True
        return there

    def batch(self, size: int, chosen: np.ndarray) -> Weights:
        there, known = self._there(size, chosen), self.known
        state = np.zeros((*there.shape, self.first["pos"].shape[1]), np.float32)
        for row, at in enumerate(chosen):
            state[row, : len(self._begun[at])] = self._begun[at]
        fill = [(0, len(there) - len(chosen))]
        return {
            "state": state,
            "there": there,
            "answers": np.pad(known.answers[chosen], [*fill, (0, 0)]),
            "wishing": np.pad(known.wishing[chosen], fill),
            "natives": np.pad(known.natives[chosen], [*fill, (0, 0)], constant_values=-1),
            "weights": np.pad(known.weights[chosen], fill),
        }

    def train(self, labelled: np.ndarray, weak: np.ndarray, epochs: int, most_weak: int) -> None:
        random, key = np.random.RandomState(self.seed), jax.random.PRNGKey(self.seed + 5)
        rounds = [np.concatenate([labelled, random.permutation(weak)[:most_weak]]) for _ in range(epochs)]
        plan = [one for chosen in rounds for one in batches(self.known.pieces, chosen, random)]
        moved = [jax.tree.map(np.zeros_like, self.tuned) for _ in range(2)]
        wrong = partial(loss, shape=self.shape, questions=self.questions)
        step = jax.jit(partial(stepped, steps=len(plan), wrong=wrong))
        for number, one in enumerate(plan):
            key, mine = jax.random.split(key)
            self.tuned, *moved, surprise = step(self.tuned, *moved, float(number), self.batch(*one), mine)
            if not number % 100:
                print(f"{number}/{len(plan)} {float(surprise):.3f}", flush=True)

    def odds(self) -> np.ndarray:
        """Of every text."""
        found = np.zeros((len(self.known.pieces), len(ANSWERS)), np.float32)
        for size, some in batches(self.known.pieces, np.arange(len(found)), np.random.RandomState(self.seed)):
            batch = self.batch(size, some)
            answers = np.asarray(self._answer(self.tuned, batch["state"], batch["there"]))
            found[some] = answers[: len(some), : len(ANSWERS)]
        return found

    def tensors(self, base: Base) -> dict[str, np.ndarray]:
        """All that the file holds, by the names of the base; `answer` is what is new."""
        kept = (*[f"l{number}." for number in range(self.shape.frozen)], "emb.ln.", "emb.pos", "emb.type")
        found = {name: one for name, one in base.tensors.items() if name.startswith(kept)}
        found["answer.w"] = np.asarray(self.tuned["head"][0])[:, : len(ANSWERS)].T
        found["answer.b"] = np.asarray(self.tuned["head"][1])[: len(ANSWERS)]
        for number, weights in enumerate(self.tuned["layers"], self.shape.frozen):
            for name, (one, other) in weights.items():
                turned = np.asarray(one).T if name in MATRICES else np.asarray(one)
                found |= {f"l{number}.{name}.w": turned, f"l{number}.{name}.b": np.asarray(other)}
        return found
