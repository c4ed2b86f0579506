"""Chatwoot in small, on real HTTP: contacts, conversations of API inboxes, messages and signed webhooks.

After chatwoot/chatwoot (`conversations_controller`, `conversation_builder`, `contact_inbox_builder`, `message_builder`,
`message_finder`, `filter_service`, `liquidable`, `message`, `contact`) and its OpenAPI pages.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from aiohttp import web

from bench.servers.chatwoot_requests import kept_file, read_request, render_liquid, size_of
from bench.servers.desk import Desk, Refusal, one_page

TOKEN = "cw-Vb1x8s-simulated-of-nobody"
BOT_TOKEN = "cw-bot-simulated-of-nobody"
WEBHOOK_SECRET = "cw-hook-2f6e19"
ACCOUNT, INBOX, WIDGET = 1, 7, 8
KEY = "allears_key"
MAX_CONTENT_CHARS = 150_000
MAX_FILES = 15
MAX_FILE_BYTES = 40 << 20
PER_PAGE = {"contacts": 15, "conversations": 25, "messages": 20, "after": 100}
AGENT = {"id": 1, "name": "全听", "available_name": "全听", "email": "allears@example.com", "type": "user"}
STATUSES = ("open", "resolved", "pending", "snoozed")
PRIORITIES = ("urgent", "high", "medium", "low", None)
TYPES = {"incoming": 0, "outgoing": 1, "activity": 2, "template": 3}
REFUSED_FILES = ("application/x-msdownload", "application/x-sh", "application/java-archive")
_E164 = re.compile(r"\+[1-9]\d{1,14}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_FORBIDDEN = "You are not authorized to do this action"


@dataclass
class Inbox:
    id: int
    name: str
    channel_type: str
    lock_to_single_conversation: bool = False


@dataclass
class Conversation:
    id: int
    inbox: Inbox
    contact: int
    source_id: str
    custom_attributes: dict[str, Any]
    created_at: float
    changed_at: float
    status: str = "open"
    priority: str | None = None
    assignee: dict[str, Any] | None = None
    team_id: int | None = None
    first_reply_created_at: float | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)


class Chatwoot(Desk):
    """`await start()`; then `url`. `contacts` and `created` (conversations, by number) hold what came of it."""

    WORK: ClassVar[str] = r"POST \S+/conversations(/\d+/messages)?$"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__(now)
        self.contacts: dict[int, dict[str, Any]] = {}
        self.created: dict[int, Conversation] = {}
        self.sources: dict[tuple[int, str], int] = {}
        """Which contact has this `source_id` in this inbox."""
        self.contents: dict[str, bytes] = {}
        self.inboxes = {
            INBOX: Inbox(INBOX, "投诉", "Channel::Api"),
            WIDGET: Inbox(WIDGET, "官网", "Channel::WebWidget"),
        }
        self.members = {INBOX, WIDGET}
        """Inboxes the token's agent is a member of."""
        self.attributes = {KEY: "text", "order_number": "text", "received_on": "date"}
        """Conversation attributes that an admin defined."""
        self.custom_role: int | None = None
        self.messages_a_minute = 200
        self._next_message = 5001

    def routes(self) -> Iterable[web.RouteDef]:
        account = f"/api/v1/accounts/{ACCOUNT}"
        one = account + r"/conversations/{id:\d+}"
        return [
            web.get("/api/v1/profile", self._profile),
            web.get(account + r"/inboxes/{id:\d+}", self._inbox),
            web.get(account + "/custom_attribute_definitions", self._definitions),
            web.get(account + "/contacts/search", self._search),
            web.post(account + "/contacts", self._create_contact),
            web.post(account + "/conversations", self._create),
            web.post(account + "/conversations/filter", self._filter),
            web.get(one, self._show),
            web.patch(one, self._update),
            web.post(one + "/toggle_status", self._toggle_status),
            web.get(one + "/messages", self._list_messages),
            web.post(one + "/messages", self._create_message),
        ]

    def is_allowed(self, request: web.Request) -> bool:
        token = request.headers.get("api_access_token", "")
        is_for_bots = request.method != "GET" and not request.path.endswith("/filter")
        return token == TOKEN or (token == BOT_TOKEN and is_for_bots)

    def refusal(self, status: int, request: web.Request) -> web.Response:
        words = {401: "Invalid Access Token", 404: "Resource could not be found"}.get(status, f"{status} 拒绝")
        return web.json_response({"error": words}, status=status)

    # What agents do

    def change(self, conversation: int, **changes: Any) -> None:
        """An agent's hand: `status="resolved"`, `assignee=AGENT`."""
        for name, value in changes.items():
            setattr(self.created[conversation], name, value)
        self.created[conversation].changed_at = self.now()

    def merge_contacts(self, base: int, merged: int) -> None:
        """What was the merged one's is the base's."""
        self.contacts.pop(merged)
        self.sources = {where: base if who == merged else who for where, who in self.sources.items()}
        for conversation in self.created.values():
            if conversation.contact == merged:
                conversation.contact = base

    def delete(self, conversation: int) -> None:
        del self.created[conversation]

    def hook(self, conversation: int, event: str = "conversation_status_changed") -> tuple[dict[str, str], bytes]:
        """Headers and body of an account's webhook."""
        payload = {**self._shown(self.created[conversation]), "event": event, "changed_attributes": []}
        body = json.dumps(payload, ensure_ascii=False).encode()
        stamp = str(int(self.now()))
        signature = hmac.new(WEBHOOK_SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/json",
            "X-Chatwoot-Delivery": str(uuid.uuid4()),
            "X-Chatwoot-Timestamp": stamp,
            "X-Chatwoot-Signature": f"sha256={signature}",
        }, body

    # Who and what there is

    async def _profile(self, request: web.Request) -> web.Response:
        account = {"id": ACCOUNT, "name": "示例商城", "role": "agent", "custom_role_id": self.custom_role}
        shown = {"role": "agent", "access_token": TOKEN, "account_id": ACCOUNT, "accounts": [account]}
        return web.json_response({**AGENT, **shown})

    async def _inbox(self, request: web.Request) -> web.Response:
        return web.json_response(vars(self._member_of(request.match_info["id"])))

    def _member_of(self, id_: Any) -> Inbox:
        inbox = self.inboxes.get(int(id_))
        if inbox is None:
            raise _missing()
        if inbox.id not in self.members:
            raise Refusal(401, {"error": _FORBIDDEN})
        return inbox

    async def _definitions(self, request: web.Request) -> web.Response:
        is_ours = request.query.get("attribute_model") in {"conversation_attribute", "0"}
        shown = [
            {
                "id": at,
                "attribute_key": key,
                "attribute_display_type": kind,
                "attribute_model": "conversation_attribute",
            }
            for at, (key, kind) in enumerate(self.attributes.items(), 1)
        ]
        return web.json_response(shown if is_ours else [])

    # Contacts

    async def _search(self, request: web.Request) -> web.Response:
        """By part of a name, an address, a number or an identifier."""
        query = request.query.get("q", "").strip().lower()
        if not query:
            raise Refusal(422, {"error": "Specify search string with parameter q"})
        names = ("name", "email", "phone_number", "identifier")
        found = [
            one for one in self.contacts.values() if any(query in str(one.get(name) or "").lower() for name in names)
        ]
        page = one_page(found, request, per_page=PER_PAGE["contacts"])
        meta = {"count": len(found), "current_page": int(request.query.get("page", 1))}
        return web.json_response({"meta": meta, "payload": page})

    async def _create_contact(self, request: web.Request) -> web.Response:
        given = await read_request(request)
        names = ("name", "email", "phone_number", "identifier")
        contact: dict[str, Any] = {name: given.get(name) or None for name in names}
        contact["email"] = contact["email"] and contact["email"].lower()
        self._check_contact(contact)
        number = len(self.contacts) + 101
        contact |= {"id": number, "custom_attributes": given.get("custom_attributes") or {}}
        inbox = self._member_of(given["inbox_id"]) if given.get("inbox_id") else None
        self.contacts[number] = contact
        shown: dict[str, Any] = {"contact": contact}
        if inbox:
            source_id = self._source(inbox, number, given.get("source_id"))
            shown["contact_inbox"] = {"inbox": vars(inbox), "source_id": source_id}
        return web.json_response({"payload": shown})

    def _check_contact(self, contact: Mapping[str, Any]) -> None:
        wrong = []
        if contact["email"] and not _EMAIL.fullmatch(contact["email"]):
            wrong.append(("email", "Invalid email"))
        if contact["phone_number"] and not _E164.fullmatch(contact["phone_number"]):
            wrong.append(("phone_number", "Phone number should be in e164 format"))
        wrong += [
            (name, f"{name.capitalize()} has already been taken")
            for name in ("email", "phone_number", "identifier")
            if contact[name] and any(contact[name] == one[name] for one in self.contacts.values())
        ]
        if wrong:
            words = ", ".join(word for _, word in wrong)
            raise Refusal(422, {"message": words, "attributes": [name for name, _ in wrong]})

    def _source(self, inbox: Inbox, contact: int, source_id: Any) -> str:
        """The contact's own, or one of somebody else's: refused."""
        given = str(source_id or uuid.uuid4())
        if self.sources.setdefault((inbox.id, given), contact) != contact:
            raise Refusal(422, {"error": "source_id should be unique"})
        return given

    # Conversations

    async def _create(self, request: web.Request) -> web.Response:
        """The session is kept also where the conversation is refused; conversation and message are one transaction."""
        given = await read_request(request)
        inbox = self._member_of(given["inbox_id"])
        if int(given["contact_id"]) not in self.contacts:
            raise _missing()
        source_id = self._source(inbox, int(given["contact_id"]), given.get("source_id"))
        there = next((one for one in self.created.values() if (one.inbox, one.source_id) == (inbox, source_id)), None)
        if there and inbox.lock_to_single_conversation:
            conversation = there
        else:
            conversation = self._conversation(given, inbox, source_id)
        if given.get("message"):
            if given["message"].get("message_type") == "incoming" and inbox.channel_type != "Channel::Api":
                raise Refusal(500, {"error": "Incoming messages are only allowed in Api inboxes"})
            self._say(conversation, given["message"])
        self.created[conversation.id] = conversation
        return web.json_response(self._shown(conversation))

    def _conversation(self, given: Mapping[str, Any], inbox: Inbox, source_id: str) -> Conversation:
        status = given.get("status") or "open"
        if status not in STATUSES:
            raise Refusal(422, {"error": f"'{status}' is not a valid status"})
        return Conversation(
            id=max(self.created, default=0) + 1,
            inbox=inbox,
            contact=int(given["contact_id"]),
            source_id=source_id,
            custom_attributes=dict(given.get("custom_attributes") or {}),
            created_at=self.now(),
            changed_at=self.now(),
            status=status,
            team_id=given.get("team_id"),
        )

    def _shown(self, one: Conversation) -> dict[str, Any]:
        return {
            "meta": {"sender": self.contacts[one.contact], "assignee": one.assignee, "channel": one.inbox.channel_type},
            "id": one.id,
            "account_id": ACCOUNT,
            "inbox_id": one.inbox.id,
            "status": one.status,
            "priority": one.priority,
            "custom_attributes": one.custom_attributes,
            "additional_attributes": {},
            "labels": [],
            "messages": one.messages[-1:],
            "created_at": int(one.created_at),
            "updated_at": one.changed_at,
            "first_reply_created_at": int(one.first_reply_created_at or 0),
            "contact_inbox": {"source_id": one.source_id, "inbox_id": one.inbox.id, "contact_id": one.contact},
        }

    def _one(self, request: web.Request) -> Conversation:
        conversation = self.created.get(int(request.match_info["id"]))
        if conversation is None:
            raise _missing()
        self._member_of(conversation.inbox.id)
        return conversation

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(self._shown(self._one(request)))

    async def _update(self, request: web.Request) -> web.Response:
        """Nothing but the priority is taken."""
        conversation, given = self._one(request), await read_request(request)
        if given.get("priority", conversation.priority) not in PRIORITIES:
            raise Refusal(500, {"error": f"'{given['priority']}' is not a valid priority"})
        self.change(conversation.id, priority=given.get("priority", conversation.priority))
        return web.json_response(self._shown(conversation))

    async def _toggle_status(self, request: web.Request) -> web.Response:
        conversation = self._one(request)
        status = (await read_request(request)).get("status") or (
            "open" if conversation.status == "resolved" else "resolved"
        )
        self.change(conversation.id, status=status)
        payload = {"success": True, "current_status": status, "conversation_id": conversation.id}
        return web.json_response({"meta": {}, "payload": payload})

    async def _filter(self, request: web.Request) -> web.Response:
        found = [one for one in self.created.values() if one.inbox.id in self.members]
        for condition in (await read_request(request)).get("payload") or []:
            key = condition["attribute_key"]
            if key not in self.attributes:
                raise Refusal(422, {"error": f"Invalid attribute key - [{key}]."})
            wanted = str(condition["values"][0]).lower()
            found = [one for one in found if str(one.custom_attributes.get(key, "")).lower() == wanted]
        found.sort(key=lambda one: -one.changed_at)
        page = one_page(found, request, per_page=PER_PAGE["conversations"])
        payload = [self._shown(one) for one in page]
        return web.json_response({"meta": {"all_count": len(found)}, "payload": payload})

    # Messages

    async def _list_messages(self, request: web.Request) -> web.Response:
        """The newest 20, those before an id, or the next 100 after one."""
        messages, query = self._one(request).messages, request.query
        if "after" in query:
            page = [one for one in messages if one["id"] > int(query["after"])][: PER_PAGE["after"]]
        else:
            before = int(query["before"]) if "before" in query else self._next_message
            page = [one for one in messages if one["id"] < before][-PER_PAGE["messages"] :]
        return web.json_response({"meta": {}, "payload": page})

    async def _create_message(self, request: web.Request) -> web.Response:
        conversation, given = self._one(request), await read_request(request)
        if given.get("message_type") == "incoming" and conversation.inbox.channel_type != "Channel::Api":
            raise Refusal(422, {"error": "Incoming messages are only allowed in Api inboxes"})
        try:
            message = self._say(conversation, given)
        except Refusal as refusal:
            raise Refusal(422, {"error": f"Validation failed: {refusal.body['message']}"}) from None  # type: ignore[index]  # `_say` words it
        return web.json_response(message)

    def _say(self, conversation: Conversation, given: Mapping[str, Any]) -> dict[str, Any]:
        self._check_message(conversation, given)
        kind = given.get("message_type") or "outgoing"
        content = given.get("content")
        contact = self.contacts[conversation.contact]
        sender, drops = contact if kind == "incoming" else AGENT, {"contact.name": str(contact["name"])}
        message = {
            "id": self._next_message,
            "content": content if kind == "incoming" or not content else render_liquid(content, drops),
            "conversation_id": conversation.id,
            "inbox_id": conversation.inbox.id,
            "message_type": TYPES[kind],
            "content_type": "text",
            "content_attributes": given.get("content_attributes") or {},
            "private": str(given.get("private")).lower() == "true",
            "source_id": given.get("source_id"),
            "created_at": int(self.now()),
            "sender": {"id": sender["id"], "name": sender["name"]},
            "attachments": [kept_file(one, self.contents) for one in given.get("attachments") or []],
        }
        self._next_message += 1
        conversation.messages.append(message)
        if kind == "incoming" and conversation.status in {"resolved", "snoozed"}:
            conversation.status = "open"
        conversation.changed_at = self.now()
        return message

    def _check_message(self, conversation: Conversation, given: Mapping[str, Any]) -> None:
        files = given.get("attachments") or []
        recent = [one for one in conversation.messages if one["created_at"] >= self.now() - 60]
        reasons = {
            "content": f"Content is too long (maximum is {MAX_CONTENT_CHARS} characters)",
            "attachments": "Attachments exceeded maximum allowed",
            "file": "Attachments file type not supported or size too big",
            "base": "Too many messages",
        }
        wrong = {
            "content": len(given.get("content") or "") > MAX_CONTENT_CHARS,
            "attachments": len(files) >= MAX_FILES,
            "file": any(one.content_type in REFUSED_FILES or size_of(one) > MAX_FILE_BYTES for one in files),
            "base": len(recent) >= self.messages_a_minute,
        }
        for name, is_wrong in wrong.items():
            if is_wrong:
                raise Refusal(422, {"message": reasons[name], "attributes": [name]})


def _missing() -> Refusal:
    return Refusal(404, {"error": "Resource could not be found"})
