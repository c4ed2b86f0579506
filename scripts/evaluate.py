"""Figures of the normaliser on the labelled sets, where those are present.

    python scripts/evaluate.py [--rules | --encoder] [--more FILE.jsonl]... [--json | --misses FIELD|mail] [--half 0|1]
    python scripts/evaluate.py --floors > tests/normalizer/score_floors.toml

Reads ../shared/eval beside the repository: `authored_dev.jsonl` and `real_dev.jsonl` through `normalizer.derive`,
scored by that folder's own `score_records.py`; the mail sets through `normalizer.readers`, scored by `mail/score.py`.
Further labelled files (`--more`) have a text and its gold record in every line; `id`, `lang`, `channel_kind` and
`subject` where they are known. Every figure is given for all rows, per language, per kind of channel (the source), and
for each language of a source that has several. `--rules` leaves the model out, `--encoder` asks that too. The sets are
among what the packaged model was trained on, and the encoder knows them by heart: how well both do on texts they have
not seen, scripts/train.py and scripts/train_encoder.py say.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import score_tables

from allears.cli.normalising import shown
from allears_sdk.complaint import Complaint
from allears_sdk.message import Author, Message, Visibility
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive
from normalizer.encoder import load as load_encoder
from normalizer.fields.consulted import Voices, nobody
from normalizer.fields.language import detect
from normalizer.model import load as load_model
from normalizer.readers.rfc822 import read_mail
from normalizer.trim import new_text

FOLDER = Path(__file__).resolve().parent.parent.parent / "shared" / "eval"
SETS = ("authored_dev", "real_dev")
PUBLIC = frozenset({"shop_review", "app_review", "weibo", "x", "douyin_comment"})
COMPARED = ("nature", "category_1", "priority", "category_2")
FLOORED = (*score_tables.COLUMNS, "f1_order", "f1_phone")
ROOM, ROOM_ROWS = 0.02, 1.5
"""By how much a figure may fall before a test fails: a part of 1, or so many rows where these are more."""
FEWEST_ROWS = 20
BOTH = Voices(load_model, nobody)
METHODS: Mapping[str, Voices] = {"rules": Voices(lambda: None, nobody), "model": BOTH}
"""Of which floors are kept; the encoder knows these sets by heart, and no floor of it would say anything."""
_AT = datetime(2024, 6, 1, tzinfo=UTC)

Row = Mapping[str, Any]
Figures = dict[str, float]
Confusion = dict[str, dict[str, int]]
"""How often, by what is right and then by what was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    figures: dict[str, Figures]
    """By group of rows: `all`, `zh`, `email`, `email zh`; `rows` is how many there are."""
    confusion: dict[str, Confusion]


def load_rows(name: str) -> list[Row]:
    return read_rows(FOLDER / f"{name}.jsonl")


def read_rows(path: Path) -> list[Row]:
    """Labelled rows of any file, what they lack filled in. ValueError names the line that has no text or no gold."""
    with path.open(encoding="utf-8") as file:
        return [_complete(json.loads(line), f"{path.name}:{number}") for number, line in enumerate(file, 1)]


def _complete(row: Row, place: str) -> Row:
    if not {"text", "gold"} <= row.keys() or "nature" not in row["gold"]:
        raise ValueError(f"{place}: a labelled row has a text and a gold record with a nature at least")
    text = row["text"] if isinstance(row["text"], str) else "\n".join(row["text"])
    gold = {"category": "", "priority": "", "expectation": [], "entities": {}} | row["gold"]
    known = {"id": place, "lang": detect(text) or "en", "channel_kind": "unknown", **row}
    return known | {"gold": gold}


def load_module(path: Path) -> ModuleType:
    """A scorer of the evaluation folder, by path; its neighbours are importable while it loads."""
    sys.path.insert(0, str(path.parent))
    try:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(path.parent))


def conversation_of(row: Row) -> tuple[Conversation, Facts]:
    """One labelled row as the core would hand it to `derive`."""
    texts = [row["text"]] if isinstance(row["text"], str) else row["text"]
    visibility = Visibility.PUBLIC if row["channel_kind"] in PUBLIC else Visibility.PRIVATE
    heard = tuple(
        Heard(
            message=Message(
                text=text,
                external_id=f"{row['id']}-{number}",
                revision="1",
                author=Author(id="customer"),
                subject=(row.get("subject") or "") if number == 0 else "",
                visibility=visibility,
            ),
            received_at=_AT,
        )
        for number, text in enumerate(texts)
    )
    facts = Facts(channel=row["channel_kind"], connector=row["channel_kind"])
    return Conversation(reference=row["id"], opened_at=_AT, messages=heard), facts


