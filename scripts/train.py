"""Trains the model that stands beside the rules, and says how well it does on texts it has not seen.

    python scripts/train.py LABELLED... --weak UNLABELLED.jsonl [--without IDS] [--out FILE] [--folds 5]

LABELLED are folders with `A.jsonl` (id, lang, channel_kind, text) beside `A.gold.jsonl` (id, gold), or files whose
lines hold `gold` themselves; a set's name is its file's. UNLABELLED has texts with the labels of their sources under
`native`; those that are also labelled are left out, and those whose number (`u00017`) a line of IDS names. Needs the
`train` extra.
The same texts and the same rules give the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from examples import READ_FOR_RULES, WRITTEN, Example, Row, example_of, labelled_rows, native_labels, weak_rows
from held_out import ASKED, GROUNDS, HEARD, SEED, held_out, print_figures, settle
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LogisticRegression

from allears_sdk.complaint import CATEGORIES, NATURES, PRIORITIES
from normalizer.model.opinion import FILE
from normalizer.model.table import Head, Table, dump

LEAST_SEEN = 4
"""Texts in which a sequence must stand to be in the vocabulary."""
LEAST_LABELLED = 3
"""Labelled ones among them to have weights of its own beside those from weak labels."""
MOST_SEQUENCES = 12_000
TOPICS = 120
LEAST_EXAMPLES = {"nature": 5, "category": 3, "priority": 5, "expectation": 15}
SMOOTHNESS = {"nature": 0.3, "category": 0.3, "priority": 0.2, "expectation": 0.5}
NEVER = -12.0
WORDS, TOPIC = 3.0, 5.0
RARE = 10
"""Examples below which rules that name a category are not gainsaid."""
ROOT = Path(__file__).resolve().parent.parent

Matrix = sparse.csr_matrix


@dataclass(slots=True)
class Backdrop:
    """A vocabulary, and a few hundred views of a text that are linear in it: topics, and answers of the sources."""

    vocabulary: dict[str, int]
    rarity: np.ndarray
    views: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    def matrix(self, examples: Sequence[Example]) -> Matrix:
        """Rows of one over the square root of how many known sequences there are, by rarity."""
        known = self.vocabulary
        columns = [sorted(known[one] for one in example.found if one in known) for example in examples]
        ends = np.cumsum([0, *map(len, columns)])
        places = np.array([column for row in columns for column in row], dtype=np.int32)
        shares = np.repeat([1 / np.sqrt(max(1, len(row))) for row in columns], np.diff(ends))
        return sparse.csr_matrix((shares * self.rarity[places], places, ends), shape=(len(columns), len(known)))


def is_single(sequence: str) -> bool:
    return len(sequence) == 1 or (" " not in sequence.strip() and sequence[0] == " ")


def backdrop_of(labelled: Sequence[Example], weak: Sequence[Example]) -> Backdrop:
    seen = Counter(one for example in (*labelled, *weak) for one in example.found)
    here = Counter(one for example in labelled for one in example.found)
    enough = (one for one in seen if seen[one] >= LEAST_SEEN)
    often = sorted(enough, key=lambda one: (-(1 + 2 * is_single(one)) * (seen[one] + 4 * here[one]), one))
    kept = sorted(often[:MOST_SEQUENCES], key=lambda one: (not is_single(one), one))
    texts = len(labelled) + len(weak)
    rarity = np.array([np.log(texts / seen[one]) / 4 for one in kept])
    backdrop = Backdrop({one: number for number, one in enumerate(kept)}, rarity)
    given = backdrop.matrix(weak)
    topics = TruncatedSVD(TOPICS, random_state=SEED).fit(given).components_.T * TOPIC
    backdrop.views = np.hstack([topics, *answers_of(given, weak)])
    return backdrop


def answers_of(given: Matrix, weak: Sequence[Example]) -> Iterator[np.ndarray]:
    labels = [native_labels(example.row) for example in weak]
    for question in sorted({name for some in labels for name in some}):
        rows = [number for number, some in enumerate(labels) if question in some]
        answers = np.array([labels[number][question] for number in rows])
        for answer, count in sorted(Counter(answers).items()):
            if 15 <= count < len(rows):
                weights, _ = binary(given[rows], answers == answer, 4.0)
                yield weights[:, None] * (1.0 if question == "nature" else 0.5)


def binary(
    given: Any, holds: np.ndarray, smoothness: float, weight: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """Weights and start of a logistic regression."""
    model = LogisticRegression(C=smoothness, solver="liblinear", max_iter=200, random_state=SEED)
    model.fit(given, holds, sample_weight=weight)
    return model.coef_[0], float(model.intercept_[0])


# ── from labels to a table ───────────────────────────────────────────────────────────────────────────────────────────


def answers_by_lane() -> dict[str, Callable[[Row], bool | None]]:
    """Whether a gold record has that value; None where it says nothing about it."""
    lanes: dict[str, Callable[[Row], bool | None]] = {}
    for value in NATURES:
        lanes[f"nature={value}"] = lambda gold, value=value: gold["nature"] == value
    for value in CATEGORIES:
        lanes[f"category={value}"] = lambda gold, value=value: gold["category"] == value if gold["category"] else None
    for value in PRIORITIES:
        lanes[f"priority={value}"] = lambda gold, value=value: (
            gold["priority"] == value if gold["nature"] == "complaint" else None
        )
    for value in ASKED:
        lanes[f"expectation={value}"] = lambda gold, value=value: (
            value in gold["expectation"] if gold["nature"] == "complaint" else None
        )
    return lanes


def measure_scale(name: str) -> float:
    return 0.5 if name.startswith(("rule:", "sum:")) else 1.0


@dataclass(slots=True)
class Trainer:
    blurred: dict[str, Example]
    backdrop: Backdrop
    names: tuple[str, ...]
    """Of measures."""

    def noted(self, examples: Sequence[Example]) -> Matrix:
        number = {name: at for at, name in enumerate(self.names)}
        cells = [
            (row, number[name], value * measure_scale(name))
            for row, example in enumerate(examples)
            for name, value in example.measures.items()
            if name in number
        ]
        rows, columns, values = zip(*cells, strict=True)
        return sparse.csr_matrix((values, (rows, columns)), shape=(len(examples), len(self.names)))

    def fit(self, examples: Sequence[Example]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """By lane: weights of the vocabulary, of the measures, and the start."""
        words = self.backdrop.matrix(examples)
        own = np.flatnonzero(np.bincount(words.indices, minlength=words.shape[1]) >= LEAST_LABELLED)
        views = words @ self.backdrop.views
        given = sparse.hstack([words[:, own] * WORDS, sparse.csr_matrix(views), self.noted(examples)]).tocsr()
        weight = np.array([example.weight for example in examples])
        said, noted, start = [], [], []
        scale = np.array([measure_scale(name) for name in self.names])
        for lane, answer in answers_by_lane().items():
            answers = [answer(example.gold) for example in examples]
            rows = np.array([at for at, one in enumerate(answers) if one is not None])
            holds = np.array([bool(answers[at]) for at in rows])
            kind = lane.partition("=")[0]
            if holds.sum() < LEAST_EXAMPLES[kind]:
                weights, begin = np.zeros(given.shape[1]), NEVER
            else:
                weights, begin = binary(given[rows], holds, SMOOTHNESS[kind], weight[rows])
            mine, viewed, told = np.split(weights, [len(own), len(own) + views.shape[1]])
            whole = self.backdrop.views @ viewed
            whole[own] += WORDS * mine
            said.append(whole * self.backdrop.rarity)
            noted.append(told * scale)
            start.append(begin)
        return np.array(said).T, np.array(noted).T, np.array(start)

    def table(self, examples: Sequence[Example]) -> Table:
        labelled = Counter(example.gold["category"] for example in examples)
        blurred = [self.blurred[example.row["id"]] for example in examples if example.row["id"] in self.blurred]
        said, noted, start = self.fit([*examples, *blurred])
        rows = np.vstack([said, noted])
        scales = np.abs(rows).max(axis=0) / 127
        scales[scales == 0] = 1.0
        weights = (np.rint(rows / scales) + 128).astype(np.uint8).tobytes()
        vocabulary = tuple(self.backdrop.vocabulary)
        head = Head(
            name=f"linear@{hashlib.sha256(weights).hexdigest()[:8]}",
            lanes=tuple(answers_by_lane()),
            sequences=vocabulary,
            singles=sum(map(is_single, vocabulary)),
            measures=self.names,
            scales=tuple(float(one) for one in scales),
            start=tuple(float(one) for one in start),
            warmth=dict.fromkeys(SMOOTHNESS, 1.0),
            trust={name: dict.fromkeys(GROUNDS, 0.0) for name in ("nature", "category", "priority")},
            rare=tuple(value for value in CATEGORIES if labelled[value] < RARE),
            bars=dict.fromkeys(ASKED[:-1], 0.5) | {"heard": HEARD},
        )
        return Table(head, weights)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labelled", type=Path, nargs="+", help="folders or files with gold labels")
    parser.add_argument("--weak", type=Path, required=True, help="texts with the labels of their sources")
    parser.add_argument("--without", type=Path, help="ids of weak texts to leave out")
    parser.add_argument("--out", type=Path, default=ROOT / "normalizer" / "model" / FILE, help="where the model goes")
    parser.add_argument("--folds", type=int, default=5, help="parts held out in turn")
    asked = parser.parse_args()
    rows = list(labelled_rows(asked.labelled))
    examples = [example_of(row) for row in rows]
    weak = [example_of(row) for row in weak_rows(asked.weak, rows, asked.without)]
    names = Counter(name for example in examples for name in example.measures)
    blur = Random(SEED)
    blurred = {row["id"]: example_of(row, blur) for row in rows if row["set"] in READ_FOR_RULES | {WRITTEN}}
    frequent = tuple(sorted(name for name, count in names.items() if count >= LEAST_LABELLED))
    trainer = Trainer(blurred, backdrop_of(examples, weak), frequent)
    held = held_out(trainer, examples, asked.folds)
    whole = trainer.table(examples)
    settings = settle(held)
    print_figures(held)
    print(settings)
    data = dump(settings.put_into(whole.head), whole.weights)
    asked.out.write_bytes(data)
    print(f"{asked.out.name}: {len(data):,} bytes, {len(rows)} labelled and {len(weak)} other texts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
