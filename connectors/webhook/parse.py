"""A stored request → messages, by the channel's mapping. Pure: runs in a worker, and again on a replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role, Visibility
from connectors.webhook.body import decode_body
from connectors.webhook.mapping import MapSettings
from connectors.webhook.paths import find, steps
from connectors.webhook.settings import WebhookSettings
from connectors.webhook.values import as_rating, as_text, as_time, joined

MAX_FILES = 100
CONTENT_TYPE = "content_type"
"""Key of a raw's context: the request's own, where the raw has another."""
ANY = "*"
T = TypeVar("T")
E = TypeVar("E", Kind, Role)


def parse_request(raw: Raw, settings: WebhookSettings) -> Sequence[Message]:
    """One message for each item that is wanted. Raises BadMessage naming the path."""
    mapping = settings.map
    try:
        body = decode_body(raw.body, raw.context.get(CONTENT_TYPE, raw.media_type), mapping.json_fields)
        items = [one for one, _ in cut(body, mapping) if is_wanted(mapping, body, one)]
        messages = [read_item(settings, body, item, raw.received_at) for item in items]
    except ValueError as error:
        raise BadMessage(f"request {raw.key}: {error}") from None
    return [_settled(message, raw, at, len(messages)) for at, message in enumerate(messages)]


def cut(body: Any, mapping: MapSettings) -> Iterator[tuple[Any, Any]]:
    """Each item, and the body as it would be with this item alone. Without `items` the body is the item."""
    if mapping.items is None:
        return iter(((body, body),))
    return _cut(body, steps(mapping.items))


def is_wanted(mapping: MapSettings, body: Any, item: Any) -> bool:
    """Raises ValueError."""
    return all(_has_one(allowed, find(path, body, item)) for path, allowed in mapping.only.items())


def read_item(settings: WebhookSettings, body: Any, item: Any, received_at: datetime) -> Message:
    """Raises ValueError naming the setting that found something unfit."""
    look = _Look(settings.map, body, item)
    kind = _meaning(settings.map.kinds, look.text("kind"), Kind.SAID)
    attachments = tuple(_attachments(look, received_at, settings.files.expire_minutes))
    text, rating = _said(look), look.read("rating", lambda value: _rating(settings.map, value))
    if not (text or rating or attachments or kind is Kind.WITHDRAWN):
        raise ValueError("nothing where text should be: is map.text right?")
    return Message(
        text=text,
        external_id=look.text("id", ":"),
        revision=look.text("revision"),
        kind=kind,
        thread=tuple(filter(None, (look.text("thread", ":"),))),
        author=_author(look),
        posted_at=look.read("posted_at", lambda value: as_time(value, settings.map.time_format, settings.timezone)),
        subject=look.text("subject"),
        attachments=attachments,
        rating=rating,
        product=look.text("product"),
        order=look.text("order"),
        permalink=look.text("permalink"),
        language=look.text("language"),
        visibility=Visibility(settings.visibility),
        is_complaint=settings.is_complaint,
    )


def item_id(mapping: MapSettings, body: Any, item: Any) -> str:
    """ "" where none is mapped or found. Raises ValueError."""
    return _Look(mapping, body, item).text("id", ":")


class _Look:
    """One item, looked at by the mapping's names."""

    def __init__(self, mapping: MapSettings, body: Any, item: Any) -> None:
        self.mapping = mapping
        self._body = body
        self._item = item

    def all(self, name: str) -> list[Any]:
        paths = getattr(self.mapping, name)
        if paths is None:
            return []
        return [value for path in _listed(paths) for value in find(path, self._body, self._item)]

    def text(self, name: str, separator: str = " ") -> str:
        return joined(self.all(name), separator) or self.constant(name)

    def constant(self, name: str) -> str:
        return {str(key): value for key, value in self.mapping.constants.items()}.get(name, "")

    def read(self, name: str, read: Callable[[Any], T]) -> T | None:
        found = [value for value in self.all(name) if as_text(value)]
        try:
            return read(found[0]) if found else None
        except (ValueError, OverflowError) as error:
            raise ValueError(f"map.{name}: {_brief(error)}") from None

    def labelled(self, paths: dict[str, str]) -> str:
        found = ((label, joined(find(path, self._body, self._item), ", ")) for label, path in paths.items())
        return "\n".join(f"{label}: {value}" for label, value in found if value)


