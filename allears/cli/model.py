"""`allears model`: try."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from allears.cli.failures import Exit, Failure
from allears.cli.family import Family
from allears.cli.house import quiet, run
from allears.cli.session import Session, configured, table, with_session

if TYPE_CHECKING:
    from allears.cli.model_trial import Trial
    from allears.settings.model_section import ModelSection
    from normalizer.conversation import Draft


@click.group(cls=Family)
@configured
def model() -> None:
    """Replaced by the text of the reader's language."""


@model.command("try")
@click.argument("text")
@click.option("--all", "is_all", is_flag=True, help="--all")
@configured
@with_session
def try_(session: Session, text: str, is_all: bool) -> None:
    from allears.filing.model_step_question import question_about

    section = session.configuration().model
    if not section.is_complete:
        raise Failure(session.say("model_incomplete"), Exit.CONFIG)
    draft, public = _draft(session, text)
    question = question_about(draft, section, public=public, always=is_all)
    if question is None:
        session.emit({"asked": False}, session.say("model_closed"))
        return
    trial = run(_ask(question))
    session.emit({"asked": True, **asdict(trial)}, *_lines(session, section, trial))


async def _ask(question: Any) -> Trial:
    from allears.cli.model_trial import ask
    from allears_sdk.errors import AllearsError
    from allears_sdk.masking import KINDS, mask_text

    with quiet():
        try:
            return await ask(question)
        except AllearsError as error:
            told = f"{error} ({error.detail})" if error.detail else str(error)
            raise Failure(mask_text(told, KINDS), Exit.FAULTS) from None


def _draft(session: Session, given: str) -> tuple[Draft, bool]:
    """The rules' reading of it, and whether everybody reads along."""
    from allears.cli.model_trial import as_draft, draft_of
    from allears_sdk import codec
    from allears_sdk.complaint import Complaint

    path = Path(given)
    if given == "-":
        return draft_of(sys.stdin.read()), False
    if len(given) > 255 or "\n" in given or not path.is_file():
        return draft_of(given), False
    if path.suffix.lower() not in (".eml", ".msg", ".json"):
        return draft_of(path.read_text(encoding="utf-8-sig", errors="replace")), False
    found = _normalised(session, path)
    public = found["message"].get("visibility") == "public"
    return as_draft(codec.convert(found["complaint"], Complaint), public=public), public


def _normalised(session: Session, path: Path) -> dict[str, Any]:
    """As `allears normalise` shows it."""
    from allears.cli.normalise import inputs
    from allears.cli.normalising import Settled, normalise_all
    from allears_sdk import codec

    settled = Settled(channel="model", region="CN", timezone="UTC", now=datetime.now(UTC))
    lines, _ = normalise_all(list(inputs([str(path)], session))[:1], settled)
    found = codec.decode(lines, dict[str, Any])
    if "error" in found:
        raise Failure(found["error"], Exit.FAULTS)
    return found


def _lines(session: Session, section: ModelSection, trial: Trial) -> list[str]:
    from allears.cli.model_trial import place_of

    sent = session.say("model_sent", place=place_of(section), model=section.model, seconds=trial.seconds)
    header = [session.say(key) for key in ("model_field", "model_rules", "model_says", "model_words")]
    lines = [sent, "", trial.text, "", table(header, [_row(session, trial, name) for name in trial.fields])]
    if trial.ignored:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(trial.ignored.items()))
        lines.append(session.say("model_ignored", reasons=reasons))
    return lines


def _row(session: Session, trial: Trial, name: str) -> Sequence[str]:
    said = trial.answer.get(name)
    if said is None:
        return (name, _plainly(trial.rules[name]), "-", "")
    words = " … ".join(said["quotes"]) if said["taken"] else session.say("model_not_taken")
    return (name, _plainly(trial.rules[name]), _plainly(said["value"]), words)


def _plainly(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value) or "-"
