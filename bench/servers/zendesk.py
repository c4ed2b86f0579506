"""Zendesk's Ticketing API in small: tickets, comments, uploads, idempotency keys, and the webhook that signs.

Sources: the vendor's OpenAPI of the Ticketing API; its pages on webhooks and on verifying them; the idempotency of the
Java client of cloudbees-oss. Where those are silent the harsher behaviour was taken: unknown custom fields vanish, an
upload that is used or old is refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from aiohttp import web

from allears_sdk.signing import hmac_base64
from allears_sdk.testing.memory import Fault
from bench.servers.desk import Desk, Refusal, Trouble

EMAIL = "intake@shop.example.com"
TOKEN = "zd-6w5Yq0vN2tJr8sKb"
OAUTH = "zd-oauth-41c9d0b7a2"
AUTHORIZATION = f"Basic {base64.b64encode(f'{EMAIL}/token:{TOKEN}'.encode()).decode()}"
WEBHOOK_SECRET = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="
KEY_SECONDS = 7200
UPLOAD_SECONDS = 3600
MAX_UPLOAD_BYTES = 50 << 20
MAX_SUBJECT = 150
MAX_TEXT = 65_535
NOT_FOUND = {"error": "RecordNotFound", "description": "Not found"}
PRIORITIES = ("urgent", "high", "normal", "low")
AGENT_ID = 9001
AGENT = {"id": AGENT_ID, "name": "allears 投诉受理", "email": EMAIL, "role": "agent", "active": True}
FIELDS: tuple[dict[str, Any], ...] = (
    {"id": 101, "type": "subject", "title": "Subject", "active": True},
    {"id": 360001, "type": "text", "title": "投诉编号 Complaint", "active": True},
    {"id": 360002, "type": "text", "title": "订单 Order", "active": True},
    {
        "id": 360003,
        "type": "tagger",
        "title": "问题分类 Category",
        "active": True,
        "custom_field_options": [
            {"name": "物流::破损", "value": "logistics_damage"},
            {"name": "其他", "value": "other"},
        ],
    },
    {"id": 360004, "type": "text", "title": "旧字段", "active": False},
)


@dataclass
class Upload:
    token: str
    born: float
    files: list[dict[str, Any]]
    is_used: bool = False


@dataclass
class Key:
    """What an `Idempotency-Key` was used for."""

    digest: bytes
    answer: dict[str, Any]
    born: float


@dataclass
class Ticket:
    id: int
    fields: dict[str, Any]
    born: float
    changed: float
    comments: list[dict[str, Any]] = field(default_factory=list)
    is_deleted: bool = False


class Zendesk(Desk):
    """`created` and `comments` show what it holds; `close`, `merge`, `delete` and `update` are what agents do."""

    WORK: ClassVar[str] = r"(POST /api/v2/(imports/)?tickets|PUT /api/v2/tickets/\d+)([.]json)?$"
    STATUS: ClassVar[Mapping[Trouble, int]] = {Fault.GONE: 404}

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__(now)
        self.tickets: dict[int, Ticket] = {}
        self.users: dict[str, dict[str, Any]] = {}
        """End users by e-mail."""
        self.uploads: dict[str, Upload] = {}
        self.keys: dict[str, Key] = {}
        self._next_comment = 70_001

    # Looking in

    @property
    def created(self) -> list[Ticket]:
        return [ticket for ticket in self.tickets.values() if not ticket.is_deleted]

    @property
    def comments(self) -> list[dict[str, Any]]:
        """Those of all tickets, first ones left out."""
        return [comment for ticket in self.created for comment in ticket.comments[1:]]

    @property
    def files(self) -> list[dict[str, Any]]:
        """Those that hang on a comment."""
        comments = (comment for ticket in self.created for comment in ticket.comments)
        return [file for comment in comments for file in comment["attachments"]]

    # What agents do

    def update(self, id_: int, **fields: Any) -> None:
        self.tickets[id_].fields.update(fields)
        self.tickets[id_].changed = self.now()

    def close(self, id_: int) -> None:
        self.update(id_, status="closed")

    def merge(self, id_: int, into: int) -> None:
        """The one that is merged away is closed and tagged."""
        self.update(id_, status="closed", tags=[*self.tickets[id_].fields["tags"], "closed_by_merge"])
        self._comment(self.tickets[into], {"body": f"Request #{id_} was closed and merged into this request."})

    def delete(self, id_: int) -> None:
        self.tickets[id_].is_deleted = True

    # Answering

    def routes(self) -> Iterable[web.RouteDef]:
        """Each also with `.json` behind it."""
        routes = (
            ("GET", "/users/me", self._me),
            ("GET", "/users/{id:[0-9]+}", self._user),
            ("GET", "/ticket_fields", self._fields),
            ("GET", "/tickets", self._list),
            ("POST", "/tickets", self._create),
            ("POST", "/imports/tickets", self._create),
            ("GET", "/tickets/{id:[0-9]+}", self._show),
            ("PUT", "/tickets/{id:[0-9]+}", self._update),
            ("GET", "/tickets/{id:[0-9]+}/comments", self._comments),
            ("POST", "/uploads", self._upload),
        )
        return [web.route(method, f"/api/v2{path}{{_:([.]json)?}}", answer) for method, path, answer in routes]

    def is_allowed(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "")
        return given in (AUTHORIZATION, f"Bearer {OAUTH}") or (not given and "/users/me" in request.path)

    def refusal(self, status: int, request: web.Request) -> web.Response:
        bodies: dict[int, dict[str, Any]] = {
            401: {"error": "Couldn't authenticate you"},
            404: NOT_FOUND,
            422: _invalid("base", "Subject: 不能为空 cannot be blank"),
            429: {"error": "APIRateLimitExceeded", "description": "Number of allowed API requests per minute exceeded"},
        }
        return web.json_response(bodies.get(status, {"error": str(status)}), status=status)

    async def _me(self, request: web.Request) -> web.Response:
        """Without credentials it is nobody, and the answer is 200 all the same."""
        anonymous = {"id": None, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user"}
        return web.json_response({"user": AGENT if request.headers.get("Authorization") else anonymous})

    async def _user(self, request: web.Request) -> web.Response:
        found = [user for user in (AGENT, *self.users.values()) if str(user["id"]) == request.match_info["id"]]
        if not found:
            raise Refusal(404, NOT_FOUND)
        return web.json_response({"user": found[0]})

    async def _fields(self, request: web.Request) -> web.Response:
        return web.json_response({"ticket_fields": list(FIELDS), **_one_page(len(FIELDS))})

    async def _list(self, request: web.Request) -> web.Response:
        """Filters it does not know are ignored."""
        found = [ticket for ticket in self.created if self.is_seen(ticket.born)]
        if "external_id" in request.query:
            wanted = request.query["external_id"].split(",")
            found = [ticket for ticket in found if ticket.fields["external_id"] in wanted]
        return web.json_response({"tickets": [self._shown(ticket) for ticket in found], **_one_page(len(found))})

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response({"ticket": self._shown(self._existing(request))})

    async def _comments(self, request: web.Request) -> web.Response:
        """Oldest first, a hundred a page, unless the query says otherwise."""
        comments = list(self._existing(request).comments)
        if request.query.get("sort_order") == "desc" or request.query.get("sort", "").startswith("-"):
            comments.reverse()
        size = min(int(request.query.get("per_page", request.query.get("page[size]", 100))), 100)
        start = (int(request.query.get("page", 1)) - 1) * size
        following = f"{self.url}{request.path}?page={start // size + 2}" if start + size < len(comments) else None
        page = {**_one_page(len(comments)), "next_page": following}
        return web.json_response({"comments": comments[start : start + size], **page})

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.read()
        key, digest = request.headers.get("Idempotency-Key", ""), hashlib.sha256(body).digest()
        known = self.keys.get(key)
        if known and self.now() - known.born < KEY_SECONDS:
            if known.digest != digest:
                raise Refusal(400, {"error": "IdempotentRequestError", "description": "parameters do not match"})
            return web.json_response(known.answer, status=201, headers={"x-idempotency-lookup": "hit"})
        answer = {"ticket": self._shown(self._file(_given(body)))}
        if key and "imports" not in request.path:
            self.keys[key] = Key(digest, answer, self.now())
        return web.json_response(answer, status=201, headers={"x-idempotency-lookup": "miss"})

    def _file(self, given: Mapping[str, Any]) -> Ticket:
        comment = given.get("comment") or {}
        if not (comment.get("body") or comment.get("html_body")):
            raise Refusal(422, _invalid("base", "Description: cannot be blank"))
        _check_values(given)
        fields = {
            "external_id": given.get("external_id"),
            "subject": given.get("subject") or comment.get("body", "")[:80],
            "status": given.get("status", "new"),
            "priority": given.get("priority"),
            "tags": [part for tag in given.get("tags", []) for part in str(tag).split()],
            "requester_id": self._requester(given),
            "group_id": given.get("group_id"),
            "assignee_id": given.get("assignee_id"),
            "custom_fields": _custom(given),
            "via_followup_source_id": self._source(given),
        }
        ticket = Ticket(len(self.tickets) + 501, fields, self.now(), self.now())
        self._comment(ticket, comment, fields["requester_id"])
        self.tickets[ticket.id] = ticket
        return ticket

    def _requester(self, given: Mapping[str, Any]) -> int:
        """`requester` makes the end user where the e-mail is new."""
        if "requester_id" in given:
            return int(given["requester_id"])
        requester = given.get("requester")
        if requester is None:
            return AGENT_ID
        if not requester.get("email"):
            raise Refusal(422, _invalid("requester", "Requester: Email: cannot be blank"))
        if "@" not in requester["email"]:
            raise Refusal(422, _invalid("requester", "Requester: Email: is not properly formatted"))
        if not requester.get("name") and requester["email"] not in self.users:
            raise Refusal(422, _invalid("requester", "Requester: Name: is too short (minimum one characters)"))
        user = self.users.setdefault(requester["email"], {"id": 20_001 + len(self.users), **requester})
        return int(user["id"])

    def _source(self, given: Mapping[str, Any]) -> int | None:
        """A follow-up is of a closed ticket, and of no other."""
        source = given.get("via_followup_source_id")
        if source is None:
            return None
        ticket = self.tickets.get(int(source))
        if ticket is None or ticket.is_deleted or ticket.fields["status"] != "closed":
            raise Refusal(422, _invalid("base", "Follow-up source: is not a closed ticket"))
        return ticket.id

    async def _update(self, request: web.Request) -> web.Response:
        ticket, given = self._existing(request), _given(await request.read())
        if ticket.fields["status"] == "closed":
            raise Refusal(422, _invalid("status", "Status: closed prevents ticket update"))
        if given.get("safe_update") and given.get("updated_stamp") != _iso(ticket.changed):
            raise Refusal(409, {"error": "UpdateConflict", "description": "Safe Update prevented the update"})
        _check_values(given)
        if comment := given.get("comment"):
            self._comment(ticket, comment)
        kept = ("status", "priority", "assignee_id", "group_id", "external_id", "subject", "tags")
        ticket.fields.update({name: given[name] for name in kept if name in given})
        ticket.changed = self.now()
        return web.json_response({"ticket": self._shown(ticket), "audit": {"ticket_id": ticket.id}})

    def _comment(self, ticket: Ticket, given: Mapping[str, Any], author: int = AGENT_ID) -> None:
        body = (given.get("body") or given.get("html_body", "")).replace("{{ticket.id}}", str(ticket.id))
        files = [file for token in given.get("uploads", []) for file in self._use(token)]
        comment = {
            "id": self._next_comment,
            "type": "Comment",
            "author_id": given.get("author_id", author),
            "body": body,
            "plain_body": body,
            "public": given.get("public", True),
            "attachments": files,
            "created_at": _iso(self.now()),
        }
        self._next_comment += 1
        ticket.comments.append(comment)

    def _use(self, token: str) -> list[dict[str, Any]]:
        upload = self.uploads.get(token)
        if upload is None or upload.is_used or self.now() - upload.born > UPLOAD_SECONDS:
            raise Refusal(422, _invalid("base", "Attachment: the upload token is invalid or has expired"))
        upload.is_used = True
        return upload.files

    async def _upload(self, request: web.Request) -> web.Response:
        content, name = await request.read(), request.query.get("filename", "")
        if not name:
            raise Refusal(400, {"error": "InvalidFilename", "description": "filename is missing"})
        if len(content) > MAX_UPLOAD_BYTES:
            raise Refusal(413, {"error": "AttachmentTooLarge", "description": "Attachment is too large"})
        token = request.query.get("token") or f"up{len(self.uploads) + 1:022d}"
        upload = self.uploads.setdefault(token, Upload(token, self.now(), []))
        kind = request.headers.get("Content-Type", "")
        file = {"id": 80_001 + len(upload.files), "file_name": name, "content_type": kind, "size": len(content)}
        upload.files.append({**file, "content": content.hex()})
        shown = {"token": token, "expires_at": _iso(upload.born + UPLOAD_SECONDS), "attachment": file}
        return web.json_response({"upload": {**shown, "attachments": [file]}}, status=201)

    def _existing(self, request: web.Request) -> Ticket:
        ticket = self.tickets.get(int(request.match_info["id"]))
        if ticket is None or ticket.is_deleted:
            raise Refusal(404, NOT_FOUND)
        return ticket

    def _shown(self, ticket: Ticket) -> dict[str, Any]:
        times = {"created_at": _iso(ticket.born), "updated_at": _iso(ticket.changed)}
        url = f"{self.url}/api/v2/tickets/{ticket.id}.json"
        return {"id": ticket.id, "url": url, "description": ticket.comments[0]["body"], **ticket.fields, **times}

    # The webhook

    def event(self, id_: int, kind: str = "status_changed", **event: Any) -> bytes:
        """The body of an event-subscribed webhook."""
        ticket = self.tickets[id_]
        names = ("external_id", "subject", "priority", "tags", "group_id", "assignee_id", "requester_id")
        detail = {name: _text(ticket.fields[name]) for name in names}
        detail["status"] = ticket.fields["status"].upper()
        times = {"created_at": _iso(ticket.born), "updated_at": _iso(ticket.changed)}
        body = {
            "type": f"zen:event-type:ticket.{kind}",
            "account_id": 22_129_848,
            "id": f"2b24ef10-19d4-4740-93cf-{int(ticket.changed * 1000):012x}",
            "time": _iso(ticket.changed),
            "zendesk_event_version": "2022-11-06",
            "subject": f"zen:ticket:{id_}",
            "detail": {"id": str(id_), "actor_id": "9001", **detail, **times, "via": {"channel": "web_service"}},
            "event": event,
        }
        return json.dumps(body, ensure_ascii=False).encode()


def signed_headers(body: bytes, at: str, secret: str = WEBHOOK_SECRET) -> dict[str, str]:
    """Those of a push made at that time (ISO 8601)."""
    return {
        "Content-Type": "application/json; charset=utf-8",
        "X-Zendesk-Account-Id": "22129848",
        "X-Zendesk-Webhook-Id": "01GK8E6BKWMJZD2T8Y5AXJQMG5",
        "X-Zendesk-Webhook-Invocation-Id": "01H7N0FQ0Z8XK4W9",
        "X-Zendesk-Webhook-Signature": hmac_base64(secret, at.encode() + body),
        "X-Zendesk-Webhook-Signature-Timestamp": at,
    }


def _given(body: bytes) -> dict[str, Any]:
    try:
        given: dict[str, Any] = json.loads(body)["ticket"]
    except (ValueError, KeyError, TypeError):
        raise Refusal(400, {"error": "Unprocessable request", "message": "no ticket"}) from None
    return given


def _check_values(given: Mapping[str, Any]) -> None:
    if given.get("priority") not in (None, *PRIORITIES):
        raise Refusal(422, _invalid("priority", f"Priority: {given['priority']} is not a valid priority"))
    if len(given.get("subject") or "") > MAX_SUBJECT:
        raise Refusal(422, _invalid("subject", "Subject: is too long"))
    if len((given.get("comment") or {}).get("body") or "") > MAX_TEXT:
        raise Refusal(422, _invalid("base", "Description: is too long"))


def _custom(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is not a field of the account vanishes without a word; a value that a drop-down does not have does not."""
    known = {one["id"]: one for one in FIELDS}
    kept = []
    for custom in given.get("custom_fields", []):
        options = {option["value"] for option in known.get(custom["id"], {}).get("custom_field_options", [])}
        if options and custom["value"] not in options:
            raise Refusal(422, _invalid("base", f"{custom['id']}: {custom['value']} is not a valid value"))
        if custom["id"] in known:
            kept.append({"id": custom["id"], "value": custom["value"]})
    return kept


def _invalid(name: str, description: str) -> dict[str, Any]:
    details = {name: [{"description": description, "error": "RecordInvalid"}]}
    return {"error": "RecordInvalid", "description": "Record validation errors", "details": details}


def _one_page(count: int) -> dict[str, Any]:
    return {"count": count, "next_page": None, "previous_page": None}


def _text(value: Any) -> Any:
    """Ids in events are text, and what is not there is "0" or null."""
    return str(value) if isinstance(value, int) else value


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
