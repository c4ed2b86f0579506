"""Zammad in small, on real HTTP: tickets, articles, look-ups and signed webhooks.

After zammad/zammad (`tickets_controller`, `ticket_articles_controller`, `creates_ticket_articles`, `can_search`,
`selector/sql`, `user_agent`) and the pages "Ticket", "Articles" of its API documentation.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from aiohttp import web

from bench.servers.desk import Desk, Refusal, one_page

TOKEN = "zammad-simulated-token-of-nobody-0123456789"
WEBHOOK_SECRET = "zammad-hook-7d1f0a"
KEY_FIELD = "allears_key"
MAX_BODY_CHARS = 1_500_000
MAX_TITLE_CHARS = 250
PRIORITIES = {1: "1 low", 2: "2 normal", 3: "3 high"}
STATES = {1: "new", 2: "open", 3: "pending reminder", 4: "closed", 5: "merged"}
GROUPS = {1: "Users", 2: "投诉"}
TYPES = ("email", "sms", "chat", "fax", "phone", "note", "web")
SENDERS = ("Agent", "Customer", "System")
AGENT_ID = 3
AGENT: Mapping[str, Any] = {
    "id": AGENT_ID,
    "login": "allears@example.com",
    "firstname": "全听",
    "lastname": "机器人",
    "active": True,
}
_TICKET_FIELDS = {"title", "note", "pending_time", "type", "preferences"}
_ARTICLE_FIELDS = ("subject", "body", "content_type", "type", "sender", "internal", "message_id", "to", "cc")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_NEEDED = ("mime-type", "filename", "data")


class Zammad(Desk):
    """`await start()`; then `url`. `created`, `articles` and `people` hold what came of it."""

    WORK: ClassVar[str] = r"(POST|PUT) (?!/api/v1/tickets/search)"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__(now)
        self.created: dict[int, dict[str, Any]] = {}
        self.articles: list[dict[str, Any]] = []
        self.contents: dict[str, bytes] = {}
        """Of attachments, by the SHA-256 that articles name."""
        self.people: dict[int, dict[str, Any]] = {AGENT_ID: dict(AGENT)}
        self.custom_fields = {KEY_FIELD, "order_number"}
        """Object attributes an admin added to tickets; others vanish without a word."""
        self.has_search_engine = True
        """Else a `query` is looked for in titles, numbers and texts."""
        self.answers_plainly = False
        """As 5.x does: a search without `expand` gives ids."""
        self.access = dict.fromkeys(GROUPS.values(), "full")
        """What the token's user may do, by group."""

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.get("/api/v1/users/me", self._me),
            web.get("/api/v1/ticket_priorities", self._names(PRIORITIES)),
            web.get("/api/v1/ticket_states", self._names(STATES)),
            web.get("/api/v1/tickets", self._list),
            web.post("/api/v1/tickets", self._create),
            web.get("/api/v1/tickets/search", self._search),
            web.post("/api/v1/tickets/search", self._search),
            web.get(r"/api/v1/tickets/{id:\d+}", self._show),
            web.put(r"/api/v1/tickets/{id:\d+}", self._update),
            web.post("/api/v1/ticket_articles", self._add_article),
            web.get(r"/api/v1/ticket_articles/by_ticket/{id:\d+}", self._list_articles),
        ]

    def is_allowed(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "")
        return given.replace('"', "") in {f"Token token={TOKEN}", f"Bearer {TOKEN}"}

    def refusal(self, status: int, request: web.Request) -> web.Response:
        words = {401: "Can't find User for Token", 404: "Couldn't find Ticket with 'id'=7"}.get(
            status, f"{status} 拒绝"
        )
        return web.json_response({"error": words, "error_human": words}, status=status)

    # What agents do

    def change(self, ticket: int, **fields: Any) -> None:
        """An agent's hand: `state="closed"`, `owner="hanmeimei"`, `group="Users"`."""
        self.created[ticket].update(fields, updated_at=self._stamp())

    def merge(self, source: int, target: int) -> None:
        """The source's articles move."""
        self.change(source, state="merged")
        for article in self.articles:
            if article["ticket_id"] == source:
                article["ticket_id"] = target

    def delete(self, ticket: int) -> None:
        del self.created[ticket]
        self.articles = [article for article in self.articles if article["ticket_id"] != ticket]

    def hook(self, ticket: int) -> tuple[dict[str, str], bytes]:
        """Headers and body of the webhook that a trigger sends when this ticket changes."""
        shown = dict(self.created[ticket])
        owner = next((one for one in self.people.values() if one["login"] == shown["owner"]), None)
        group = {"name": shown.pop("group"), "active": True}
        priority = {"name": shown.pop("priority"), "active": True}
        payload = {"ticket": {**shown, "owner": owner, "group": group, "priority": priority}, "article": {}}
        body = json.dumps(payload, ensure_ascii=False).encode()
        signature = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha1).hexdigest()
        return {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Zammad User Agent",
            "X-Zammad-Trigger": "allears",
            "X-Zammad-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature": f"sha1={signature}",
        }, body

    # Who and what there is

    async def _me(self, request: web.Request) -> web.Response:
        groups = {str(number): [self.access[name]] for number, name in GROUPS.items() if name in self.access}
        shown = {"email": AGENT["login"], "role_ids": [2], "group_ids": groups}
        if "expand" in request.query:
            shown |= {"roles": ["Agent"], "groups": {name: [access] for name, access in self.access.items()}}
        return web.json_response({**AGENT, **shown})

    def _names(self, names: Mapping[int, str]) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.Response:
            return web.json_response([{"id": id_, "name": name, "active": True} for id_, name in names.items()])

        return answer

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response(one_page(self._readable(), request, per_page=100))

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(self._ticket(request.match_info["id"], "read"))

    def _ticket(self, id_: Any, access: str) -> dict[str, Any]:
        ticket = self.created.get(int(id_)) if str(id_).isdigit() else None
        if ticket is None:
            raise Refusal(404, _error(f"Couldn't find Ticket with 'id'={id_}"))
        if not self._may(ticket["group"], access):
            raise Refusal(403, _error("Not authorized"))
        return ticket

    def _may(self, group: str, access: str) -> bool:
        return self.access.get(group) in {"full", access}

    def _readable(self) -> list[dict[str, Any]]:
        return [ticket for ticket in self.created.values() if self._may(ticket["group"], "read")]

    # Writing: all or nothing, as in one transaction

    async def _create(self, request: web.Request) -> web.Response:
        given = await _json(request)
        group = _chosen(given, "group", GROUPS.values())
        if not group:
            raise Refusal(422, _error("The required value 'group_id' is missing."))
        if not self._may(group, "create"):
            raise Refusal(403, _error("Not authorized"))
        if not given.get("title"):
            raise Refusal(422, _error("Attribute 'title' required!"))
        if "tags" in given and not isinstance(given["tags"], str):
            raise Refusal(500, _error("undefined method `split' for an instance of Array"))
        customer = self._customer(given)
        article = self._article(given["article"], customer) if "article" in given else None
        number = len(self.created) + 1
        ticket = {
            "id": number,
            "number": f"{22000 + number}",
            "group": group,
            "priority": _chosen(given, "priority", PRIORITIES.values()) or "2 normal",
            "state": _chosen(given, "state", STATES.values()) or "new",
            "owner": self._owner(given) or "-",
            "customer_id": customer["id"],
            "created_at": self._stamp(),
            "updated_at": self._stamp(),
            "first_response_at": None,
            "close_at": None,
            "tags": [tag.strip() for tag in given.get("tags", "").split(",") if tag.strip()],
            **dict.fromkeys(sorted(self.custom_fields)),
            **self._known(given),
        }
        self.people[customer["id"]] = customer
        self.created[number] = ticket
        if article:
            self._keep_article(article, number)
        return web.json_response({name: ticket[name] for name in ticket if name != "tags"}, status=201)

    async def _update(self, request: web.Request) -> web.Response:
        given = await _json(request)
        ticket = self._ticket(request.match_info["id"], "change")
        article = self._article(given["article"], self.people[ticket["customer_id"]]) if "article" in given else None
        changed = {
            **self._known(given),
            "priority": _chosen(given, "priority", PRIORITIES.values()),
            "state": _chosen(given, "state", STATES.values()),
            "owner": self._owner(given),
        }
        self.change(ticket["id"], **{name: value for name, value in changed.items() if value is not None})
        if article:
            self._keep_article(article, ticket["id"])
        return web.json_response(ticket)

    async def _add_article(self, request: web.Request) -> web.Response:
        given = await _json(request)
        ticket = self._ticket(given.get("ticket_id"), "change")
        article = self._article(given, self.people[ticket["customer_id"]])
        return web.json_response(self._keep_article(article, ticket["id"]), status=201)

    async def _list_articles(self, request: web.Request) -> web.Response:
        ticket = self._ticket(request.match_info["id"], "read")
        return web.json_response([article for article in self.articles if article["ticket_id"] == ticket["id"]])

    def _known(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What a ticket has no attribute for is dropped without a word."""
        kept = {name: given[name] for name in self.custom_fields | _TICKET_FIELDS if name in given}
        title = re.sub(r"\s", " ", kept.get("title") or "")
        if len(title) > MAX_TITLE_CHARS:
            raise Refusal(422, _error("PG::StringDataRightTruncation: ERROR: value too long for type varchar(250)"))
        return {**kept, "title": title} if "title" in kept else kept

    def _owner(self, given: Mapping[str, Any]) -> str | None:
        return _chosen(given, "owner", [one["login"] for one in self.people.values()])

    def _customer(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`guess:` finds or makes one by e-mail; an object is looked for by id, e-mail and login."""
        wanted = given.get("customer_id")
        if isinstance(wanted, str) and wanted.startswith("guess:"):
            email = wanted.removeprefix("guess:")
            if not _EMAIL.fullmatch(email):
                raise Refusal(422, {"error": f"Invalid email '{email}' of customer"})
            return self._person({"email": email, "login": email})
        if wanted:
            if int(wanted) not in self.people:
                raise Refusal(422, _error(f"Invalid value for param 'customer_id': {wanted}"))
            return self.people[int(wanted)]
        if isinstance(given.get("customer"), dict) and given["customer"]:
            return self._person(given["customer"])
        raise Refusal(422, _error("Attribute 'customer_id' required!"))

    def _person(self, given: Mapping[str, Any]) -> dict[str, Any]:
        for name in ("email", "login"):
            value = str(given.get(name) or "").lower()
            for person in self.people.values():
                if value and str(person.get(name) or "").lower() == value:
                    return person
        if given.get("email") and not _EMAIL.fullmatch(given["email"]):
            raise Refusal(422, _error(f"Invalid email '{given['email']}'"))
        if not any(given.get(name) for name in ("login", "firstname", "lastname", "phone", "mobile", "email")):
            raise Refusal(422, _error("At least one identifier for user is required."))
        shown = {name: given.get(name, "") for name in ("firstname", "lastname", "email", "phone", "mobile")}
        id_ = max(self.people) + 1
        login = str(given.get("login") or given.get("email") or f"auto-{id_}").lower()
        return {"id": id_, "login": login, "active": True, **shown}

    def _article(self, given: Any, customer: Mapping[str, Any]) -> dict[str, Any]:
        """An article that may be kept."""
        if not isinstance(given, dict) or not given.get("body"):
            raise Refusal(422, _error('Need at least article: { body: "some text" }'))
        if len(given["body"]) > MAX_BODY_CHARS:
            words = f"body of article is too large, {len(given['body'])} chars - only {MAX_BODY_CHARS} allowed"
            raise Refusal(422, _error(words))
        sender = _chosen(given, "sender", SENDERS) or "Agent"
        shown = {name: given.get(name) for name in _ARTICLE_FIELDS}
        contents = [_content(one, index) for index, one in enumerate(given.get("attachments") or [])]
        files = [self._file(one, content) for one, content in contents]
        writer = customer if sender == "Customer" else AGENT
        return {
            **shown,
            "type": _chosen(given, "type", TYPES) or "note",
            "sender": sender,
            "internal": bool(given.get("internal")),
            "content_type": given.get("content_type") or "text/plain",
            "from": f"{writer.get('firstname', '')} {writer.get('lastname', '')}".strip(),
            "origin_by_id": customer["id"] if sender == "Customer" else None,
            "attachments": files,
        }

    def _file(self, given: Mapping[str, Any], content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        self.contents[digest] = content
        preferences = {"Mime-Type": given["mime-type"]}
        return {"filename": given["filename"], "size": len(content), "preferences": preferences, "sha256": digest}

    def _keep_article(self, article: dict[str, Any], ticket: int) -> dict[str, Any]:
        article |= {"id": len(self.articles) + 1, "ticket_id": ticket, "created_at": self._stamp()}
        self.articles.append(article)
        return article

    # Looking up

    async def _search(self, request: web.Request) -> web.Response:
        given = {**request.query, **(await _json(request) if request.method == "POST" else {})}
        query, condition = str(given.get("query") or ""), given.get("condition") or {}
        if query and self.has_search_engine:
            found = [one for one in self._readable() if self._is_indexed(one) and _matches_query(one, query)]
        else:
            found = [one for one in self._readable() if self._holds(one, query) and self._meets(one, condition)]
        found = found[: min(int(given.get("limit") or 50), 200)]
        if "expand" in given or not self.answers_plainly:
            return web.json_response(found)
        assets = {"Ticket": {str(one["id"]): one for one in found}}
        shown = {"tickets": [one["id"] for one in found], "tickets_count": len(found), "assets": assets}
        return web.json_response(shown)

    def _is_indexed(self, ticket: Mapping[str, Any]) -> bool:
        return self.is_seen(datetime.fromisoformat(ticket["created_at"]).timestamp())

    def _holds(self, ticket: Mapping[str, Any], query: str) -> bool:
        texts = [ticket["title"], ticket["number"]]
        texts += [one["body"] for one in self.articles if one["ticket_id"] == ticket["id"]]
        return not query or any(query.lower() in text.lower() for text in texts)

    def _meets(self, ticket: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
        for name, wanted in condition.items():
            table, _, field = name.partition(".")
            if not field:
                continue  # a name without its table is dropped
            if table != "ticket" or wanted.get("operator") != "is":
                raise Refusal(422, _error(f"invalid selector {name}"))
            if field not in ticket:
                raise Refusal(422, _error(f'PG::UndefinedColumn: ERROR: column tickets.{field} does not exist "'))
            if str(ticket[field]) not in {str(one) for one in _several(wanted["value"])}:
                return False
        return True

    def _stamp(self) -> str:
        return datetime.fromtimestamp(self.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _matches_query(ticket: Mapping[str, Any], query: str) -> bool:
    """`field:"value"` of the search engine's language, else words of the title."""
    match = re.fullmatch(r'(\w+):"([^"]*)"', query)
    if match:
        return str(ticket.get(match[1])) == match[2]
    return query.lower() in ticket["title"].lower()


def _chosen(given: Mapping[str, Any], name: str, known: Iterable[str]) -> str | None:
    value = given.get(name)
    if value is None:
        return None
    if value not in known:
        raise Refusal(422, _error(f"No lookup value found for '{name}': {json.dumps(value)}"))
    return str(value)


def _content(given: Mapping[str, Any], index: int) -> tuple[Mapping[str, Any], bytes]:
    for name in _NEEDED:
        if not given.get(name):
            raise Refusal(422, _error(f"Attachment needs '{name}' param for attachment with index '{index}'"))
    try:
        return given, base64.b64decode(re.sub(r"[\r\n]", "", given["data"]), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(422, _error(f"Invalid base64 for attachment with index '{index}'")) from None


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        given = await request.json()
    except ValueError:
        raise Refusal(400, _error("Invalid JSON")) from None
    return given if isinstance(given, dict) else {}


def _error(words: str) -> dict[str, str]:
    return {"error": words, "error_human": words}
