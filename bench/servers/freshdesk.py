"""Freshdesk's API v2 in small: tickets, notes, the plain list and the search that lags behind it.

Sources: the vendor's API reference in two transcriptions, freshdesk/fresh-samples for multipart forms, the support
article on error codes. Where those are silent: the plain list and a ticket's conversations are immediate, deleted
tickets are 404 to everybody, a closed one takes notes.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import unescape
from typing import Any, ClassVar

from aiohttp import web

from allears_sdk.testing.memory import Fault
from bench.servers.desk import Desk, Refusal, Trouble, one_page

API_KEY = "fd-Kq81mZ0cVnB5tWxY"
AUTHORIZATION = f"Basic {base64.b64encode(f'{API_KEY}:X'.encode()).decode()}"
LAG_SECONDS = 180.0
MAX_FILES_BYTES = 20 << 20
LIST_SECONDS = 30 * 86_400
WHO = ("requester_id", "email", "facebook_id", "phone", "twitter_id", "unique_external_id")
NUMBERS = ("status", "priority", "source", "group_id", "responder_id", "requester_id", "product_id")
KNOWN = frozenset(
    {*WHO, "name", "subject", "description", "status", "priority", "source", "tags", "group_id", "responder_id", "type"}
    | {"custom_fields", "attachments", "product_id", "email_config_id", "cc_emails", "due_by", "fr_due_by"}
)
FIELDS: tuple[dict[str, Any], ...] = (
    {"id": 1, "name": "subject", "label": "Subject", "type": "default_subject", "default": True},
    {
        "id": 2,
        "name": "priority",
        "label": "Priority",
        "type": "default_priority",
        "default": True,
        "choices": {"Low": 1, "Medium": 2, "High": 3, "Urgent": 4},
    },
    {
        "id": 3,
        "name": "status",
        "label": "Status",
        "type": "default_status",
        "default": True,
        "choices": {
            "2": ["Open", "Being Processed"],
            "3": ["Pending", "Awaiting your Reply"],
            "4": ["Resolved", "This ticket has been Resolved"],
            "5": ["Closed", "This ticket has been Closed"],
        },
    },
    {"id": 11, "name": "cf_complaint_id", "label": "投诉编号", "type": "custom_text", "default": False},
    {"id": 12, "name": "cf_order", "label": "订单", "type": "custom_text", "default": False},
    {
        "id": 13,
        "name": "cf_category",
        "label": "问题分类",
        "type": "custom_dropdown",
        "default": False,
        "choices": ["物流破损", "其他"],
    },
)
CUSTOM = {one["name"]: one for one in FIELDS if not one["default"]}


@dataclass
class Ticket:
    id: int
    fields: dict[str, Any]
    born: float
    changed: float
    conversations: list[dict[str, Any]] = field(default_factory=list)
    is_deleted: bool = False


class Freshdesk(Desk):
    """`created` and `comments` show what it holds; `update` and `delete` are what agents do."""

    WORK: ClassVar[str] = r"POST /api/v2/tickets(/\d+/(notes|reply))?$"
    STATUS: ClassVar[Mapping[Trouble, int]] = {Fault.REJECT: 400, Fault.GONE: 404}

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__(now)
        self.lag_seconds = LAG_SECONDS
        self.tickets: dict[int, Ticket] = {}
        self.agents = {
            43_001: {"id": 43_001, "contact": {"name": "韩梅梅", "email": "hanmeimei@shop.example.com"}},
        }
        self._next = 61_001

    # Looking in

    @property
    def created(self) -> list[Ticket]:
        return [ticket for ticket in self.tickets.values() if not ticket.is_deleted]

    @property
    def comments(self) -> list[dict[str, Any]]:
        return [one for ticket in self.created for one in ticket.conversations]

    @property
    def files(self) -> list[dict[str, Any]]:
        of_tickets = [file for ticket in self.created for file in ticket.fields["attachments"]]
        return of_tickets + [file for comment in self.comments for file in comment["attachments"]]

    # What agents do

    def update(self, id_: int, **fields: Any) -> None:
        self.tickets[id_].fields.update(fields)
        self.tickets[id_].changed = self.now()

    def delete(self, id_: int) -> None:
        self.tickets[id_].is_deleted = True

    # Answering

    def routes(self) -> Iterable[web.RouteDef]:
        routes = (
            ("GET", "/agents/me", self._me),
            ("GET", "/agents/{id:[0-9]+}", self._agent),
            ("GET", "/ticket_fields", self._fields),
            ("GET", "/tickets", self._list),
            ("POST", "/tickets", self._create),
            ("GET", "/search/tickets", self._search),
            ("GET", "/tickets/{id:[0-9]+}", self._show),
            ("PUT", "/tickets/{id:[0-9]+}", self._update),
            ("GET", "/tickets/{id:[0-9]+}/conversations", self._conversations),
            ("POST", "/tickets/{id:[0-9]+}/{kind:notes|reply}", self._note),
        )
        return [web.route(method, f"/api/v2{path}", answer) for method, path, answer in routes]

    def is_allowed(self, request: web.Request) -> bool:
        """The key is the user name; whatever stands for a password is not looked at."""
        given = request.headers.get("Authorization", "").removeprefix("Basic ")
        try:
            return base64.b64decode(given).decode().partition(":")[0] == API_KEY
        except ValueError:
            return False

    def refusal(self, status: int, request: web.Request) -> web.Response:
        bodies: dict[int, Any] = {
            400: _invalid("priority", "It should be one of these values: '1,2,3,4'", "invalid_value"),
            401: {"code": "invalid_credentials", "message": "You have to be logged in to perform this action."},
            429: {"message": "You have exceeded the limit of requests per minute 请求过多"},
        }
        if status in (404, 503):
            return web.Response(status=status)
        return web.json_response(bodies[status], status=status)

    async def _me(self, request: web.Request) -> web.Response:
        contact = {"name": "allears 投诉受理", "email": "intake@shop.example.com"}
        return web.json_response({"id": 43_000, "available": True, "ticket_scope": 1, "contact": contact})

    async def _agent(self, request: web.Request) -> web.Response:
        found = self.agents.get(int(request.match_info["id"]))
        if found is None:
            raise Refusal(404)
        return web.json_response(found)

    async def _fields(self, request: web.Request) -> web.Response:
        times = {"created_at": "2026-01-05T02:00:00Z", "updated_at": "2026-01-05T02:00:00Z"}
        return web.json_response([{"description": "", "position": at, **one, **times} for at, one in enumerate(FIELDS)])

    async def _list(self, request: web.Request) -> web.Response:
        """The newest first; what is older than 30 days only with `updated_since`."""
        _check_names(request, {"updated_since", "order_by", "order_type", "page", "per_page", "filter", "include"})
        since = self.now() - LIST_SECONDS
        if given := request.query.get("updated_since"):
            since = datetime.fromisoformat(given).timestamp()
        found = [ticket for ticket in self.created if ticket.changed >= since]
        by_change = request.query.get("order_by") == "updated_at"
        is_rising = request.query.get("order_type") == "asc"
        found.sort(key=lambda ticket: (ticket.changed if by_change else ticket.born, ticket.id), reverse=not is_rising)
        return web.json_response([self._shown(ticket) for ticket in one_page(found, request, per_page=100)])

    async def _search(self, request: web.Request) -> web.Response:
        """Behind an index: what is younger than `lag_seconds` is not in it."""
        match = re.fullmatch(r"\"(cf_\w+):'([^']*)'\"", request.query.get("query", ""))
        if match is None or len(match[0]) > 514 or match[1] not in CUSTOM:
            raise Refusal(400, _invalid("query", "The query is not valid", "invalid_value"))
        if int(request.query.get("page", 1)) > 10:
            raise Refusal(400, _invalid("page", "It should be a Positive Integer less than or equal to 10", "invalid"))
        seen = [ticket for ticket in self.created if self.is_seen(ticket.born)]
        found = [ticket for ticket in seen if (ticket.fields["custom_fields"].get(match[1]) or "") == match[2]]
        results = [self._shown(ticket) for ticket in one_page(found, request, per_page=30)]
        return web.json_response({"total": len(found), "results": results})

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(self._shown(self._existing(request)))

    async def _conversations(self, request: web.Request) -> web.Response:
        """Oldest first."""
        found = self._existing(request).conversations
        return web.json_response(one_page(found, request, per_page=100))

    async def _create(self, request: web.Request) -> web.Response:
        given = await _given(request)
        _check_ticket(given)
        fields = {
            **{name: given.get(name) for name in ("subject", "status", "priority", "source", "type")},
            **{name: given.get(name) for name in ("group_id", "responder_id", *WHO, "name")},
            "description": _filled(given["description"], len(self.tickets) + 301),
            "tags": given.get("tags", []),
            "custom_fields": {**dict.fromkeys(CUSTOM), **given.get("custom_fields", {})},
            "attachments": given.get("attachments", []),
        }
        ticket = Ticket(len(self.tickets) + 301, fields, self.now(), self.now())
        self.tickets[ticket.id] = ticket
        location = {"Location": f"{self.url}/api/v2/tickets/{ticket.id}"}
        return web.json_response(self._shown(ticket), status=201, headers=location)

    async def _update(self, request: web.Request) -> web.Response:
        ticket, given = self._existing(request), await _given(request)
        self.update(ticket.id, **given)
        return web.json_response(self._shown(ticket))

    async def _note(self, request: web.Request) -> web.Response:
        """A reply is mailed to the customer; a note stays inside unless it says otherwise."""
        ticket, given = self._existing(request), await _given(request)
        if not given.get("body"):
            raise Refusal(400, _invalid("body", "It should not be blank", "missing_field"))
        unknown = given.keys() - {"body", "private", "user_id", "notify_emails", "attachments", "incoming"}
        if unknown:
            raise Refusal(400, _invalid(min(unknown), "Unexpected/invalid field in request", "invalid_field"))
        is_reply = request.match_info["kind"] == "reply"
        made = {
            "id": self._next,
            "ticket_id": ticket.id,
            "body": _filled(given["body"], ticket.id),
            "body_text": _text(_filled(given["body"], ticket.id)),
            "private": not is_reply and bool(given.get("private", True)),
            "incoming": bool(given.get("incoming", False)),
            "source": 0 if is_reply else 2,
            "attachments": given.get("attachments", []),
            "created_at": _iso(self.now()),
            "updated_at": _iso(self.now()),
        }
        self._next += 1
        ticket.conversations.append(made)
        ticket.changed = self.now()
        return web.json_response(made, status=201)

    def _existing(self, request: web.Request) -> Ticket:
        ticket = self.tickets.get(int(request.match_info["id"]))
        if ticket is None or ticket.is_deleted:
            raise Refusal(404)
        return ticket

    def _shown(self, ticket: Ticket) -> dict[str, Any]:
        times = {"created_at": _iso(ticket.born), "updated_at": _iso(ticket.changed)}
        text = _text(ticket.fields["description"] or "")
        return {"id": ticket.id, **ticket.fields, "description_text": text, "spam": False, **times}


async def _given(request: web.Request) -> dict[str, Any]:
    """JSON, or a form in which lists end in [] and custom fields lie in brackets."""
    if not request.content_type.startswith("multipart/"):
        try:
            given: dict[str, Any] = json.loads(await request.read())
        except ValueError:
            raise Refusal(400, {"code": "invalid_json", "message": "Request body has invalid json format"}) from None
        return given
    given = {}
    for name, value in (await request.post()).items():
        _put(given, name, value)
    if sum(file["size"] for file in given.get("attachments", [])) > MAX_FILES_BYTES:
        raise Refusal(400, _invalid("attachments", "The total size exceeds 20 MB", "invalid_size"))
    return given


def _put(given: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(value, web.FileField):
        content = value.file.read()
        named = {"name": value.filename, "content_type": value.content_type}
        given.setdefault("attachments", []).append({**named, "size": len(content), "content": content.hex()})
    elif match := re.fullmatch(r"custom_fields\[(\w+)\]", name):
        given.setdefault("custom_fields", {})[match[1]] = value
    elif name.endswith("[]"):
        given.setdefault(name[:-2], []).append(value)
    else:
        given[name] = _typed(name, str(value))


def _typed(name: str, value: str) -> Any:
    """A form holds text alone."""
    if name in NUMBERS and value.isdecimal():
        return int(value)
    return {"true": True, "false": False}.get(value, value) if name in ("private", "incoming") else value


def _check_ticket(given: Mapping[str, Any]) -> None:
    """Every fault is named; what it does not know is refused."""
    faults = [_fault(name, "Unexpected/invalid field in request", "invalid_field") for name in given.keys() - KNOWN]
    absent = [name for name in ("subject", "description") if not given.get(name)]
    faults.extend(_fault(name, "It should be present", "missing_field") for name in absent)
    for name, allowed in (("priority", (1, 2, 3, 4)), ("status", (2, 3, 4, 5))):
        if given.get(name) not in allowed:
            faults.append(_fault(name, f"It should be one of these values: '{allowed}'", "invalid_value"))
    faults.extend(_faults_of_requester(given))
    faults.extend(_faults_of_length(given))
    faults.extend(_faults_of_custom(given.get("custom_fields", {})))
    if faults:
        raise Refusal(400, {"description": "Validation failed", "errors": faults})


def _faults_of_requester(given: Mapping[str, Any]) -> list[dict[str, str]]:
    if not any(given.get(name) for name in WHO):
        return [_fault("requester_id", "One of these fields must be present", "missing_field")]
    if given.get("phone") and not (given.get("email") or given.get("name")):
        return [_fault("name", "It should be present when only a phone is", "missing_field")]
    if given.get("email") and "@" not in given["email"]:
        return [_fault("email", "It should be in the 'valid email address' format", "invalid_value")]
    return []


def _faults_of_length(given: Mapping[str, Any]) -> list[dict[str, str]]:
    faults = []
    if any(len(str(tag)) > 32 or "," in str(tag) for tag in given.get("tags", [])):
        faults.append(_fault("tags", "It should be at most 32 characters", "invalid_value"))
    if len(str(given.get("subject", ""))) > 255:
        faults.append(_fault("subject", "It should be at most 255 characters", "invalid_value"))
    return faults


def _faults_of_custom(given: Mapping[str, Any]) -> list[dict[str, str]]:
    faults = []
    for name, value in given.items():
        choices = CUSTOM.get(name, {}).get("choices", [])
        if name not in CUSTOM:
            faults.append(_fault(name, "Unexpected/invalid field in request", "invalid_field"))
        elif choices and value not in choices:
            faults.append(_fault(name, f"It should be one of these values: '{','.join(choices)}'", "invalid_value"))
    return faults


def _check_names(request: web.Request, known: set[str]) -> None:
    for name in request.query.keys() - known:
        raise Refusal(400, _invalid(name, "Unexpected/invalid field in request", "invalid_field"))


def _invalid(name: str, message: str, code: str) -> dict[str, Any]:
    return {"description": "Validation failed", "errors": [_fault(name, message, code)]}


def _fault(name: str, message: str, code: str) -> dict[str, str]:
    return {"field": name, "message": message, "code": code}


def _filled(html: str, id_: int) -> str:
    """Agents may write placeholders."""
    return html.replace("{{ticket.id}}", str(id_))


def _text(html: str) -> str:
    lines = re.sub(r"<br ?/?>|</p>|</div>", "\n", html)
    return unescape(re.sub(r"<[^>]+>", "", lines))


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
