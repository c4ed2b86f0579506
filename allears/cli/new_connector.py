"""`allears new-connector NAME`: a connector that passes its tests, to be made into the one that is wanted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from allears.cli.failures import Exit, Failure
from allears.cli.session import Session, common, with_session

if TYPE_CHECKING:
    from allears.scaffold.newborn import Newborn
    from allears.scaffold.places import Plan

_HOUSE = ("allears", "allears_sdk", "connectors", "normalizer", "sink", "tests", "docs")


@click.command("new-connector")
@click.argument("name", metavar="NAME")
@click.option("--poll", "hearing", flag_value="poll", default="poll", help="--poll")
@click.option("--listen", "hearing", flag_value="listen", help="--listen")
@click.option("--receive", "hearing", flag_value="receive", help="--receive")
@click.option("--item", "is_chat", flag_value=False, type=bool, default=False, help="--item")
@click.option("--chat", "is_chat", flag_value=True, type=bool, help="--chat")
@click.option("--title-en", default="", metavar="TITLE", help="--title-en")
@click.option("--title-zh", default="", metavar="TITLE", help="--title-zh")
@click.option("--package", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="--package")
@common
@with_session
def new_connector(
    session: Session, name: str, hearing: str, is_chat: bool, title_en: str, title_zh: str, package: Path | None
) -> None:
    """Replaced by the text of the reader's language."""
    from allears.scaffold.newborn import Newborn
    from allears.scaffold.places import Exists

    english = title_en or name.replace("_", " ").capitalize()
    newborn = Newborn(
        kind=name, hearing=hearing, is_chat=is_chat, title_en=english, title_zh=title_zh or title_en or english
    )
    _check_words(session, newborn, alone=package is not None)
    plan = _plan(session, newborn, package)
    try:
        plan.carry_out()
    except Exists as error:
        raise Failure(session.say("is_there", path=error.path), Exit.USAGE) from None
    _tell(session, newborn, plan, alone=package is not None)


def _check_words(session: Session, newborn: Newborn, *, alone: bool) -> None:
    from allears.scaffold.newborn import MAX_KIND_CHARS, MAX_TITLE_CHARS, is_kind, is_title
    from allears_sdk import registry

    kind = newborn.kind
    if not is_kind(kind):
        raise Failure(session.say("bad_kind", name=kind, limit=MAX_KIND_CHARS), Exit.USAGE)
    if kind in registry.kinds(registry.CONNECTORS):
        raise Failure(session.say("kind_taken", name=kind), Exit.USAGE)
    if alone and (kind in _HOUSE or kind in sys.stdlib_module_names):
        raise Failure(session.say("module_taken", name=kind), Exit.USAGE)
    for title in (newborn.title_en, newborn.title_zh):
        if not is_title(title):
            raise Failure(session.say("bad_title", title=title, limit=MAX_TITLE_CHARS), Exit.USAGE)


def _plan(session: Session, newborn: Newborn, package: Path | None) -> Plan:
    from allears.scaffold.places import NotThere, find_checkout, into_checkout, into_package

    if package is not None:
        return into_package(newborn, package.absolute())
    root = find_checkout(Path.cwd())
    if root is None:
        raise Failure(session.say("no_checkout", name=newborn.kind), Exit.USAGE)
    try:
        return into_checkout(newborn, root)
    except NotThere as error:
        raise Failure(session.say("no_place", path=error.path)) from None


def _tell(session: Session, newborn: Newborn, plan: Plan, *, alone: bool) -> None:
    steps = (
        ["python -m pip install -e '.[test,dev]'", "python -m pytest", "mypy"]
        if alone
        else ["make generate", "make check test"]
    )
    session.emit(
        {
            "kind": newborn.kind,
            "folder": str(plan.root),
            "written": sorted(plan.new),
            "changed": sorted(plan.changed),
            "next": steps,
        },
        session.say("born", kind=newborn.kind, folder=plan.root),
        *(f"  {path}" for path in sorted(plan.new)),
        *([session.say("changed_too", files=", ".join(sorted(plan.changed)))] if plan.changed else []),
        session.say("born_next", steps=" && ".join(steps)),
    )
