"""Puts the texts of the evaluation folder and our labels of them together.

    python scripts/label_rows.py SET... [--ids] > FILE.jsonl

SET is a letter, see scripts/labels/README.md. With --ids only the rows' ids are written, for `train.py --without`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

LABELS = Path(__file__).resolve().parent / "labels"
TEXTS = LABELS.parents[2] / "shared" / "eval" / "unlabelled.jsonl"
KINDS = {"shopping": "shop_review", "waimai": "shop_review", "civic": "web_form", "triage": "web_form"}
KINDS |= {"tweets": "x", "airline": "x", "bitext": "webchat"}


def rows_of(letter: str, texts: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows as `evaluate.py` and `train.py` read them."""
    for line in (LABELS / f"{letter}.jsonl").read_text(encoding="utf-8").splitlines():
        label = json.loads(line)
        row = label.pop("row")
        text = texts[row]["text"]
        entities = {kind: [text[start:end] for start, end in spans] for kind, spans in label.pop("entities").items()}
        yield {
            "id": f"u{row:05d}",
            "set": letter,
            "lang": texts[row]["lang"],
            "channel_kind": KINDS[texts[row]["src"]],
            "text": text,
            "gold": label | {"entities": entities},
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="SET", choices=sorted(path.stem for path in LABELS.glob("*.jsonl")))
    parser.add_argument("--ids", action="store_true", help="only ids")
    asked = parser.parse_args()
    if not TEXTS.is_file():
        print(f"No texts at {TEXTS}: labels alone say nothing.", file=sys.stderr)
        return 2
    with TEXTS.open(encoding="utf-8") as file:
        texts = [json.loads(line) for line in file]
    for letter in asked.sets:
        for row in rows_of(letter, texts):
            print(row["id"] if asked.ids else json.dumps(row, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
