"""Groups of commands, with help in the reader's language."""

from __future__ import annotations

import click

from allears.cli.session import Session
from allears.cli.texts import help_of, say


class Family(click.Group):
    """Its commands stand in the order they are written in."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A mistyped command is answered with the nearest one."""
        name = args[0]
        known = self.list_commands(ctx)
        if name not in known and not name.startswith("-"):
            from allears.settings.faults import hint

            language = language_of(ctx)
            raise click.UsageError(say(language, "no_such_command", name=name, hint=hint(name, known, language)), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        language = language_of(ctx)
        path = ctx.command_path.split()[1:]
        with formatter.section(say(language, "commands")):
            formatter.write_dl(
                [
                    (name, help_of(language, " ".join([*path, name])).partition("\n")[0])
                    for name in self.list_commands(ctx)
                ]
            )


def language_of(context: click.Context) -> str:
    session = context.find_object(Session)
    return session.language if session else "en"


def translate(command: click.Command, context: click.Context, language: str, path: str = "") -> None:
    """Put the reader's words into a command and all below it. Help texts are looked up by the command's path; options'
    by path and name, else by name."""
    command.help = help_of(language, path)
    own = command.get_help_option(context)
    for parameter in (*command.params, *([own] if own else [])):
        if isinstance(parameter, click.Option):
            long = next((name for name in parameter.opts if name.startswith("--")), parameter.opts[-1])
            parameter.help = help_of(language, f"{path} {long}".strip(), long)
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            translate(child, context, language, f"{path} {name}".strip())
