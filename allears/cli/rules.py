"""`allears rules`: list, show, test."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from allears.cli.failures import Exit, Failure
from allears.cli.family import Family
from allears.cli.house import quiet, run
from allears.cli.session import Session, configured, table, with_session

if TYPE_CHECKING:
    from allears.cli.rule_trial import Miss, Outcome, Tally
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
    from allears.cli.rule_trial import try_rules
    from normalizer.fields.consulted import encoder_for
    from normalizer.rules.layers import compose, inventory

    configuration = session.configuration()
    examples = read_examples(session, file)
    try_own_rules(session, configuration)
    entries = inventory(configuration.own_rules)
    encoder = encoder_for(thoroughly=configuration.understanding.listens)
    outcomes, tallies = try_rules(examples, compose(configuration.own_rules), entries, encoder)
    shown = [one for one in entries if one.is_own or (is_all and one.name in tallies)]
    judged = [_judged(session, one, tallies.get(one.name), _places(configuration)) for one in shown]
    is_ok = not any(one.misses for one in outcomes) and not (is_strict and any(one["remark"] for one in judged))
    found = {
        "ok": is_ok,
        "version": _version(configuration),
        "examples": [asdict(one) | {"ok": not one.misses} for one in outcomes],
        "rules": judged,
    }
    session.emit(found, *_report(session, outcomes, judged))
    if not is_ok:
        raise click.exceptions.Exit(Exit.FAULTS)


def try_own_rules(session: Session, configuration: Configuration) -> None:
    """Whether their patterns stay in proportion to texts. Raises InvalidConfiguration."""
    if configuration.own_rules:
        from allears.workers.ordeal import try_patterns

        with quiet():
            run(try_patterns(configuration, session.language))


def _report(session: Session, outcomes: Sequence[Outcome], judged: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for outcome in outcomes:
        if outcome.misses:
            yield from _failed(session, outcome.name, outcome.misses)
    if judged:
        header = [session.say(key) for key in ("rule", "rule_says", "rule_fired", "rule_counted", "place")]
        yield table(header, [[one[key] for key in ("name", "says", "fired", "counted", "place")] for one in judged])
    for one in judged:
        if one["remark"]:
            yield session.say("warning", text=f"{one['name']} ({one['place']}): {one['remark']}")
    own = [one for one in judged if one["state"] != "packaged"]
    yield session.say(
        "examples_summary",
        passed=sum(not one.misses for one in outcomes),
        count=len(outcomes),
        own=len(own),
        silent=sum(not one["fired"] for one in own),
        shadowed=sum(one["fired"] > 0 and one["counted"] == 0 for one in own),
    )


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
    from difflib import get_close_matches

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
    text = hint(name, hinted, session.language) if get_close_matches(name, hinted, n=1) else ""
    raise Failure(session.say("no_such_rule", name=name, hint=text), Exit.NOT_FOUND)


def _judged(session: Session, entry: Entry, tally: Tally | None, places: Places) -> dict[str, Any]:
    """With a remark where it is an admin's and useless."""
    fired, counted = (tally.fired, tally.counted) if tally else (0, 0)
    remark = ""
    if entry.is_own and tally is None:
        remark = session.say("rule_never")
    elif entry.is_own and tally is not None and not counted:
        remark = session.say("rule_shadowed", by=", ".join(one for one, _ in tally.before.most_common(3)))
    described = _described(entry, places)
    kept = {key: described[key] for key in ("name", "state", "place", "says")}
    return kept | {"fired": fired, "counted": counted, "remark": remark}


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
