"""`allears rules`: list, show, test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from allears.cli.failures import Exit, Failure
from allears.cli.family import Family
from allears.cli.house import quiet, run
from allears.cli.session import Session, configured, table, with_session

if TYPE_CHECKING:
    from allears.cli.rule_trial import Miss, Tally
    from allears.settings import Configuration
    from normalizer.rules.layers import Entry


@click.group(cls=Family)
@configured
def rules() -> None:
    """Replaced by the text of the reader's language."""


@rules.command("list")
@click.option("--own", "is_own", is_flag=True, help="--own")
@configured
@with_session
def list_(session: Session, is_own: bool) -> None:
    from normalizer.rules.layers import inventory

    configuration = session.configuration()
    entries = [one for one in inventory(configuration.own_rules) if not is_own or one.state != "packaged"]
    places = _places(configuration)
    found = [_described(one, places) for one in entries]
    header = [session.say(key) for key in ("rule", "rule_says", "rule_weight", "rule_words", "rule_state", "place")]
    rows = [
        [
            one["name"],
            one["says"],
            one.get("weight", "-"),
            one["looks_for"],
            session.say(f"rule_{one['state']}"),
            one["place"],
        ]
        for one in found
    ]
    version, files = _version(configuration), [name for name, _ in configuration.own_rules.files]
    named = ", ".join(files) or session.say("rules_none")
    session.emit(
        {"version": version, "files": files, "rules": found},
        session.say("rules_version", version=version, files=named),
        table(header, rows),
    )


@rules.command()
@click.argument("name")
@configured
@with_session
def show(session: Session, name: str) -> None:
    from normalizer.own_rules import OwnRules
    from normalizer.rules.layers import inventory

    configuration = session.configuration()
    entry = _named(session, inventory(configuration.own_rules), name)
    found = _whole(entry, _places(configuration))
    if entry.state in ("replaces", "extended"):
        packaged = next(one for one in inventory(OwnRules()) if one.name == entry.name)
        found["packaged"] = _whole(packaged, {})
    session.emit(found, *(f"{key}: {_flat(value)}" for key, value in found.items() if value not in ("", [], None)))


@rules.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--strict", "is_strict", is_flag=True, help="--strict")
@click.option("--all", "is_all", is_flag=True, help="--all")
@configured
@with_session
def test(session: Session, file: Path, is_strict: bool, is_all: bool) -> None:
    from allears.cli.rule_examples import read_examples
    from allears.cli.rule_trial import Tally, try_rules
    from allears.workers.ordeal import try_patterns
    from normalizer.rules.layers import compose, inventory

    configuration = session.configuration()
    examples = read_examples(session, file)
    with quiet():
        run(try_patterns(configuration, session.language))
    entries = inventory(configuration.own_rules)
    outcomes, tallies = try_rules(examples, compose(configuration.own_rules), entries)
    own = [one for one in entries if one.state in ("own", "replaces", "extended")]
    shown = [one for one in entries if one in own or (is_all and one.name in tallies)]
    judged = [_judged(session, one, tallies.get(one.name, Tally()), _places(configuration)) for one in shown]
    failed = sum(bool(outcome.misses) for outcome in outcomes)
    silent, shadowed = (
        sum(tallies.get(one.name, Tally()).fired == 0 for one in own),
        sum(tallies.get(one.name, Tally()).is_shadowed for one in own),
    )
    found = {
        "ok": not failed and not (is_strict and (silent or shadowed)),
        "version": _version(configuration),
        "examples": [
            {
                "name": one.name,
                "ok": not one.misses,
                "misses": [asdict(miss) for miss in one.misses],
                "fired": sorted(one.fired),
            }
            for one in outcomes
        ],
        "rules": judged,
    }
    summary = {"passed": len(outcomes) - failed, "count": len(outcomes), "own": len(own)}
    session.emit(
        found,
        *(line for one in outcomes if one.misses for line in _failed(session, one.name, one.misses)),
        *([_tallied(session, judged)] if judged else []),
        *(
            session.say("warning", text=f"{one['name']} ({one['place']}): {one['remark']}")
            for one in judged
            if one["remark"]
        ),
        session.say("examples_summary", **summary, silent=silent, shadowed=shadowed),
    )
    if not found["ok"]:
        raise click.exceptions.Exit(Exit.FAULTS)


