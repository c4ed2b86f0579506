"""`allears init`: a commented configuration file to start from."""

from __future__ import annotations

import os
from pathlib import Path

import click

from allears.cli.failures import Exit, Failure
from allears.cli.session import Session, configured, with_session


@click.command()
@click.option("--channel", "channels", multiple=True, metavar="KIND", help="--channel")
@click.option("--sink", "sinks", multiple=True, metavar="KIND", help="--sink")
@configured
@with_session
def init(session: Session, channels: tuple[str, ...], sinks: tuple[str, ...]) -> None:
    """Replaced by the text of the reader's language."""
    from allears.settings.example import example

    _check_kinds(session, "connector", channels)
    _check_kinds(session, "sink", sinks)
    path = session.config or Path(os.environ.get("ALLEARS_CONFIG") or "allears.toml")
    text = example(connectors=channels, sinks=sinks, language=session.language)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Failure(session.say("exists", path=path), Exit.USAGE) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    session.emit({"written": str(path)}, session.say("written", path=path))


def _check_kinds(session: Session, word: str, wanted: tuple[str, ...]) -> None:
    from difflib import get_close_matches

    from allears.settings.faults import say
    from allears_sdk import registry

    kinds = registry.kinds(registry.CONNECTORS if word == "connector" else registry.SINKS)
    for name in wanted:
        if name not in kinds:
            close = get_close_matches(name, kinds, n=1)
            hint = say(session.language, "did_you_mean", word=close[0]) if close else ""
            message = session.say(f"no_such_{word}", name=name, hint=hint, kinds=", ".join(kinds))
            raise Failure(message, Exit.USAGE)
