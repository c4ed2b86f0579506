"""An admin's own rules: which files, and what is wrong in them, by rule and line."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from allears.settings.faults import Fault, say
from allears.settings.places import line_of, lines
from allears_sdk.settings import Settings
from normalizer.own_rules import OwnRules

if TYPE_CHECKING:
    from normalizer.rules.faults import RuleFault

MAX_BYTES = 1 << 20
"""Of one file."""


class RulesSection(Settings):
    """The company's own rules beside the packaged ones."""

    files: tuple[str, ...] = Field(
        default=(),
        description="TOML files of rules, relative to this file; * stands for any name. Read at start and on SIGHUP.",
        examples=[["rules/*.toml"]],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What came of reading the files."""

    rules: OwnRules
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()


def read_own_rules(section: RulesSection, folder: Path, language: str) -> Read:
    """All that can be seen without running a pattern: how patterns behave is tried where a process can be ended."""
    from normalizer.rules.layers import faults_in, remarks_on

    files, troubles, remarks = _read(section, folder, language)
    rules = OwnRules(tuple(files.items()))
    troubles += told(faults_in(rules), rules, language)
    if not troubles:
        remarks += told(remarks_on(rules), rules, language)
    return Read(rules=rules, faults=tuple(troubles), warnings=tuple(remarks))


def told(faults: Iterable[RuleFault], rules: OwnRules, language: str) -> list[Fault]:
    """As faults of the configuration, which name the file, the rule and the line."""
    places = {name: lines(text) for name, text in rules.files}
    return [
        Fault(
            place=f"{fault.file}: {fault.rule}" if fault.rule else fault.file,
            message=fault.say(language),
            line=line_of(fault.path, places[fault.file]) or _line_in(fault.facts),
        )
        for fault in faults
    ]


def _line_in(facts: Mapping[str, object]) -> int | None:
    """tomllib tells the line in its words only."""
    _, _, rest = str(facts.get("reason", "")).partition("at line ")
    number = rest.partition(",")[0]
    return int(number) if number.isdecimal() else None


def _read(section: RulesSection, folder: Path, language: str) -> tuple[dict[str, str], list[Fault], list[Fault]]:
    """Texts by name; what cannot be read, and what names no file."""
    files: dict[str, str] = {}
    troubles, remarks = list[Fault](), list[Fault]()
    for at, pattern in enumerate(section.files):
        found = list(_paths(pattern, folder))
        if not found:
            wild = glob.has_magic(pattern)
            message = say(language, "no_rule_file", name=pattern)
            (remarks if wild else troubles).append(Fault(place=f"rules.files.{at}", message=message))
        for path in found:
            name = str(path.relative_to(folder) if path.is_relative_to(folder) else path)
            text, why = _text(path)
            if why:
                troubles.append(Fault(place=name, message=say(language, "unreadable", reason=why)))
            files.setdefault(name, text)
    return files, troubles, remarks


def _paths(pattern: str, folder: Path) -> Iterator[Path]:
    named = Path(pattern).expanduser()
    if not glob.has_magic(pattern):
        yield from filter(Path.is_file, (folder / named,))
    elif named.is_absolute():
        yield from sorted(Path(named.anchor).glob(str(named.relative_to(named.anchor))))
    else:
        yield from sorted(folder.glob(pattern))


def _text(path: Path) -> tuple[str, str]:
    """The text, or why there is none."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return "", f"larger than {MAX_BYTES} bytes"
        return path.read_text(encoding="utf-8-sig"), ""
    except OSError as error:
        return "", error.strerror or str(error)
    except UnicodeDecodeError:
        return "", "not UTF-8"
