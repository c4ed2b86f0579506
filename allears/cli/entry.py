"""The root command: global options, families of commands, errors as one line."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from allears.cli.failures import Exit, Failure
from allears.cli.family import Family, language_of, translate
from allears.cli.session import Session, configured
from allears.cli.texts import TEXTS, say

_COMMANDS = {
    "init": "allears.cli.init:init",
    "check": "allears.cli.check:check",
    "run": "allears.cli.run:run",
    "status": "allears.cli.status:status",
    "channels": "allears.cli.channels:channels",
    "sinks": "allears.cli.sinks:sinks",
    "letters": "allears.cli.letters:letters",
    "backup": "allears.cli.backup:backup",
    "restore": "allears.cli.backup:restore",
    "forget": "allears.cli.forget:forget",
    "rules": "allears.cli.rules:rules",
    "rederive": "allears.cli.rederive:rederive",
    "normalise": "allears.cli.normalise:normalise",
    "model": "allears.cli.model:model",
    "route": "allears.cli.route:route",
    "schema": "allears.cli.schema:schema",
    "new-connector": "allears.cli.new_connector:new_connector",
}


class Root(Family):
    """Commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        if ctx.find_object(Session):
            translate(command, ctx, language_of(ctx), cmd_name)
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        with self.context_class(self, info_name=info_name, parent=parent, **{**self.context_settings, **extra}) as bare:
            translate(self, bare, language_of(bare))
        return super().make_context(info_name, args, parent, **extra)

    def main(self, args: Sequence[str] | None = None, *pargs: Any, **extra: Any) -> Any:
        import sys

        arguments = list(sys.argv[1:] if args is None else args)
        language, explicit = _language(arguments)
        extra.setdefault("prog_name", "allears")
        extra["obj"] = Session(language=language, explicit_language=explicit)
        return super().main(arguments, *pargs, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        session = ctx.find_object(Session)
        assert session is not None, "made in main"
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            ctx.exit(Exit.INTERRUPTED)
        except BrokenPipeError:
            _silence_stdout()
            ctx.exit(Exit.OK)
        except Exception as error:
            if session.debug:
                raise
            ctx.exit(_report(session, error))


def _language(arguments: Sequence[str]) -> tuple[str, bool]:
    """From --language, else ALLEARS_LANGUAGE, else LANG; and whether somebody asked for it by option."""
    for at, argument in enumerate(arguments):
        value = argument.partition("=")[2] if argument.startswith("--language=") else ""
        if argument == "--language" and at + 1 < len(arguments):
            value = arguments[at + 1]
        if value in TEXTS:
            return value, True
    names = ("ALLEARS_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    found = next(filter(None, map(os.environ.get, names)), "")
    return "zh" if found.lower().startswith("zh") else "en", False


def _report(session: Session, error: Exception) -> int:
    """One line on stderr; with --json a document on stdout too. Returns the exit code."""
    code, message, more = _understand(session, error)
    if session.as_json:
        click.echo(json.dumps({"error": message, "code": int(code), **more}, ensure_ascii=False, indent=2))
    click.echo(say(session.language, "error", message=message), err=True)
    return int(code)


def _understand(session: Session, error: Exception) -> tuple[Exit, str, dict[str, Any]]:
    from allears.cli.troubles import of_journal, of_system
    from allears_sdk.errors import AllearsError, ConfigError

    if isinstance(error, ConfigError):
        faults = getattr(error, "faults", ())
        listed = [{"place": fault.place, "line": fault.line, "message": fault.message} for fault in faults]
        return Exit.CONFIG, str(error), {"faults": listed} if listed else {}
    if isinstance(error, Failure):
        return error.code, str(error), {}
    if message := of_journal(session, error):
        return Exit.JOURNAL, message, {}
    if isinstance(error, AllearsError):
        return Exit.FAULTS, str(error), {}
    if isinstance(error, OSError):
        return *of_system(session, error), {}
    return Exit.FAULTS, say(session.language, "unexpected", reason=f"{type(error).__name__}: {error}"), {}


def _silence_stdout() -> None:
    """The reader has gone; keep the interpreter from complaining about it at exit."""
    import sys

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"allears {version('allears')}")
        context.exit()


@click.group(cls=Root, context_settings={"help_option_names": ["--help", "-h"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="--version")
@configured
def cli() -> None:
    """Replaced by the text of the reader's language."""