Places = Mapping[str, Mapping[tuple[str, ...], int]]


def _places(configuration: Configuration) -> Places:
    """Lines by file and path."""
    from allears.settings.places import lines

    return {name: lines(text) for name, text in configuration.own_rules.files}


def _place(entry: Entry, places: Places) -> str:
    from allears.settings.places import line_of

    line = line_of(entry.path, places[entry.file]) if entry.file in places else None
    return f"{entry.file}:{line}" if line else entry.file


def _version(configuration: Configuration) -> str:
    from normalizer.rules.pack import version_of

    return version_of(text for _, text in configuration.own_rules.files)


def _described(entry: Entry, places: Places) -> dict[str, Any]:
    """In a line."""
    from normalizer.rules import Rule

    found: dict[str, Any] = {"name": entry.name, "state": entry.state, "place": _place(entry, places)}
    if isinstance(entry.rule, Rule):
        rule = entry.rule
        looks_for = f"{len(rule.words)}+{len(rule.patterns)}"
        return found | {"says": f"{rule.field} {rule.value}", "weight": rule.weight, "looks_for": looks_for}
    kind = entry.rule.kind
    return found | {"says": f"entity {kind}" if kind else "no entity", "looks_for": f"0+{len(entry.rule.ways)}"}


def _whole(entry: Entry, places: Places) -> dict[str, Any]:
    from normalizer.rules import Rule

    found: dict[str, Any] = {"name": entry.name, "state": entry.state, "place": _place(entry, places)}
    if isinstance(entry.rule, Rule):
        told = asdict(entry.rule)
        return found | {key: value for key, value in told.items() if key not in ("id", "place")}
    shape = entry.rule
    patterns = [way.pattern.pattern for way in shape.ways]
    return found | {"kind": shape.kind, "cased": shape.cased, "where": shape.where, "patterns": patterns}


def _named(session: Session, entries: Sequence[Entry], name: str) -> Entry:
    """By its full name, or the part of it that no other has."""
    from allears.settings.faults import hint

    known = {one.name: one for one in entries}
    if name in known:
        return known[name]
    close = [one for one in known if one.partition(".")[2] == name or one.partition(":")[2] == name]
    if len(close) == 1:
        return known[close[0]]
    if close:
        raise Failure(session.say("several_rules", name=name, names=", ".join(close)), Exit.USAGE)
    hinted = [*known, *(one.partition(".")[2] for one in known)]
    text = hint(name, hinted, session.language) if _is_near(name, hinted) else ""
    raise Failure(session.say("no_such_rule", name=name, hint=text), Exit.NOT_FOUND)


def _is_near(name: str, known: Sequence[str]) -> bool:
    from difflib import get_close_matches

    return bool(get_close_matches(name, known, n=1))


def _judged(session: Session, entry: Entry, tally: Tally, places: Places) -> dict[str, Any]:
    remark = ""
    if entry.state != "packaged" and not tally.fired:
        remark = session.say("rule_never")
    elif entry.state != "packaged" and tally.is_shadowed:
        remark = session.say("rule_shadowed", by=", ".join(one for one, _ in tally.before.most_common(3)))
    described = _described(entry, places)
    return {key: described[key] for key in ("name", "state", "place", "says")} | {
        "fired": tally.fired,
        "counted": tally.counted,
        "remark": remark,
    }


def _tallied(session: Session, judged: Sequence[Mapping[str, Any]]) -> str:
    header = [session.say(key) for key in ("rule", "rule_says", "rule_fired", "rule_counted", "place")]
    return table(header, [[one["name"], one["says"], one["fired"], one["counted"], one["place"]] for one in judged])


def _failed(session: Session, name: str, misses: Sequence[Miss]) -> list[str]:
    told = [
        session.say(
            "example_miss", field=miss.field, expected=_flat(miss.expected), found=_flat(miss.found), source=miss.source
        )
        for miss in misses
    ]
    return [f"{session.say('example_failed')} {name}", *(f"  {line}" for line in told)]


def _flat(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
