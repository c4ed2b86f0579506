"""`allears sinks`: list, test."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from allears.cli.channels import no_such, test_section
from allears.cli.failures import Exit
from allears.cli.family import Family
from allears.cli.house import contexts_of, has_journal, journal_of, run
from allears.cli.logins import component_of, with_component
from allears.cli.session import Session, configured, with_session
from allears.cli.status import destination_rows, destination_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allears.settings import Configuration
    from allears_sdk.complaint import Event
    from allears_sdk.sink import Ticket


@click.group(cls=Family)
@configured
def sinks() -> None:
    """Replaced by the text of the reader's language."""


@sinks.command("list")
@configured
@with_session
def list_(session: Session) -> None:
    configuration = session.glance()
    rows = run(_rows(session, configuration))
    session.emit(rows, destination_table(session, rows))


@sinks.command("test")
@click.argument("name", required=False)
@click.option("--send", is_flag=True, help="--send")
@configured
@with_session
def test_(session: Session, name: str | None, send: bool) -> None:
    if not send:
        test_section(session, "destinations", name)
        return
    configuration = session.configuration()
    enabled = configuration.enabled_destinations
    if name is not None and name not in enabled:
        raise no_such(session, "destinations", name, list(enabled))
    tickets = run(_send(configuration, [name] if name else list(enabled)))
    lines = [
        session.say("sent_sample", ticket=f"{one}: {ticket.id} {ticket.url}".rstrip())
        if not isinstance(ticket, Exception)
        else session.say("error", message=f"{one}: {ticket}")
        for one, ticket in tickets.items()
    ]
    session.emit([_described(one, ticket) for one, ticket in tickets.items()], *lines)
    if any(isinstance(ticket, Exception) for ticket in tickets.values()):
        raise click.exceptions.Exit(Exit.FAULTS)


def _described(name: str, ticket: Ticket | Exception) -> dict[str, str]:
    if isinstance(ticket, Exception):
        return {"name": name, "result": "failed", "reason": str(ticket)}
    return {"name": name, "result": "ok", "ticket": ticket.id, "url": ticket.url}


async def _rows(session: Session, configuration: Configuration) -> list[dict[str, Any]]:
    if not has_journal(configuration.daemon.data_folder):
        return await destination_rows(configuration, None)
    async with journal_of(session, configuration.daemon.data_folder) as journal:
        return await destination_rows(configuration, journal)


async def _send(configuration: Configuration, names: list[str]) -> dict[str, Ticket | Exception]:
    """One sample to each destination, one after the other."""
    found: dict[str, Ticket | Exception] = {}
    async with contexts_of(configuration.daemon.data_folder) as (contexts, _):
        for name in names:
            settings = configuration.destinations[name]
            sink = component_of("destinations", name, settings, contexts)
            found[name] = await _open(sink, name, configuration.daemon.language)
    return found


async def _open(sink: Any, name: str, language: str) -> Ticket | Exception:
    from allears_sdk.errors import AllearsError
    from allears_sdk.masking import mask_payload
    from allears_sdk.reference import ticket_key
    from allears_sdk.sink import Progress

    event = sample(datetime.now(UTC), language)
    key = ticket_key(event.complaint_id, name)

    async def send() -> Ticket:
        payload = mask_payload(sink.render(event, key), sink.settings.mask)
        ticket: Ticket = await sink.open(payload, key, Progress(note={}, save=_forget))
        return ticket

    try:
        opened: Ticket = await with_component(sink, send)
    except AllearsError as error:
        return error
    return opened


async def _forget(note: Mapping[str, Any]) -> None:
    """A sample that fails half-way is not taken up again."""


def sample(now: datetime, language: str) -> Event:
    """A complaint that says in every field people look at that it is a test."""
    from allears_sdk.complaint import Complaint, Contact, Event, EventKind, Provenance
    from allears_sdk.reference import event_id, reference, seed

    reference_ = reference(seed("sinks test", now.isoformat()))
    title = "【测试】allears 连接测试，请忽略" if language == "zh" else "[TEST] allears connection test, please ignore"
    record = Complaint(
        id=reference_,
        title=title,
        nature="complaint",
        customer_id="allears-test",
        contact=Contact(name="allears"),
        channel="allears-test",
        connector="test",
        received_at=now,
        category="other",
        description=title,
        priority="P4",
        expectation=("none",),
        language=language,
        tags=("test",),
        provenance={"title": Provenance(source="admin")},
    )
    return Event(
        id=event_id(reference_, "test"),
        complaint_id=reference_,
        sequence=1,
        kind=EventKind.OPENED,
        at=now,
        record=record,
    )
