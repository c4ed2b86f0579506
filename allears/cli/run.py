"""`allears run`: the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from allears.cli.failures import Exit
from allears.cli.session import Session, configured, with_session

if TYPE_CHECKING:
    from allears.settings import Configuration


@click.command()
@configured
@with_session
def run(session: Session) -> None:
    """Replaced by the text of the reader's language."""
    from importlib.metadata import version

    configuration = session.configuration()
    source = configuration.source or session.say("built_in")
    session.note(session.say("starting", version=version("allears"), source=source))
    for text in addresses(configuration, session):
        click.echo(text)
    raise click.exceptions.Exit(_serve(configuration))


def addresses(configuration: Configuration, session: Session) -> list[str]:
    """Where a person finds the console, and every form."""
    found = [session.say("console_at", url=_url(configuration.admin.host, configuration.admin.port, session))]
    public = configuration.public
    base = public.base_url.rstrip("/") or _url(public.host, public.port, session, secure=bool(public.tls_key))
    forms = [name for name, channel in configuration.enabled_channels.items() if channel.connector == "form"]
    return found + [session.say("form_at", url=f"{base}/in/{name}") for name in forms]


def _url(host: str, port: int, session: Session, *, secure: bool = False) -> str:
    if not port:
        return session.say("free_port")
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - read, not bound
    return f"{'https' if secure else 'http'}://{host}:{port}"


def _serve(configuration: Configuration) -> int:
    import asyncio
    import sys

    from allears.daemon import run as serve

    try:
        if sys.platform == "win32":
            return int(asyncio.run(serve(configuration)))
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return int(runner.run(serve(configuration)))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
