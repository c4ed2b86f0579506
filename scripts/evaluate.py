"""Figures of the normaliser on the labelled sets, where those are present.

    python scripts/evaluate.py [--json] [--misses FIELD|mail] [--half 0|1]

Reads ../shared/eval beside the repository: `authored_dev.jsonl` and `real_dev.jsonl` through `normalizer.derive`,
scored by that folder's own `score_records.py`; the mail sets through `normalizer.readers`, scored by `mail/score.py`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from allears.cli.normalising import shown
from allears_sdk.complaint import Complaint
from allears_sdk.message import Author, Message, Visibility
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive
from normalizer.readers.rfc822 import read_mail
from normalizer.trim import new_text

FOLDER = Path(__file__).resolve().parent.parent.parent / "shared" / "eval"
SETS = ("authored_dev", "real_dev")
PUBLIC = frozenset({"shop_review", "app_review", "weibo", "x", "douyin_comment"})
_AT = datetime(2024, 6, 1, tzinfo=UTC)

Row = Mapping[str, Any]
Figures = dict[str, float]


def load_rows(name: str) -> list[Row]:
    with (FOLDER / f"{name}.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


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


def predict(row: Row) -> tuple[Complaint, dict[str, Any]]:
    record = derive(*conversation_of(row))
    entities = {kind: list(words) for kind, words in asdict(record.entities).items() if words}
    return record, {
        "id": row["id"],
        "nature": record.nature,
        "category": record.category,
        "priority": record.priority,
        "expectation": list(record.expectation),
        "entities": entities,
    }


def record_figures(rows: Iterable[Row]) -> dict[str, Figures]:
    """Figures for all rows, then per language and per kind of channel (20 rows or more)."""
    scorer = load_module(FOLDER / "score_records.py")
    rows = list(rows)
    predicted = {row["id"]: predict(row)[1] for row in rows}
    groups: dict[str, list[Row]] = {"all": rows}
    for row in rows:
        groups.setdefault("zh" if row["lang"].startswith("zh") else "en", []).append(row)
        groups.setdefault(row["channel_kind"], []).append(row)
    kept = {name: group for name, group in groups.items() if name in ("all", "zh", "en") or len(group) >= 20}
    return {f"{name} ({len(group)})": scorer.score(group, predicted) for name, group in kept.items()}


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


def print_misses(rows: Iterable[Row], field: str) -> None:
    for row in rows:
        record, answer = predict(row)
        want, got = row["gold"][field], answer[field]
        if want != got and (field == "nature" or row["gold"]["category"] or field in ("expectation", "entities")):
            why = record.provenance.get(field)
            words = [(e.words) for e in why.evidence] if why else []
            print(f"{row['id']} want={want} got={got} {why.source if why else ''} {words}")
            print("    ", str(row["text"])[:300].replace("\n", "⏎"))


def texts_per_second(rows: list[Row]) -> float:
    prepared = [conversation_of(row) for row in rows]
    for given in prepared[:20]:
        derive(*given)
    began = time.perf_counter()
    for given in prepared:
        derive(*given)
    return len(prepared) / (time.perf_counter() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--misses", metavar="FIELD", help="print what is wrong in this field instead of figures")
    parser.add_argument("--half", type=int, choices=(0, 1), help="only every other row, from this one on")
    asked = parser.parse_args()
    if not FOLDER.is_dir():
        print(f"No labelled material at {FOLDER}: nothing measured.", file=sys.stderr)
        return 0
    sets = {name: load_rows(name)[asked.half :: 2] if asked.half is not None else load_rows(name) for name in SETS}
    if asked.misses == "mail":
        print_mail_misses()
        return 0
    if asked.misses:
        for rows in sets.values():
            print_misses(rows, asked.misses)
        return 0
    figures: dict[str, Any] = {name: record_figures(rows) for name, rows in sets.items()}
    figures["mail"] = mail_figures() if asked.half is None else {}
    figures["mails per second"] = round(mails_per_second())
    figures["texts per second"] = round(texts_per_second([row for rows in sets.values() for row in rows]))
    print(json.dumps(figures, ensure_ascii=False) if asked.json else _table(figures))
    return 0


def _table(figures: Mapping[str, Any]) -> str:
    lines = []
    for name in SETS:
        for group, values in figures[name].items():
            cells = "  ".join(f"{key} {value:.3f}" for key, value in values.items())
            lines.append(f"{name} · {group}: {cells}")
    for name, values in figures["mail"].items():
        cells = "  ".join(f"{key} {right}/{stated} {right / stated:.1%}" for key, (right, stated) in values.items())
        lines.append(f"mail · {name}: {cells}")
    if not figures["mail"]:
        lines.append("mail: not measured (only half of the rows was asked for)")
    lines.append(f"read: {figures['mails per second']} mails/s on one core")
    return "\n".join([*lines, f"derive: {figures['texts per second']} texts/s on one core"])


if __name__ == "__main__":
    sys.exit(main())
