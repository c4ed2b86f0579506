"""What texts that were held out decide: the few numbers that weigh rules and model, and how well both do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import evaluate
import msgspec
import numpy as np
from examples import READ_FOR_RULES, WRITTEN, Example, Row
from sklearn.model_selection import KFold

from normalizer.derive import derive
from normalizer.model import Model, Opinion
from normalizer.model.table import Head, Table

ASKED = ("action", "explanation", "refund", "compensation", "none")
PLACES = ("public", "private")
GROUNDS = tuple(f"{place}{strong}" for place in PLACES for strong in ("", " strong"))
SEED = 1
USUAL_WARMTH = 1.5
ALONE = 0.4
"""The probability from which a wish is taken as said where no rules are asked."""
HEARD = 0.03
"""So improbable must a wish be that rules are not believed who hear it."""
SHOWN = ("nature", "complaint_recall", "false_complaint", "category_1", "category_2", "priority", "f1_expectation")


class Trainer(Protocol):
    def table(self, examples: Sequence[Example], /) -> Table: ...


@dataclass(frozen=True, slots=True)
class Settings:
    trust: dict[str, dict[str, float]]
    warmth: dict[str, float]
    bars: dict[str, float]

    def put_into(self, head: Head) -> Head:
        return msgspec.structs.replace(head, trust=self.trust, warmth=self.warmth, bars=self.bars)


@dataclass(slots=True)
class Held:
    """An example with what a model that never saw it makes of it."""

    example: Example
    model: Model
    opinion: Opinion


def held_out(trainer: Trainer, examples: Sequence[Example], folds: int) -> list[Held]:
    found: list[Held] = []
    for known, unseen in KFold(folds, shuffle=True, random_state=SEED).split(examples):
        model = Model(trainer.table([examples[at] for at in known]))
        new = [examples[at] for at in unseen]
        found += [Held(example, model, Opinion(model, example.reading, example.measures)) for example in new]
    return found


def settle(held: Sequence[Held]) -> Settings:
    """Sets the few numbers that held-out texts decide: trust, warmth and bars."""
    names = ("nature", "category", "priority")
    trust = {name: best_trust(name, held) for name in names}
    warmth = {name: best_warmth(name, trust[name], held) for name in names} | {"expectation": 1.0}
    settings = Settings(trust, warmth, {value: best_bar(value, held) for value in ASKED[:-1]} | {"heard": HEARD})
    for one in held:
        one.model.table.head = settings.put_into(one.model.table.head)
    return settings


def judged(name: str, held: Iterable[Held]) -> list[Held]:
    """Those of which the labels say something in that field."""
    return [
        one
        for one in held
        if one.example.gold[name] and (name != "priority" or one.example.gold["nature"] == "complaint")
    ]


def surprise(name: str, held: Iterable[Held], trust: Mapping[str, float], warmth: float) -> float:
    """How little of the probability went to what is right, in natural units."""
    total = 0.0
    for one in judged(name, held):
        sums = one.opinion.sums(name)
        if (said := one.example.verdicts[name]) in sums:
            sums[said] += trust[one.opinion.ground(name, said)]
        given = np.array(list(sums.values())) / warmth
        right = sums[one.example.gold[name]] / warmth
        total += one.example.trusted * float(np.logaddexp.reduce(given) - right)
    return total


def best_trust(name: str, held: Sequence[Held]) -> dict[str, float]:
    trust = {}
    for ground in GROUNDS:
        there = [one for one in held if one.opinion.ground(name, one.example.verdicts[name]) == ground]
        trials = (step / 4 for step in range(13))
        trust[ground] = min(trials, key=lambda trial: surprise(name, there, {ground: trial}, USUAL_WARMTH))
    return trust


def best_warmth(name: str, trust: Mapping[str, float], held: Sequence[Held]) -> float:
    trials = (0.8 + step / 5 for step in range(9))
    return min(trials, key=lambda trial: surprise(name, held, trust, trial))


def best_bar(value: str, held: Sequence[Held]) -> float:
    """Where F1 is best, together with what rules hear."""
    cases = [
        (wished(value, one), value in one.example.gold["expectation"], one.example.trusted)
        for one in held
        if one.example.gold["nature"] == "complaint"
    ]

    def overlap(bar: float) -> float:
        hits = sum(weight for chance, wanted, weight in cases if chance >= bar and wanted)
        taken = sum(weight for chance, _, weight in cases if chance >= bar)
        stated = sum(weight for _, wanted, weight in cases if wanted)
        return 2 * hits / ((taken + stated) or 1)

    return max((0.3 + step / 25 for step in range(11)), key=overlap)


def wished(value: str, one: Held) -> float:
    chance = one.opinion.chances("expectation")[value]
    return 1.0 if f"wants {value}" in one.example.verdicts and chance >= HEARD else chance


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def answer(example: Example, model: Callable[[], Model | None]) -> Row:
    record = derive(*evaluate.conversation_of(example.row), model=model)
    return {
        "id": example.row["id"],
        "nature": record.nature,
        "category": record.category,
        "priority": record.priority,
        "expectation": list(record.expectation),
        "entities": {},
    }


def model_alone(held: Held) -> Row:
    likely = {name: held.opinion.sums(name) for name in ("nature", "category", "priority")}
    row: Row = {name: max(sums, key=sums.__getitem__) for name, sums in likely.items()}
    wanted = sorted(value for value in ASKED[:-1] if held.opinion.chances("expectation")[value] >= ALONE)
    if row["nature"] not in ("complaint", "suggestion"):
        row |= {"category": "", "priority": ""}
    return row | {"id": held.example.row["id"], "expectation": wanted if row["nature"] == "complaint" else []}


def print_figures(held: Sequence[Held]) -> None:
    scorer = evaluate.load_module(evaluate.FOLDER / "score_records.py")
    answers = {
        "rules": [answer(one.example, lambda: None) for one in held],
        "model": [model_alone(one) for one in held],
        "both": [answer(one.example, lambda one=one: one.model) for one in held],
    }
    for name, rows in groups([one.example.row for one in held]).items():
        for method, given in answers.items():
            figures = scorer.score(rows, {row["id"]: row for row in given})
            print(f"{name:22} {len(rows):5} {method:6}" + "".join(f" {key} {figures.get(key, 0):.3f}" for key in SHOWN))


def groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {"all": [row for row in rows if row["set"] != WRITTEN]}
    for row in rows:
        if row["set"] == WRITTEN:
            names = [WRITTEN]
        else:
            language = "zh" if row["lang"].startswith("zh") else "en"
            fresh = [] if row["set"] in READ_FOR_RULES else ["new", f"new {language}"]
            names = [language, f"{language} {row['channel_kind']}", *fresh, f"set {row['set']}"]
        for name in names:
            found.setdefault(name, []).append(row)
    return found
