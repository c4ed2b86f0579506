"""A labelled text as the model beside the rules sees it, and what texts without our labels say of themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import evaluate

from normalizer.fields.consulted import measured, verdicts_of
from normalizer.fields.reading import Reading, current, read
from normalizer.fields.signals import weigh
from normalizer.model import Measures, sequences, spaced
from normalizer.rules import load as load_rules

RARE_KINDS = 4.0
"""How much a text of a kind that is rare in the material (mail, chat, transcript) counts."""
ADJUDICATED = 5.0
"""How much a text counts that two readers labelled and a third decided, against one hurried reader's."""
OF_EVERY_KIND = 8.0
"""How much a text of the only set with every kind counts against one of the thousands of common kinds."""
COMMON_KINDS = frozenset({"shop_review", "x", "web_form", "webchat"})
LOST = 0.4
"""Share of rules that a blurred text is taken to be unknown to."""
GOLD = "real_dev"
WRITTEN = "authored_dev"
"""Texts made for it: nobody's, but of every kind."""
READ_FOR_RULES = frozenset({"A", "B", "C", "D", GOLD})
"""Labelled sets on which rules were written, as they were on the written ones."""
KINDS = {"shopping": "shop_review", "waimai": "shop_review", "civic": "web_form", "triage": "web_form"}
KINDS |= {"tweets": "x", "airline": "x", "bitext": "webchat"}
SAID = {True: "complaint", False: "praise"}
FELT = {"negative": "complaint", "positive": "praise", "neutral": "neutral"}

Row = dict[str, Any]


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
        if self.row["set"] in (GOLD, WRITTEN):
            return common * ADJUDICATED
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
