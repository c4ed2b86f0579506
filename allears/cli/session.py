"""What all commands share: language, configuration file, and where output goes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from allears.cli.texts import say

if TYPE_CHECKING:
    from allears.settings import Configuration

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(slots=True)
class Session:
    """One invocation. stdout carries results only; everything else goes to stderr."""

    language: str
    explicit_language: bool = False
    config: Path | None = None
    as_json: bool = False
    debug: bool = False
    progress: bool | None = None
    data_folder: Path | None = None
    """Where the command works, once that is known; for messages."""

    def configuration(self) -> Configuration:
        """The file in use; InvalidConfiguration ends the command with code 3."""
        from allears import settings

        configuration = settings.load(self.config, language=self.language if self.explicit_language else "")
        self._adopt(configuration)
        return configuration

    def glance(self) -> Configuration:
        """For what needs only the journal: faults in the file are told in a warning, and do not stop it."""
        from allears import settings

        configuration = settings.glance(self.config, language=self.language if self.explicit_language else "")
        self._adopt(configuration)
        if configuration.faults:
            source = configuration.source or "ALLEARS_*"
            facts = {"source": source, "count": len(configuration.faults), "folder": self.data_folder}
            self.note(self.say("warning", text=self.say("glanced", **facts)))
        return configuration

    def _adopt(self, configuration: Configuration) -> None:
        self.data_folder = configuration.daemon.data_folder
        if not self.explicit_language:
            self.language = configuration.daemon.language

    def say(self, key: str, **facts: object) -> str:
        return say(self.language, key, **facts)

    def emit(self, value: Any, *texts: str) -> None:
        """The result: `value` as one JSON document with --json, else the lines for people."""
        if self.as_json:
            click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))
            return
        for text in texts:
            click.echo(text)

    def emit_json(self, value: Any) -> None:
        """A result that is JSON for people too."""
        click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))

    def note(self, text: str) -> None:
        """A remark for people, on stderr."""
        click.echo(text, err=True)

    @property
    def shows_progress(self) -> bool:
        return sys.stderr.isatty() if self.progress is None else self.progress


def _plain(value: Any) -> str:
    return rfc3339(value) if isinstance(value, datetime) else str(value)


def rfc3339(moment: datetime) -> str:
    """As JSON has it: 2026-03-01T08:30:00Z."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def shown(moment: datetime | None) -> str:
    """As every table has it: 2026-03-01 08:30:00Z."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}" if moment else "-"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns that line up, Chinese characters counted as two."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _width(text: str) -> int:
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def common(function: Callable[P, R]) -> Callable[P, R]:
    """--json, --language and --debug, after the command's name as well as before it."""
    options = (
        click.option("--json", "as_json", is_flag=True, expose_value=False, callback=_set_flag, help="--json"),
        click.option(
            "--language",
            type=click.Choice(["zh", "en"]),
            expose_value=False,
            callback=_set_language,
            help="--language",
        ),
        click.option("--debug", is_flag=True, expose_value=False, callback=_set_flag, help="--debug"),
    )
    for option in reversed(options):
        function = option(function)
    return function


def configured(function: Callable[P, R]) -> Callable[P, R]:
    """`common`, and --config."""
    option = click.option(
        "--config",
        "-c",
        type=click.Path(dir_okay=False, path_type=Path),
        expose_value=False,
        callback=_set_config,
        help="--config",
    )
    return common(option(function))


def progressing(function: Callable[P, R]) -> Callable[P, R]:
    """--progress for long work; by default only where stderr is a terminal."""
    option = click.option(
        "--progress/--no-progress", default=None, expose_value=False, callback=_set_progress, help="--progress"
    )
    return option(function)


def with_session(function: Callable[..., R]) -> Callable[..., R]:
    """The session as the first argument."""

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> R:
        return function(click.get_current_context().find_object(Session), *arguments, **options)

    return call


def _set_flag(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        setattr(_session(context), parameter.name or "", True)


def _set_language(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value:
        session = _session(context)
        session.language = value
        session.explicit_language = True


def _set_config(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    if value:
        _session(context).config = value


def _set_progress(context: click.Context, parameter: click.Parameter, value: bool | None) -> None:
    if value is not None:
        _session(context).progress = value


def _session(context: click.Context) -> Session:
    session = context.find_object(Session)
    assert session is not None, "the root command makes it"
    return session
