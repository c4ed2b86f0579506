"""The company's products: which line what a complaint names belongs to."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

from allears.filing.sheets import open_sheet
from allears.settings.knowledge import CatalogueSection
from allears_sdk.complaint import Complaint
from normalizer.rules.fold import fold

READ_CHARACTERS = 20_000
_USUAL: Mapping[str, Sequence[str]] = {
    "line": ("line", "product_line", "category", "产品线", "品类", "类目", "产品类别"),
    "names": ("name", "product", "product_name", "model", "sku", "alias", "名称", "产品", "产品名称", "商品名称",
              "型号", "货号", "别名"),
}  # fmt: skip
_MIN_LATIN, _MIN_OTHER = 3, 2


@dataclass(frozen=True, slots=True)
class ProductList:
    """What the file says: names, folded, and the line of each as a place in `lines`."""

    names: tuple[str, ...]
    line_of: array[int]
    lines: tuple[str, ...]


class Catalogue:
    """Finds products in texts, all names in one pass."""

    def __init__(self, products: ProductList) -> None:
        self.lines = products.lines
        self._line_of = products.line_of
        self._automaton = AhoCorasick(
            products.names,
            matchkind=MatchKind.LeftmostLongest,
            implementation=Implementation.ContiguousNFA,
            store_patterns=False,
        )

    def __len__(self) -> int:
        return len(self._line_of)

    def find(self, record: Complaint) -> tuple[str, str]:
        """(line, the words that name the product): first in what the complaint is about, then in its text."""
        for text in (record.product_or_order, record.title, record.description[:READ_CHARACTERS]):
            if text and (found := self._first(text)):
                return found
        return "", ""

    def _first(self, text: str) -> tuple[str, str] | None:
        folded = fold(text).encode("utf-8", "replace").decode()
        for name, start, end in self._automaton.find_matches_as_indexes(folded):
            if _stands_alone(folded, start, end):
                return self.lines[self._line_of[name]], text[start:end]
        return None


def read_products(section: CatalogueSection) -> ProductList:
    """From its file, which must be given. Of two rows with one name the first counts. Raises SheetError."""
    assert section.file is not None
    sheet = open_sheet(section.file)
    line_at = sheet.column(section.line_column, _USUAL["line"])
    names_at = sheet.columns(section.name_columns, _USUAL["names"])
    if line_at is None:
        raise sheet.error("no_usual", what="line", setting="line_column")
    if not names_at:
        raise sheet.error("no_usual", what="names", setting="name_columns")
    lines: dict[str, int] = {}
    found: dict[str, int] = {}
    for row in sheet.rows:
        line = row[line_at].strip() if line_at < len(row) else ""
        if line:
            number = lines.setdefault(line, len(lines))
            for name in _names(row, names_at):
                found.setdefault(name, number)
    return ProductList(tuple(found), array("I", found.values()), tuple(lines))


def _names(row: Sequence[str], columns: Iterable[int]) -> Iterator[str]:
    """As they are found in texts; a model's hyphens may be left out there, or be spaces."""
    for column in columns:
        name = fold(row[column]).strip() if column < len(row) else ""
        if len(name) >= (_MIN_LATIN if name.isascii() else _MIN_OTHER):
            yield name
            if "-" in name:
                yield name.replace("-", " ")
                yield name.replace("-", "")


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Latin letters and digits at its ends go on neither before nor after."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return not (_is_latin(before) and _is_latin(text[start])) and not (_is_latin(after) and _is_latin(text[end - 1]))


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalnum()