def _has_one(allowed: tuple[str, ...], found: list[Any]) -> bool:
    """Nothing counts as "": so an absence can be allowed."""
    return any(as_text(value) in allowed for value in found or [""])


def _meaning(table: Mapping[str, E], word: str, default: E) -> E:
    """What a word of theirs means; `*` stands for all that are not listed."""
    return (table.get(word) or table.get(ANY) or default) if word else default


def _said(look: _Look) -> str:
    paths = look.mapping.text
    return (look.labelled(paths) if isinstance(paths, dict) else look.text("text", "\n")) or look.constant("text")


def _author(look: _Look) -> Author:
    email, phone = look.text("author_email").lower(), look.text("author_phone")
    role = _meaning(look.mapping.roles, ", ".join(map(as_text, look.all("role"))), _role(look.constant("role")))
    return Author(
        role=role,
        id=look.text("author_id") or email or phone,
        name=look.text("author_name"),
        handle=look.text("author_handle"),
        email=email,
        phone=phone,
        level=look.text("author_level"),
    )


def _role(word: str) -> Role:
    return Role(word) if word else Role.CUSTOMER


def _rating(mapping: MapSettings, value: Any) -> Any:
    return as_rating(value, mapping.best_rating, mapping.worst_rating)


def _attachments(look: _Look, received_at: datetime, expire_minutes: float) -> Iterator[Attachment]:
    before = received_at + timedelta(minutes=expire_minutes) if expire_minutes else None
    for file in list(_flat(look.all("files")))[:MAX_FILES]:
        inner = _Look(look.mapping, file, file)
        url = as_text(file) if isinstance(file, str) else inner.text("file_url")
        name = "" if isinstance(file, str) else inner.text("file_name")
        media_type = "" if isinstance(file, str) else inner.text("file_media_type")
        if url:
            yield _attachment(url, name, media_type, before)


def _attachment(url: str, name: str, media_type: str, before: datetime | None) -> Attachment:
    is_web = url.startswith(("https://", "http://"))
    return Attachment(
        name=name or (_last(url) if is_web else url[:200]),
        media_type=media_type or "application/octet-stream",
        ref=Ref(locator={"url": url}, fetch_before=before) if is_web else None,
        skipped="" if is_web else "the sender gave no address to fetch it from",
    )


def _last(url: str) -> str:
    try:
        return PurePosixPath(unquote(urlsplit(url).path)).name
    except ValueError:
        return ""


def _flat(found: Sequence[Any]) -> Iterator[Any]:
    for value in found:
        if isinstance(value, list):
            yield from _flat(value)
        elif isinstance(value, str | dict) and value:
            yield value


def _listed(paths: str | tuple[str, ...]) -> tuple[str, ...]:
    return (paths,) if isinstance(paths, str) else tuple(paths)


def _cut(value: Any, rest: tuple[str | None, ...]) -> Iterator[tuple[Any, Any]]:
    if not rest:
        yield value, value
    elif rest[0] is None and isinstance(value, list):
        for child in value:
            for item, alone in _cut(child, rest[1:]):
                yield item, [alone]
    elif rest[0] is not None and isinstance(value, dict) and rest[0] in value:
        for item, alone in _cut(value[rest[0]], rest[1:]):
            yield item, {**value, rest[0]: alone}


def _settled(message: Message, raw: Raw, at: int, count: int) -> Message:
    """An item that came again with other words is an edit; several in one raw need ids of their own."""
    if count > 1 and not message.external_id:
        return replace(message, external_id=f"{raw.key}#{at}")
    if count == 1 and raw.ordinal > 1 and message.kind is Kind.SAID:
        return replace(message, kind=Kind.EDITED)
    return message


def _brief(error: Exception) -> str:
    """strptime's and float's own words repeat the value, which is the customer's."""
    text = str(error)
    return text if "see time_format" in text or text in ("not a number", "no such time") else "not as expected"
