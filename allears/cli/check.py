"""`allears check`: validate the file, log in everywhere."""

from __future__ import annotations

import click

from allears.cli.failures import Exit
from allears.cli.house import run
from allears.cli.logins import TIMEOUT_SECONDS, as_rows, as_table, log_in, log_in_to_model, selected
from allears.cli.rules import try_own_rules
from allears.cli.session import Session, configured, with_session


@click.command()
@click.option("--timeout-seconds", type=click.FloatRange(min=0.1), default=TIMEOUT_SECONDS, help="--timeout-seconds")
@configured
@with_session
def check(session: Session, timeout_seconds: float) -> None:
    """Replaced by the text of the reader's language."""
    from allears.cli.route_knowledge import CompanyFiles
    from allears.settings import describe

    configuration = session.configuration()
    try_own_rules(session, configuration)
    files = CompanyFiles(configuration, session)
    unread = files.faults()
    warnings = [describe(fault, session.language) for fault in configuration.warnings]
    warnings += [*unread, *files.doubts()]
    doors = [*selected(configuration, "channels"), *selected(configuration, "destinations")]
    logins = run(log_in(configuration, doors, session, timeout_seconds))
    logins += run(log_in_to_model(configuration.model, session, timeout_seconds))
    failed = sum(login.result == "failed" for login in logins) + len(unread)
    tried = sum(login.result != "skipped" for login in logins) + len(unread)
    source = str(configuration.source or session.say("built_in"))
    summary = session.say("check_failed" if failed else "check_ok", failed=failed, count=tried)
    session.emit(
        {"ok": not failed, "source": source, "warnings": warnings, "checked": as_rows(logins)},
        session.say("using", source=source),
        *(session.say("warning", text=text) for text in warnings),
        as_table(logins, session),
        summary,
    )
    if failed:
        raise click.exceptions.Exit(Exit.FAULTS)
