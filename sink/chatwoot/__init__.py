"""Files complaints as conversations of an API inbox of Chatwoot: the key in a conversation attribute and in
`source_id`, the marks in the messages.

Sources: Chatwoot's OpenAPI ("Conversations", "Messages", "Contacts"), and of its code `conversations_controller`,
`conversation_builder`, `contact_inbox_builder`, `message_builder`, `message_finder`, `filter_service`, `liquidable`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Identity, Request
from allears_sdk.errors import ConfigError, InDoubt, Rejected, RetryLater, TicketGone, Unavailable
from allears_sdk.remote import Response
from allears_sdk.sink import Certainty, Hearing, Progress, SinkSpec, Ticket
from allears_sdk.tickets import (
    NOBODYS_KEY,
    FileLimits,
    Limits,
    StoreValue,
    TicketSink,
    View,
    answered,
    as_text,
    check_fields,
    listed,
    marks_in,
    upload_each,
    with_lines,
)
from allears_sdk.tickets.sink import unpack
from sink.chatwoot.back import hear
from sink.chatwoot.contacts import Contacts, Refused, contact_of
from sink.chatwoot.settings import NATIVE, ChatwootSettings

__all__ = ["ChatwootSettings", "ChatwootSink"]

FLOOD_SECONDS = 60
MAX_CONTENT_CHARS = 150_000
_JOINER = "\u2060"
_BRACE = re.compile(r"\{(?=[{%])")
_MEDIA_TYPES = (
    "image/",
    "video/",
    "audio/",
    "text/csv",
    "text/plain",
    "text/rtf",
    "application/json",
    "application/pdf",
    "application/zip",
    "application/x-7z-compressed",
    "application/vnd.rar",
    "application/x-tar",
    "application/msword",
    "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint",
    "application/rtf",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.openxmlformats-officedocument.",
)


class ChatwootSink(TicketSink[ChatwootSettings]):
    spec = SinkSpec(
        kind="chatwoot",
        title_en="Chatwoot",
        title_zh="Chatwoot",
        open_certainty=Certainty.B,
        follow_up_certainty=Certainty.B,
        tells=True,
        verified="a simulator after Chatwoot's code, which chatwoot-sdk 0.2.0 takes for a Chatwoot; no real one",
        verified_zh="按 Chatwoot 源码编写的模拟器，chatwoot-sdk 0.2.0 把它当作 Chatwoot；未在真实的 Chatwoot 上试过",
    )
    Settings = ChatwootSettings
    limits = Limits(
        subject_chars=500,
        text_chars=149_000,
        files=FileLimits(each_bytes=40 << 20, total_bytes=40 << 20, count=14, media_types=_MEDIA_TYPES),
    )
    priorities: ClassVar[Mapping[str, StoreValue]] = {"P1": "urgent", "P2": "high", "P3": "medium", "P4": "low"}

    async def check(self) -> Identity:
        answer = await self._call("GET", "", whole=f"{self.settings.url}/api/v1/profile")
        profile, accounts = answered(answer), listed(answer, "accounts")
        account = next((one for one in accounts if one.get("id") == self.settings.account_id), None)
        if account is None:
            raise ConfigError(f"{profile.get('email')} belongs to no account {self.settings.account_id}")
        await self._check_inbox()
        query = {"attribute_model": "conversation_attribute"}
        defined = listed(await self._call("GET", "/custom_attribute_definitions", params=query))
        check_fields(self.settings, {*(str(one.get("attribute_key")) for one in defined), *NATIVE})
        await self.find(NOBODYS_KEY)
        details = [f"account {account.get('name')}", f"inbox {self.settings.inbox_id}"]
        if account.get("custom_role_id"):
            details.append("custom role: it must see all conversations, or none is found again")
        return Identity(account=str(profile.get("email")), details=details)

    def compose(self, view: View) -> Any:
        source_id = " ".join((view.key, *view.marks) if view.is_opening else view.marks)
        if not view.is_opening:
            is_customers = view.is_public and view.is_customers
            content = view.text if is_customers else _without_liquid(view.text)
            kind = {"message_type": "incoming"} if is_customers else {"message_type": "outgoing", "private": True}
            return {"content": content, **kind, "source_id": source_id}
        given = {target: _shaped(value) for target, value in view.fields.items() if value not in ("", ())}
        fields = {target: value for target, value in given.items() if target not in NATIVE or str(value).isdecimal()}
        attributes = {target: value for target, value in fields.items() if target not in NATIVE}
        return {
            "contact": contact_of(view.record),
            "conversation": {
                "inbox_id": self.settings.inbox_id,
                "source_id": view.key,
                "custom_attributes": {**attributes, self.settings.key_attribute: view.key},
                **{target: value for target, value in fields.items() if target in NATIVE},
            },
            "message": {
                "content": f"{view.subject}\n\n{view.text}",
                "message_type": "incoming",
                "source_id": source_id,
            },
            "priority": view.priority,
        }

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        """Conversation and message are one transaction over there; `source_id` keeps each in a session of its own."""
        contact = await Contacts(self._call).number(request["contact"])
        body = {**request["conversation"], "contact_id": contact}
        try:
            answer = await self._say("/conversations", body, request["message"], "message", key, files)
        except TicketGone as gone:
            raise ConfigError(f"there is no inbox {self.settings.inbox_id}", detail=gone.detail) from None
        number = int(answered(answer, "id"))
        if self._key_of(answered(answer)) != key:
            self.context.log.error("key_not_kept", ticket=number, attribute=self.settings.key_attribute)
        return self._ticket(number)

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        answer = await self._say(f"/conversations/{ticket.id}/messages", {}, request, "", key, files)
        answered(answer, "id")

    async def complete(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        """The priority is no part of the request that makes a conversation. An agent's own stays."""
        priority = unpack(payload).request.get("priority")
        if not priority:
            return
        path = f"/conversations/{ticket.id}"
        try:
            there = answered(await self._call("GET", path, gone=(404,)), "priority")
            if there is None:
                await self._call("PATCH", path, json={"priority": priority}, gone=(404,), repeatable=True)
        except (Rejected, TicketGone) as error:
            self.context.log.warning("priority_not_set", ticket=ticket.id, reason=str(error))

    async def find(self, key: str) -> Ticket | None:
        """Asked of the database. Upper and lower case are the same to it."""
        condition = {
            "attribute_key": self.settings.key_attribute,
            "filter_operator": "equal_to",
            "values": [key],
            "query_operator": None,
        }
        try:
            answer = await self._call("POST", "/conversations/filter", json={"payload": [condition]}, repeatable=True)
        except Rejected as error:
            words = f"conversations have no attribute {self.settings.key_attribute}: define it (text)"
            raise ConfigError(f"{words}, see docs/sinks/chatwoot.md", detail=error.detail) from None
        found = listed(answer, "payload")
        if any(self._key_of(one) != key for one in found):
            raise ConfigError(f"this Chatwoot's filter ignores {self.settings.key_attribute}")
        return self._ticket(min(int(one["id"]) for one in found)) if found else None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        """A hundred messages at a time. What an agent deletes loses its text, not its `source_id`."""
        found: set[str] = set()
        last = 0
        while len(found) < len(marks):
            path = f"/conversations/{ticket.id}/messages"
            messages = listed(await self._call("GET", path, params={"after": last}, gone=(404,)), "payload")
            if not messages:
                break
            found |= marks_in([f"{one.get('content')}\n{one.get('source_id')}" for one in messages], marks)
            last = max(last + 1, *(int(one["id"]) for one in messages))
        return found

    def hear(self, request: Request) -> Hearing:
        return hear(request, self.settings)

    def check_answer(self, answer: Response) -> None:
        if answer.status == 402:
            raise ConfigError(f"{answer.call.place}: 402, the account's plan does not allow it", detail=_words(answer))
        if answer.status == 422:
            self._check_refusal(answer)
        super().check_answer(answer)

    def _check_refusal(self, answer: Response) -> None:
        words, what = _words(answer), f"{answer.call.place}: 422"
        if "source_id should be unique" in words:
            raise InDoubt(f"{what}, this session is there already", detail=words)
        if "Too many messages" in words:
            raise RetryLater(f"{what}, too many messages in a minute", after_seconds=FLOOD_SECONDS, detail=words)
        try:
            attributes = tuple(str(name) for name in answered(answer, "attributes"))
        except (InDoubt, Unavailable, TypeError):
            attributes = ()
        if attributes:
            raise Refused(what, detail=words, attributes=attributes)

    async def _check_inbox(self) -> None:
        number = self.settings.inbox_id
        try:
            inbox = answered(await self._call("GET", f"/inboxes/{number}", gone=(404,)))
        except TicketGone:
            raise ConfigError(f"account {self.settings.account_id} has no inbox {number}") from None
        if inbox.get("channel_type") != "Channel::Api":
            raise ConfigError(f"inbox {number} is a {inbox.get('channel_type')}: make one of the type API")
        if inbox.get("lock_to_single_conversation"):
            raise ConfigError(f"inbox {number} is locked to a single conversation for each contact: switch that off")

    async def _say(
        self, path: str, body: Mapping[str, Any], message: Mapping[str, Any], place: str, key: str,
        files: Sequence[AttachedFile],
    ) -> Response:  # fmt: skip
        """As JSON, with files as a form whose names are nested. A file whose bytes are no more is named in the text."""

        async def part(file: AttachedFile) -> tuple[str, bytes, str]:
            return file.name, await self.bytes_of(key, file), file.media_type

        contents, lines = await upload_each(files, part, self.context.log)
        message = {**message, "content": with_lines(message["content"], lines)}
        whole = {**body, **({place: message} if place else message)}
        if not contents:
            return await self._call("POST", path, json=whole, gone=(404,))
        name = f"{place}[attachments][]" if place else "attachments[]"
        form = dict(_nested(whole))
        return await self._call("POST", path, data=form, files=[(name, one) for one in contents], gone=(404,))

    async def _call(self, method: str, path: str, *, whole: str = "", **given: Any) -> Response:
        url = whole or f"{self.settings.url}/api/v1/accounts/{self.settings.account_id}{path}"
        headers = {"api_access_token": self.settings.token.get_secret_value()}
        return await self.call(method, url, headers=headers, **given)

    def _ticket(self, number: int) -> Ticket:
        place = f"/app/accounts/{self.settings.account_id}/conversations/{number}"
        return Ticket(id=str(number), url=self.settings.url + place)

    def _key_of(self, conversation: Any) -> str:
        attributes = conversation.get("custom_attributes") if isinstance(conversation, dict) else None
        return str((attributes or {}).get(self.settings.key_attribute, ""))


def _words(answer: Response) -> str:
    return " ".join(answer.text()[:500].split())


def _nested(body: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in body.items():
        path = f"{prefix}[{name}]" if prefix else name
        if isinstance(value, Mapping):
            yield from _nested(value, path)
        else:
            yield path, str(value).lower() if isinstance(value, bool) else str(value)


def _shaped(value: Any) -> Any:
    return as_text(value) if isinstance(value, tuple | datetime) else value


def _without_liquid(text: str) -> str:
    """Chatwoot renders Liquid in what agents write, so that words in double braces would be gone: a word joiner, which
    nobody sees, keeps the braces apart; where that makes the text too long, a wide brace."""
    joined = _BRACE.sub(f"{{{_JOINER}", text)
    return joined if len(joined) <= MAX_CONTENT_CHARS else _BRACE.sub("\uff5b", text)
