"""What scripts/evaluate.py found, as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

KINDS = ("order", "product", "phone", "tracking", "amount", "person", "email", "wechat")
COLUMNS = {
    "nature": "nature",
    "category_1": "cat. 1",
    "category_2": "cat. 2",
    "priority": "priority",
    "complaint_recall": "recall",
    "false_complaint": "false c.",
    "f1_expectation": "expect.",
    "f1_entities": "entities",
}
"""Figures and the heads of their columns; `false_complaint` is the only one that is better when it is low."""
ENTITY_COLUMNS = {f"f1_{kind}": kind for kind in KINDS}
IN_FULL = ("nature", "category_1", "priority")
MOST_CONFUSIONS = 15
NOTHING = "–"

Figures = Mapping[str, float]
Confusion = Mapping[str, Mapping[str, int]]


def shown(name: str, figures: Mapping[str, Figures], confusion: Mapping[str, Confusion]) -> Iterator[str]:
    """Lines about one set: figures by group, and by field what was taken for what."""
    yield from _figure_table(name, figures, COLUMNS)
    yield from _figure_table(f"{name}: entities, F1", figures, ENTITY_COLUMNS)
    for field in IN_FULL:
        yield from _confusion_table(f"{name}: {field}, right ↓ and said →", confusion[field])
    yield f"{name}: most frequent confusions of the second level"
    mistaken = _mistaken(confusion["category_2"])
    yield from (f"  {count:4} {right} → {said}" for (right, said), count in mistaken.most_common(MOST_CONFUSIONS))
    yield ""


def _figure_table(title: str, groups: Mapping[str, Figures], columns: Mapping[str, str]) -> Iterator[str]:
    wide = max(len(title), *map(len, groups))
    yield f"{title:{wide}}  rows" + "".join(f"{head:>10}" for head in columns.values())
    for name, figures in groups.items():
        cells = [f"{figures[key]:.3f}" if key in figures else "" for key in columns]
        if any(cells):
            yield f"{name:{wide}}{figures['rows']:6.0f}" + "".join(f"{cell:>10}" for cell in cells)
    yield ""


def _confusion_table(title: str, confusion: Confusion) -> Iterator[str]:
    said = sorted({*confusion, *(answer for answers in confusion.values() for answer in answers)} - {NOTHING})
    said += [NOTHING] if any(NOTHING in answers for answers in confusion.values()) else []
    yield title
    yield " " * 12 + "".join(f"{answer:>12}" for answer in said)
    for right in sorted(confusion):
        cells = [confusion[right].get(answer, "·") for answer in said]
        yield f"{right:12}" + "".join(f"{cell:>12}" for cell in cells)
    yield ""


def _mistaken(confusion: Confusion) -> Counter[tuple[str, str]]:
    return Counter(
        {(right, said): count for right, row in confusion.items() for said, count in row.items() if said != right}
    )


def mail_lines(figures: Mapping[str, Mapping[str, list[int]]]) -> list[str]:
    """A line for each set of mails, with (right, stated) of each expectation."""
    return [
        f"mail · {name}: "
        + "  ".join(f"{key} {right}/{stated} {right / stated:.1%}" for key, (right, stated) in values.items())
        for name, values in figures.items()
    ]
