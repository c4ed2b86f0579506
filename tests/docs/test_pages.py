"""Links resolve, both languages have the same pages and chapters, and what exists is documented."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from allears.settings.catalogue import components
from tests.docs.conftest import ROOT, pages

ENGLISH_ONLY = {
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "config/reference.md",
    "docs/architecture.md",
    "docs/dependencies.md",
    "docs/performance.md",
    "docs/writing-a-connector.md",
    "docs/writing-a-sink.md",
}
"""For contributors, or generated with both languages in it."""

_FENCE = re.compile(r"(?ms)^( *)(```+).*?^\1\2$")
_LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"(?m)^(#{1,6}) (.+?)\s*$")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """The page without its code."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, marks left out, spaces to hyphens, numbered when repeated."""
    found: set[str] = set()
    for _, title in _HEADING.findall(prose(page)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number = 1
        while (numbered := anchor if number == 1 else f"{anchor}-{number - 1}") in found:
            number += 1
        found.add(numbered)
    return found


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_resolve(page: Path) -> None:
    for target in _LINK.findall(re.sub(r"`[^`\n]*`", "", prose(page))):
        if re.match(r"(https?|mailto):", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{target} does not exist"
        assert ROOT in (found, *found.parents), f"{target} leaves the repository"
        if anchor:
            assert anchor in anchors(found), f"{target}: no such heading; there are {sorted(anchors(found))}"


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_no_page_names_the_machine_it_was_written_on(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"/root/|/home/(?!\w*allears)\w", text)


@pytest.mark.parametrize("page", [page for page in pages() if ".zh-CN" not in page.name], ids=name_of)
def test_both_languages_have_the_same_chapters(page: Path) -> None:
    chinese = page.with_name(page.name.removesuffix(".md") + ".zh-CN.md")
    if name_of(page) in ENGLISH_ONLY:
        assert not chinese.exists(), "translated now: take it off the list"
        return
    assert chinese.exists(), f"{name_of(chinese)} is missing"
    levels = [[len(level) for level, _ in _HEADING.findall(prose(one))] for one in (page, chinese)]
    assert levels[0] == levels[1], f"headings: {levels[0]} in English, {levels[1]} in Chinese"
    assert chinese.name in page.read_text(encoding="utf-8"), "the English page does not link the Chinese one"
    assert page.name in chinese.read_text(encoding="utf-8"), "the Chinese page does not link the English one"


def test_no_chinese_page_stands_alone() -> None:
    for page in pages():
        if page.name.endswith(".zh-CN.md"):
            assert page.with_name(page.name.replace(".zh-CN", "")).exists(), name_of(page)


@pytest.mark.parametrize("index", ["docs/index.md", "docs/index.zh-CN.md"])
def test_the_index_leads_to_every_page(index: str) -> None:
    chinese = ".zh-CN" in index
    linked = {(ROOT / "docs" / target.partition("#")[0]).resolve() for target in _LINK.findall(prose(ROOT / index))}
    for page in pages():
        is_theirs = (".zh-CN" in page.name) == chinese or (chinese and name_of(page) in ENGLISH_ONLY)
        if is_theirs and name_of(page) != index:
            assert page in linked, f"{name_of(page)} is not in the index"


@pytest.mark.parametrize("suffix", ["", ".zh-CN"])
def test_every_kind_has_its_page_with_all_its_settings(suffix: str) -> None:
    for one in components(shipped=True):
        folder = "channels" if one.family == "channels" else "sinks"
        page = ROOT / "docs" / folder / f"{one.kind}{suffix}.md"
        text = page.read_text(encoding="utf-8")
        for field in one.own_fields:
            assert f"`{field}`" in text, f"{name_of(page)} does not mention {field}"


def test_the_tables_in_the_pages_are_fresh() -> None:
    specification = spec_from_file_location("generate_tables", ROOT / "scripts" / "generate.py")
    assert specification
    assert specification.loader
    generate = module_from_spec(specification)
    specification.loader.exec_module(generate)
    assert generate.stale_pages() == []


def test_every_metric_is_documented() -> None:
    source = (ROOT / "allears" / "http" / "metrics.py").read_text(encoding="utf-8")
    metrics = set(re.findall(r'"(allears_\w+?)"', source))
    assert metrics, "no metric was found in the source: has it moved?"
    for page in ("docs/monitoring.md", "docs/monitoring.zh-CN.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        missing = {name for name in metrics if name not in text and f"{name}_total" not in text}
        assert not missing, f"{page}: {sorted(missing)}"