def predict(row: Row, voices: Voices = BOTH) -> tuple[Complaint, dict[str, Any]]:
    record = derive(*conversation_of(row), model=voices.model, encoder=voices.encoder)
    entities = {kind: list(words) for kind, words in asdict(record.entities).items() if words}
    return record, {
        "id": row["id"],
        "nature": record.nature,
        "category": record.category,
        "priority": record.priority,
        "expectation": list(record.expectation),
        "entities": entities,
    }


def score_rows(rows: Iterable[Row], voices: Voices = BOTH) -> Scored:
    scorer = load_module(FOLDER / "score_records.py")
    rows = list(rows)
    predicted = {row["id"]: predict(row, voices)[1] for row in rows}
    groups: dict[str, list[Row]] = {"all": rows}
    for row in rows:
        for name in _groups_of(row):
            groups.setdefault(name, []).append(row)
    shown = [name for name in groups if not any(_says_as_much(groups, name, other) for other in groups)]
    figures = {
        name: {"rows": len(groups[name])} | scorer.score(groups[name], predicted) for name in sorted(shown, key=_place)
    }
    return Scored(figures=figures, confusion={field: _confusion(rows, predicted, field) for field in COMPARED})


def _groups_of(row: Row) -> Iterator[str]:
    """Traditional Chinese counts as Chinese and by itself."""
    language, source = row["lang"], row["channel_kind"]
    yield from dict.fromkeys((language.partition("-")[0], language))
    yield from (source, f"{source} {language.partition('-')[0]}")


def _says_as_much(groups: Mapping[str, Sequence[Row]], name: str, other: str) -> bool:
    """Whether `name` is one source's language, and that source has no other."""
    return name.startswith(f"{other} ") and len(groups[name]) == len(groups[other])


def _place(name: str) -> tuple[int, str]:
    """All rows first, then languages, then sources."""
    return (0 if name == "all" else 1 if name.partition("-")[0] in ("zh", "en") else 2), name


def _confusion(rows: Iterable[Row], predicted: Mapping[str, Row], field: str) -> Confusion:
    """Of rows whose gold has the field."""
    name, _, level = field.partition("_")
    counted: Confusion = {}
    for row in rows:
        right, said = row["gold"][name], predicted[row["id"]][name]
        if level == "1":
            right, said = right.partition(".")[0], said.partition(".")[0]
        if right:
            answers = counted.setdefault(right, {})
            answers[said or score_tables.NOTHING] = answers.get(said or score_tables.NOTHING, 0) + 1
    return counted


def mail_figures(misses: dict[str, dict[str, list[str]]] | None = None) -> dict[str, dict[str, list[int]]]:
    """(right, stated) per expectation and mail set, and over all; the names of mails that miss one go to `misses`.
    Of mails without any expectation only errors count."""
    scorer = load_module(FOLDER / "mail" / "score.py")
    figures: dict[str, dict[str, list[int]]] = {}
    for cases in sorted(path for path in (FOLDER / "mail").iterdir() if any(path.glob("*.eml"))):
        with tempfile.TemporaryDirectory() as folder:
            for mail in cases.glob("*.eml"):
                answer = _read(mail)
                (Path(folder) / f"{mail.stem}.json").write_text(json.dumps(answer), encoding="utf-8")
            missed: dict[str, list[str]] = {}
            figures[cases.name] = scorer.score_dirs(str(cases), folder, missed)
            if misses is not None:
                misses[cases.name] = missed
    figures["all"] = _total(figures.values())
    return figures


def _total(figures: Iterable[Mapping[str, list[int]]]) -> dict[str, list[int]]:
    total: dict[str, list[int]] = {}
    for values in figures:
        for key, (right, stated) in values.items():
            so_far = total.setdefault(key, [0, 0])
            so_far[0] += right
            so_far[1] += stated
    return total


def print_mail_misses() -> None:
    misses: dict[str, dict[str, list[str]]] = {}
    mail_figures(misses)
    for name, missed in misses.items():
        for key, mails in missed.items():
            print(f"{name} · {key}: {' '.join(mails)}")


def mails_per_second() -> float:
    mails = [path.read_bytes() for path in sorted((FOLDER / "mail").glob("*/*.eml"))]
    for mail in mails:
        read_mail(mail)
    began = time.process_time()
    for mail in mails:
        read_mail(mail)
    return len(mails) / (time.process_time() - began)


def _read(path: Path) -> dict[str, Any]:
    try:
        message = read_mail(path.read_bytes())
        trimmed = new_text(message)
    except Exception as error:  # a mail that raises is a figure here, not an end
        return {"error": repr(error)}
    message = shown(message)
    return {
        "sender_addr": message.author.email,
        "sender_name": message.author.name,
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "attachments": [{"name": file.name, "size": file.size} for file in message.attachments],
        "trimmed": trimmed,
        "is_auto": message.is_automatic,
    }


