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
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import evaluate
import msgspec
import numpy as np
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from allears_sdk.complaint import CATEGORIES, NATURES, PRIORITIES
from normalizer.derive import derive
from normalizer.fields.consulted import measured, verdicts_of
from normalizer.fields.reading import Reading, current, read
from normalizer.fields.signals import weigh
from normalizer.model import Measures, Model, Opinion, sequences, spaced
from normalizer.model.opinion import FILE
from normalizer.model.table import Head, Table, dump
from normalizer.rules import load as load_rules

LEAST_SEEN = 4
"""Texts in which a sequence must stand to be in the vocabulary."""
LEAST_LABELLED = 3
"""Labelled ones among them to have weights of its own beside those from weak labels."""
MOST_SEQUENCES = 12_000
TOPICS = 120
LEAST_EXAMPLES = {"nature": 5, "category": 3, "priority": 5, "expectation": 15}
SMOOTHNESS = {"nature": 0.3, "category": 0.3, "priority": 0.2, "expectation": 0.5}
RARE_KINDS = 4.0
"""How much a text of a kind that is rare in the material (mail, chat, transcript) counts."""
OF_EVERY_KIND = 8.0
"""How much a text of the only set with every kind counts against one of the thousands of common kinds."""
COMMON_KINDS = frozenset({"shop_review", "x", "web_form", "webchat"})
NEVER = -12.0
WORDS, TOPIC = 3.0, 5.0
SEED = 1
RARE = 10
"""Examples below which rules that name a category are not gainsaid."""
USUAL_WARMTH = 1.5
ALONE = 0.4
"""The probability from which a wish is taken as said where no rules are asked."""
HEARD = 0.03
"""So improbable must a wish be that rules are not believed who hear it."""
LOST = 0.4
"""Share of rules that a blurred text is taken to be unknown to."""
ROOT = Path(__file__).resolve().parent.parent
READ_FOR_RULES = frozenset({"A", "B", "C", "D", "real_dev"})
"""Labelled sets on which rules were written."""
WRITTEN = "authored_dev"
"""So was this one, of texts made for it: nobody's, but of every kind."""
PLACES = ("public", "private")
GROUNDS = tuple(f"{place}{strong}" for place in PLACES for strong in ("", " strong"))
ASKED = ("action", "explanation", "refund", "compensation", "none")
SHOWN = ("nature", "complaint_recall", "false_complaint", "category_1", "category_2", "priority", "f1_expectation")
KINDS = {"shopping": "shop_review", "waimai": "shop_review", "civic": "web_form", "triage": "web_form"}
KINDS |= {"tweets": "x", "airline": "x", "bitext": "webchat"}
SAID = {True: "complaint", False: "praise"}
FELT = {"negative": "complaint", "positive": "praise", "neutral": "neutral"}

Row = dict[str, Any]
Matrix = sparse.csr_matrix


@dataclass(slots=True)
class Example:
    """A text as the model sees it."""

    row: Row
    reading: Reading
    found: frozenset[str]
    measures: Measures
    verdicts: dict[str, str]

    @property
    def gold(self) -> Row:
        return self.row["gold"]

    @property
    def is_new(self) -> bool:
        """To those who wrote the rules."""
        return self.row["set"] not in READ_FOR_RULES | {WRITTEN}

    @property
    def weight(self) -> float:
        common = 1.0 if self.row["channel_kind"] in COMMON_KINDS else RARE_KINDS
        return common * (1.0 if self.is_new else 0.5)

    @property
    def trusted(self) -> float:
        """How much it counts where rules and model are weighed against each other."""
        return OF_EVERY_KIND if self.row["set"] == WRITTEN else float(self.is_new)


def read_lines(path: Path) -> list[Row]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def labelled_rows(paths: Iterable[Path]) -> Iterator[Row]:
    for path in paths:
        if path.is_file():
            yield from (row | {"set": path.stem} for row in read_lines(path))
        for gold in sorted(path.glob("[A-Z].gold.jsonl")) if path.is_dir() else ():
            texts = {row["id"]: row for row in read_lines(gold.with_name(gold.name.replace(".gold", "")))}
            yield from (texts[row["id"]] | {"gold": row["gold"], "set": gold.name[0]} for row in read_lines(gold))


def weak_rows(path: Path, labelled: Sequence[Row], without: Path | None) -> list[Row]:
    known = {row["text"] for row in labelled if isinstance(row["text"], str)}
    dropped = set(without.read_text(encoding="utf-8").split()) if without else set()
    rows = [
        row | {"id": f"u{number:05d}", "channel_kind": KINDS[row["src"]]} for number, row in enumerate(read_lines(path))
    ]
    return [row for row in rows if row["text"] not in known and row["id"] not in dropped]


def example_of(row: Row, blur: Random | None = None) -> Example:
    """As the model sees it; with `blur` some rules are taken to know nothing of it, as of a text nobody has seen."""
    conversation, facts = evaluate.conversation_of(row)
    messages = current(conversation)
    signals = weigh(read(messages).words, load_rules())
    if blur is not None:
        names = sorted({sign.rule.id for signs in signals.signs.values() for sign in signs})
        lost = {name for name in names if blur.random() < LOST}
        kept = {key: [sign for sign in signs if sign.rule.id not in lost] for key, signs in signals.signs.items()}
        signals.signs = {key: signs for key, signs in kept.items() if signs}
    text = spaced(signals.reading.folded)
    found = frozenset(one for one in sequences(text) if one in text)
    verdicts = verdicts_of(signals, messages, facts)
    return Example(row, signals.reading, found, measured(signals, messages, verdicts), verdicts.told())


# ── what is known from texts without our labels ──────────────────────────────────────────────────────────────────────


def native_labels(row: Row) -> dict[str, str]:
    """Questions that some source answers, with its answer."""
    native, source = row["native"], row["src"]
    answers = {
        f"{source} {name}": str(native[name])
        for name in ("reason", "category_native", "goods", "level1", "urgency")
        if name in native
    }
    return answers | {"nature": _weak_nature(native, source)}


def _weak_nature(native: Row, source: str) -> str:
    if source in ("shopping", "waimai"):
        return SAID[native["complaint"]]
    if source == "airline":
        return FELT[native["sentiment"]]
    if source == "tweets":
        chatter = "other" if str(native["domain"]).startswith("random") else "neutral"
        return "complaint" if native["complaint"] else chatter
    return "complaint" if source in ("triage", "civic") else "service"


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


# ── what is set by texts that were held out ──────────────────────────────────────────────────────────────────────────


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
