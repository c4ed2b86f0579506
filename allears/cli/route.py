"""`allears route`: which route matches a complaint and why each other does not, without filing anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from allears.cli.failures import Exit, Failure
from allears.cli.house import journal_of, run
from allears.cli.session import Session, configured, table, with_session

if TYPE_CHECKING:
    from allears.filing.routing import Routing, Verdict
    from allears.journal.records import ComplaintFile, Route
    from allears.settings import Configuration
    from allears.settings.routes import RouteTarget
    from allears_sdk.complaint import Complaint

_TARGET = ("team", "assignee", "destinations", "cc", "tags")
_FACTS = ("id", "title", "nature", "category", "priority", "channel")
_SHOWN_WORDS = 8


@click.command()
@click.argument("target", required=False, default="")
@click.option("--explain", is_flag=True, help="--explain")
@click.option("--channel", default="", help="--channel")
@configured
@with_session
def route(session: Session, target: str, explain: bool, channel: str) -> None:
    """Replaced by the text of the reader's language."""
    from allears.filing.destinations import routing_of

    configuration = session.configuration()
    routing = routing_of(configuration)
    if not target:
        _list(session, configuration, routing)
        return
    complaints = list(_complaints(session, configuration, target, channel))
    values = [_value(routing, record, file, explain=explain) for record, file in complaints]
    texts = [_text(session, routing, record, file, explain=explain) for record, file in complaints]
    session.emit(values[0] if len(values) == 1 else values, "\n\n".join(texts))


def _complaints(
    session: Session, configuration: Configuration, target: str, channel: str
) -> Iterator[tuple[Complaint, ComplaintFile | None]]:
    """Those of the journal with everything about them; raises Failure where there is nothing."""
    from allears_sdk.reference import normalise

    reference = normalise(target) or ""
    if reference and not Path(target).exists():
        file = run(_find(session, configuration.daemon.data_folder, reference))
        yield file.events[0].record, file
        return
    from allears.cli.route_knowledge import CompanyFiles

    files = CompanyFiles(configuration, session)
    for record in _read(session, configuration, target, channel):
        yield files.known(record), None


async def _find(session: Session, folder: Path, reference: str) -> ComplaintFile:
    async with journal_of(session, folder) as journal:
        file = await journal.complaint(reference)
    if file is None:
        raise Failure(session.say("no_such_complaint", reference=reference), Exit.NOT_FOUND)
    return file


def _read(session: Session, configuration: Configuration, target: str, channel: str) -> list[Complaint]:
    from allears_sdk.codec import convert
    from allears_sdk.complaint import Complaint

    found = _as_channel(session, configuration, target, channel) if channel else _as_file(session, target)
    return [convert(one["complaint"], Complaint) for one in found]


def _as_channel(session: Session, configuration: Configuration, target: str, channel: str) -> list[dict[str, Any]]:
    from allears.cli.channel_try import records_in
    from allears.settings.faults import hint

    settings = configuration.channels.get(channel)
    if settings is None:
        near = hint(channel, list(configuration.channels), session.language)
        raise Failure(session.say("no_such_channel", name=channel, hint=near), Exit.NOT_FOUND)
    if not Path(target).is_file():
        raise Failure(f"{target}: {session.say('no_such_path')}", Exit.NOT_FOUND)
    return records_in(session, channel, settings, Path(target), "", configuration)


def _as_file(session: Session, target: str) -> list[dict[str, Any]]:
    import json

    from allears.cli.normalise import inputs
    from allears.cli.normalising import Settled, normalise_all

    settled = Settled(channel="", region="CN", timezone="UTC", now=datetime.now(UTC))
    if target != "-" and not Path(target).exists():
        raise Failure(f"{target}: {session.say('no_such_path')}", Exit.NOT_FOUND)
    lines, failed = normalise_all(inputs([target], session), settled)
    found: list[dict[str, Any]] = [json.loads(line) for line in lines.splitlines()]
    if failed or not found:
        wrong = next((f"{one['source']}: {one['error']}" for one in found if "error" in one), target)
        raise Failure(wrong, Exit.FAULTS)
    return found


# What is said