def print_misses(rows: Iterable[Row], field: str, voices: Voices) -> None:
    for row in rows:
        record, answer = predict(row, voices)
        want, got = row["gold"][field], answer[field]
        if want != got and (field == "nature" or row["gold"]["category"] or field in ("expectation", "entities")):
            why = record.provenance.get(field)
            words = [(e.words) for e in why.evidence] if why else []
            print(f"{row['id']} want={want} got={got} {why.source if why else ''} {words}")
            print("    ", str(row["text"])[:300].replace("\n", "⏎"))


def texts_per_second(rows: list[Row], voices: Voices) -> float:
    prepared = [conversation_of(row) for row in rows]
    for given in prepared[:20]:
        derive(*given, model=voices.model, encoder=voices.encoder)
    began = time.process_time()
    for given in prepared:
        derive(*given, model=voices.model, encoder=voices.encoder)
    return len(prepared) / (time.process_time() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--more", metavar="FILE", type=Path, action="append", default=[], help="further labelled rows")
    parser.add_argument("--rules", action="store_true", help="without the model")
    parser.add_argument("--encoder", action="store_true", help="with the encoder, where it is installed")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--floors", action="store_true", help="print the least that figures may be, as TOML")
    parser.add_argument("--misses", metavar="FIELD", help="print what is wrong in this field instead of figures")
    parser.add_argument("--half", type=int, choices=(0, 1), help="only every other row, from this one on")
    asked = parser.parse_args()
    if not FOLDER.is_dir():
        print(f"No labelled material at {FOLDER}: nothing measured.", file=sys.stderr)
        return 0
    try:
        sets = {name: load_rows(name) for name in SETS} | {path.stem: read_rows(path) for path in asked.more}
    except (OSError, ValueError) as error:
        parser.error(str(error))
    sets = {name: rows if asked.half is None else rows[asked.half :: 2] for name, rows in sets.items()}
    voices = METHODS["rules" if asked.rules else "model"]
    if asked.encoder:
        voices = Voices(load_model, load_encoder)
    if asked.misses:
        _print_all_misses(sets, asked.misses, voices)
    elif asked.floors:
        print("\n".join(floors(sets, mail_figures()["all"])))
    else:
        _print_figures(sets, voices, with_mail=asked.half is None, as_json=asked.json)
    return 0


def _print_all_misses(sets: Mapping[str, list[Row]], field: str, voices: Voices) -> None:
    if field == "mail":
        print_mail_misses()
        return
    for rows in sets.values():
        print_misses(rows, field, voices)


def _print_figures(sets: Mapping[str, list[Row]], voices: Voices, *, with_mail: bool, as_json: bool) -> None:
    scored = {name: score_rows(rows, voices) for name, rows in sets.items()}
    mail = mail_figures() if with_mail else {}
    speed = {"mails": round(mails_per_second())}
    speed["texts"] = round(texts_per_second([row for rows in sets.values() for row in rows], voices))
    if as_json:
        records = {name: asdict(one) for name, one in scored.items()}
        print(json.dumps({"records": records, "mail": mail, "per_second": speed}, ensure_ascii=False))
        return
    print(
        "\n".join(line for name, one in scored.items() for line in score_tables.shown(name, one.figures, one.confusion))
    )
    print("\n".join(score_tables.mail_lines(mail) or ["mail: not measured (only half of the rows was asked for)"]))
    print(f"\none core: reads {speed['mails']} mails/s, derives {speed['texts']} texts/s")


def floors(sets: Mapping[str, list[Row]], mail: Mapping[str, list[int]]) -> Iterator[str]:
    """Lines of TOML: with and without the model, per set and per group of rows that is large enough."""
    yield "# The least that each figure may be (`false_complaint`: the most); scripts/evaluate.py --floors prints it."
    yield "# The packaged model was trained on these sets among others: what holds without it is told apart."
    for method, voices in METHODS.items():
        for name in SETS:
            for group, figures in score_rows(sets[name], voices).figures.items():
                if group in ("all", "zh", "en") or figures["rows"] >= FEWEST_ROWS:
                    yield f'\n[{method}.{name}."{group}"]'
                    given = {key: figures[key] for key in FLOORED if key in figures}
                    yield from (f"{key} = {_floor(key, value, figures['rows'])}" for key, value in given.items())
    yield "\n[mail]"
    yield from (f"{key} = {_floor(key, right / stated, stated)}" for key, (right, stated) in mail.items())


def _floor(key: str, reached: float, rows: float) -> float:
    room = max(ROOM, ROOM_ROWS / rows)
    if key == "false_complaint":
        return math.ceil(100 * (reached + room)) / 100
    return max(0.0, math.floor(100 * (reached - room)) / 100)


if __name__ == "__main__":
    sys.exit(main())
