"""An event as a store of tickets is to see it: title, text, mapped fields, marks and files. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import JsonValue

from allears_sdk.complaint import AttachedFile, Complaint, Event, EventKind
from allears_sdk.message import Role
from allears_sdk.sink import marks_of
from allears_sdk.tickets.facts import Fact, facts_of
from allears_sdk.tickets.files import FileLimits, sort_files
from allears_sdk.tickets.settings import MappingSettings, StoreValue, TextSettings, TicketSettings, chosen
from allears_sdk.tickets.templates import render
from allears_sdk.tickets.texts import Texts

Mapped = Fact | StoreValue | tuple[StoreValue, ...]
Link = Callable[[str, AttachedFile, timedelta], str]
"""(complaint's id, file, for how long) → an address that opens it, "" where there is none to give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a store takes; 0: no limit that we know of."""

    subject_chars: int = 250
    text_chars: int = 60_000
    files: FileLimits = field(default_factory=FileLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What `TicketSink.compose` makes a request of."""

    event: Event
    key: str
    """The idempotency key of this operation: of the ticket, or of the follow-up."""
    is_opening: bool
    is_public: bool
    """Of a follow-up: whether the customer's side of the ticket may show it."""
    language: str
    subject: str
    text: str
    """Plain, within the store's limit, marks included: the store's look-up finds them."""
    marks: tuple[str, ...]
    """What `find_follow_ups` looks for: a key for each message that is told here."""
    fields: dict[str, Any]
    """The store's field → value, as `fields` and `values` of the settings map them (a fact, or values of the store's);
    unmapped facts are not here. In openings `constants` too, where no mapped fact says something."""
    constants: frozenset[str]
    """Those of `fields` that are constants: in the store's own form already."""
    priority: StoreValue
    """The store's own word for P1 to P4; "" where the record has none."""
    files: tuple[AttachedFile, ...]
    """To be uploaded: they fit."""

    @property
    def record(self) -> Complaint:
        return self.event.record

    @property
    def mapped(self) -> dict[str, Any]:
        """Of `fields` the facts alone."""
        return {name: value for name, value in self.fields.items() if name not in self.constants}

    @property
    def is_customers(self) -> bool:
        """Whether a customer said something new."""
        said = [one for one in self.record.conversation if one.id in self.event.messages]
        return any(one.role is Role.CUSTOMER for one in said)


def make_view(
    event: Event,
    key: str,
    settings: TextSettings,
    limits: Limits,
    priorities: dict[str, StoreValue],
    link: Link,
) -> View:
    """`priorities`: the store's usual words for P1 to P4, which the settings' `values.priority` go before."""
    record, is_opening = event.record, event.kind is EventKind.OPENED
    mapping = settings if isinstance(settings, MappingSettings) else _UNMAPPED
    mapped = _mapped(record, mapping)
    constants = _standing(mapping.constants, mapped) if is_opening else {}
    language = settings.language if settings.language != "auto" else "zh" if record.language[:2] == "zh" else "en"
    marks = marks_of(event, key)
    sorted_files = sort_files(files_of(event), settings.files, limits.files, record.id, link)
    texts = Texts(language=language, event=event, files=sorted_files)
    text = _text(settings.text if is_opening else settings.note, texts, is_opening=is_opening)
    return View(
        event=event,
        key=key,
        is_opening=is_opening,
        is_public=isinstance(settings, TicketSettings) and settings.public_notes,
        language=language,
        subject=shorten(_subject(settings.subject, texts), limits.subject_chars),
        text=_within(text, marks if not is_opening else (key, *marks), limits.text_chars, texts),
        marks=marks,
        fields={**mapped, **constants},
        constants=frozenset(constants),
        priority=chosen({**priorities, **mapping.values.get("priority", {})}, record.priority),
        files=sorted_files.fit,
    )


def shorten(text: str, chars: int) -> str:
    """One line of at most so many characters, the end marked where it was cut."""
    line = " ".join(text.split())
    return line if not chars or len(line) <= chars else line[: chars - 1] + "…"


def files_of(event: Event) -> Sequence[AttachedFile]:
    """All at the opening; later those that came with what is new, and those that were still on their way before. The
    record may know more messages than have been told: their files come with their own events."""
    files = event.record.attachments
    if event.kind is EventKind.OPENED:
        return files if event.sequence > 1 else [file for file in files if file.message not in _untold(event)]
    before = event.changes.get("attachments", ((), ()))[0]
    there, untold = (
        {_fact(file, "sha256") for file in before},
        _untold(event) - {_fact(one, "message") for one in before},
    )
    is_changed = "attachments" in event.changes
    return [
        file
        for file in files
        if file.message in event.messages
        or (is_changed and file.sha256 and file.sha256 not in there and file.message not in untold)
    ]


def _untold(event: Event) -> set[str]:
    """What was said after the event's messages."""
    said = [one.id for one in event.record.conversation]
    last = max((place for place, id_ in enumerate(said) if id_ in event.messages), default=len(said))
    return set(said[last + 1 :])


def _fact(file: Any, name: str) -> str:
    """Changes read from the journal hold plain dicts."""
    return str(file.get(name, "") if isinstance(file, dict) else getattr(file, name))


def _subject(template: str, texts: Texts) -> str:
    record = texts.event.record
    return render(template, _names(texts)) if template else f"[{record.id}] {record.title}".strip()


def _text(template: str, texts: Texts, *, is_opening: bool) -> str:
    if template:
        return render(template, _names(texts))
    return texts.opening() if is_opening else texts.follow_up()


def _names(texts: Texts) -> dict[str, Any]:
    event = texts.event
    return {
        **facts_of(event.record),
        "language": texts.language,
        "said": texts.said(),
        "changes": texts.changes(),
        "files": texts.file_lines(),
        "facts": texts.facts(),
        "sequence": event.sequence,
        "kind": event.kind.value,
    }


def _within(text: str, marks: Sequence[str], chars: int, texts: Texts) -> str:
    """The text with its marks at the end; what does not fit is cut, and says so."""
    tail = f"\n\n[{' '.join(marks)}]"
    whole = text.rstrip() + tail
    if not chars or len(whole) <= chars:
        return whole
    room = chars - len(tail) - len(texts.cut(len(text))) - 1
    return f"{text[:room]}\n{texts.cut(len(text) - room)}{tail}"


def _mapped(record: Complaint, settings: MappingSettings) -> dict[str, Mapped]:
    facts = facts_of(record)
    made: dict[str, Mapped] = {}
    for name, target in settings.fields.items():
        fact, values = facts[name], settings.values.get(name, {})
        if isinstance(fact, tuple):
            made[target] = tuple(chosen(values, one) for one in fact)
        else:
            made[target] = chosen(values, fact) if isinstance(fact, str) else fact
    return made


def _standing(constants: Mapping[str, JsonValue], mapped: Mapping[str, Mapped]) -> dict[str, JsonValue]:
    """Those that no mapped fact goes before."""
    return {name: value for name, value in constants.items() if mapped.get(name, "") in ("", ())}


_UNMAPPED = MappingSettings(sink="")