def _list(session: Session, configuration: Configuration, routing: Routing) -> None:
    shadowed = routing.shadowed()
    listed = [
        {"name": one.name, "conditions": {key: list(words) for key, words in one.conditions.items()}, **_shares(one)}
        for one in configuration.routes
    ]
    default = configuration.routing.default
    usual = routing.usual
    value = {
        "match": routing.match,
        "routes": listed,
        "default": _shares(default) if default else {},
        "destinations": list(usual),
        "shadowed": [asdict(one) for one in shadowed],
    }
    if not listed:
        session.emit(value, session.say("route_none", destinations=session.say("comma").join(usual) or "-"))
        return
    rows = [
        (one.name, _conditions(one.conditions, session), _shared(_shares(one), session)) for one in configuration.routes
    ]
    rows.append((session.say("route_default"), "", _shared(_shares(default), session) if default else ""))
    warnings = [session.say("warning", text=session.say("route_shadowed", **asdict(one))) for one in shadowed]
    session.emit(value, session.say(f"route_{routing.match}"), table(("", "", ""), rows).lstrip(), *warnings)


def _shares(target: RouteTarget) -> dict[str, Any]:
    """What it says, without what it leaves open."""
    found = {name: getattr(target, name) for name in _TARGET}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items() if value}


def _value(routing: Routing, record: Complaint, file: ComplaintFile | None, *, explain: bool) -> dict[str, Any]:
    decision, verdicts = routing.explain(record)
    found: dict[str, Any] = {
        "id": record.id,
        "match": routing.match,
        "decision": {**_decision(decision), "routes": list(decision.routes)},
    }
    if explain:
        found["routes"] = [asdict(one) for one in verdicts]
    if file is not None:
        found["kept"] = _kept(file)
    return found


def _decision(decision: Route) -> dict[str, Any]:
    return {
        "team": decision.team,
        "assignee": decision.assignee,
        "destinations": [one.name for one in decision.destinations],
        "cc": list(decision.cc),
        "tags": list(decision.tags),
    }


def _kept(file: ComplaintFile) -> dict[str, Any]:
    """What was decided when it was opened, and since."""
    record = file.record
    sent = list(dict.fromkeys(one.destination for one in file.deliveries))
    return {"team": record.team, "assignee": record.assignee, "handler": record.handler, "destinations": sent}


def _text(session: Session, routing: Routing, record: Complaint, file: ComplaintFile | None, *, explain: bool) -> str:
    decision, verdicts = routing.explain(record)
    nothing = session.say("route_nothing")
    facts = {
        name: getattr(record, name) or nothing for name in ("id", "title", "nature", "category", "priority", "channel")
    }
    lines = [session.say("route_facts", **facts)]
    if explain:
        lines += ["", session.say(f"route_{routing.match}"), *_verdicts(session, verdicts)]
    lines += ["", *_decided(session, decision)]
    if file is not None:
        kept = {name: value or "-" for name, value in _kept(file).items()}
        kept["destinations"] = session.say("comma").join(kept["destinations"]) if kept["destinations"] != "-" else "-"
        lines += ["", session.say("route_kept", **kept)]
    return "\n".join(lines)


def _verdicts(session: Session, verdicts: Sequence[Verdict]) -> Iterator[str]:
    first = next((one.name for one in verdicts if one.applies), "")
    for one in verdicts:
        key = "route_matches" if one.applies else "route_late" if one.matches else "route_not"
        yield session.say(key, name=one.name, first=first)
        if not one.answers:
            yield f"    {session.say('route_always')}"
        for answer in one.answers:
            found = session.say("comma").join(answer.found) or session.say("route_nothing")
            met, wanted = (_words(session, words) for words in (answer.met, answer.wanted))
            said = "route_met" if answer.met else "route_unmet"
            yield f"    {session.say(said, field=answer.field, found=found, met=met, wanted=wanted)}"
    if not first:
        yield session.say("route_no_default")


def _decided(session: Session, decision: Route) -> Iterator[str]:
    named = {**_decision(decision), "by": list(decision.routes)}
    for name, value in named.items():
        if value:
            words = session.say("comma").join(value) if isinstance(value, list) else value
            yield f"→ {session.say(f'route_{name}')}: {words}"


def _conditions(conditions: Mapping[str, Sequence[str]], session: Session) -> str:
    if not conditions:
        return session.say("route_always")
    return "; ".join(f"{field}: {_words(session, wanted)}" for field, wanted in conditions.items())


def _shared(found: Mapping[str, Any], session: Session) -> str:
    parts = (
        f"{session.say(f'route_{name}')}: {_words(session, value) if isinstance(value, list) else value}"
        for name, value in found.items()
    )
    return "→ " + "; ".join(parts)


def _words(session: Session, words: Sequence[str]) -> str:
    """A few of them, or how many."""
    if len(words) > _SHOWN_WORDS:
        return session.say("route_more", count=len(words))
    return session.say("comma").join(words)
