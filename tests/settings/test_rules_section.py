"""[rules]: which files are read, and what is said of those that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from allears.settings import InvalidConfiguration, changed, load
from allears.settings.rules_section import MAX_BYTES

RULE = 'language = "en"\n[[rule]]\nid = "{id}"\nfield = "category"\nvalue = "service.process"\nwords = ["counter"]\n'


@pytest.fixture
def house(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    for name in ("b", "a"):
        (tmp_path / "rules" / f"{name}.toml").write_text(RULE.format(id=name), encoding="utf-8")
    return tmp_path


def configured(house: Path, *files: str) -> Path:
    path = house / "allears.toml"
    quoted = ", ".join(f"'{file}'" for file in files)
    path.write_text(f'[channels.form]\nconnector = "form"\n[rules]\nfiles = [{quoted}]\n', encoding="utf-8")
    return path


def test_files_are_read_in_order_each_once(house: Path) -> None:
    names = [name for name, _ in load(configured(house, "rules/b.toml", "rules/*.toml")).own_rules.files]
    assert names == ["rules/b.toml", "rules/a.toml"]


def test_a_path_from_the_root_is_one_too(house: Path) -> None:
    (_, text), _ = load(configured(house, f"{house}/rules/*.toml")).own_rules.files
    assert text == RULE.format(id="a")


def test_a_changed_file_is_a_changed_section(house: Path) -> None:
    before = load(configured(house, "rules/*.toml"))
    assert not changed(before, load(house / "allears.toml"))
    (house / "rules" / "a.toml").write_text(RULE.format(id="c"), encoding="utf-8")
    assert changed(before, load(house / "allears.toml")).sections == {"rules"}


@pytest.mark.parametrize(
    ("content", "says", "line"),
    [
        (b"\xd6\xd0", "not UTF-8", None),
        (b"#" * (MAX_BYTES + 1), "larger than", None),
        (b'language = "en"\n\nwords = [}', "not valid TOML", 3),
        (RULE.format(id="b").encode(), "already, in rules/b.toml", 2),
        (b'language = "en"\n[[rule]]\nid = "x"\nfeild = "a"', "'feild'", 4),
    ],
)
def test_what_is_wrong_is_named_with_its_line(house: Path, content: bytes, says: str, line: int | None) -> None:
    (house / "rules" / "c.toml").write_bytes(content)

    with pytest.raises(InvalidConfiguration) as caught:
        load(configured(house, "rules/*.toml"), language="en")

    fault = next(one for one in caught.value.faults if says in one.message)
    assert fault.place.startswith("rules/c.toml")
    assert line is None or fault.line == line
    with pytest.raises(InvalidConfiguration, match=r"rules/c\.toml"):
        load(house / "allears.toml", language="zh")
