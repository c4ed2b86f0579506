"""ServiceNow in small: Table API, Attachment API and OAuth of one instance ("REST API reference: Table API").

What an instance does without a word: fields it does not know or that are read-only are dropped, a clause of a query
whose field it does not know too (all rows are found then), long strings are cut.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import md5
from typing import Any, ClassVar
from urllib.parse import unquote_plus

from aiohttp import web

from allears_sdk.testing.memory import Fault
from bench.servers.desk import Desk, Refusal, Trouble

USER = "allears.intake"
PASSWORD = "kQ7#simulated-password"
CLIENT_ID = "5f1c0de0c1ee4a0f9a6f"
CLIENT_SECRET = "simulated-client-secret"
JOURNALS = {"comments": "Additional comments", "work_notes": "Work notes"}
TASK_COLUMNS = {
    "number": 40,
    "short_description": 160,
    "description": 4000,
    "correlation_id": 100,
    "correlation_display": 100,
    "state": 40,
    "active": 40,
    "priority": 40,
    "contact_type": 40,
    "assigned_to": 32,
    "assignment_group": 32,
    "parent": 32,
}
"""Longest value of each, in characters."""
TABLES: Mapping[str, Mapping[str, int]] = {
    "incident": {**TASK_COLUMNS, "impact": 40, "urgency": 40, "caller_id": 32, "category": 40, "u_order": 80},
    "sn_customerservice_case": {**TASK_COLUMNS, "contact": 32, "account": 32},
}
PREFIX = {"incident": "INC", "sn_customerservice_case": "CS"}
SYSTEM_COLUMNS = frozenset({"sys_id", "sys_created_on", "sys_updated_on"})
CLOSED = "7"
_CLAUSE = re.compile(r"(\w+?)(!=|=|LIKE|STARTSWITH|ISNOTEMPTY|ISEMPTY)(.*)")


@dataclass
class Row:
    """A record; journals and files lie in tables of their own."""

    table: str
    values: dict[str, str]
    journal: list[tuple[str, str, float]] = field(default_factory=list)
    """(column, text, Unix time), oldest first."""
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def sys_id(self) -> str:
        return self.values["sys_id"]

    def text_of(self, column: str) -> str:
        """A journal column as people read it, newest first."""
        title = JOURNALS[column]
        entries = [
            f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} - allears intake ({title})\n{text}\n\n"
            for name, text, at in self.journal
            if name == column
        ]
        return "".join(reversed(entries))


class ServiceNow(Desk):
    """`await start()`; then `url`, an instance's address."""

    WORK: ClassVar[str] = r"(POST|PUT|PATCH) /api/"
    STATUS: ClassVar[Mapping[Trouble, int]] = {Fault.REJECT: 403}

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__(now)
        self.rows: list[Row] = []
        self.read_only: set[str] = set()
        """Columns that a field-level rule keeps from us: what is written there is dropped."""
        self.unreadable: set[str] = set()
        """Columns that a field-level rule hides from us."""
        self.hides_records = False
        """What we make is not for us to see: the answer is empty but for its Location."""
        self.refuses_bad_queries = False
        """`glide.invalid_query.returns_no_rows`."""
        self.closed_is_read_only = True
        self.may_insert = True
        self.max_file_bytes = 1 << 30
        self.tokens: set[str] = set()

    def routes(self) -> Iterable[web.RouteDef]:
        api = r"/api/now{version:(?:/v\d)?}"
        return [
            web.get(api + "/table/{table}", self._list),
            web.post(api + "/table/{table}", self._insert),
            web.get(api + "/table/{table}/{sys_id}", self._get),
            web.patch(api + "/table/{table}/{sys_id}", self._update),
            web.put(api + "/table/{table}/{sys_id}", self._update),
            web.get(api + "/attachment", self._attachments),
            web.post(api + "/attachment/file", self._attach),
            web.post("/oauth_token.do", self._token),
        ]

    def is_allowed(self, request: web.Request) -> bool:
        if request.path == "/oauth_token.do":
            return True
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return (kind == "Basic" and given == basic) or (kind == "Bearer" and given in self.tokens)

    def refusal(self, status: int, request: web.Request) -> web.Response:
        message, detail = {
            401: ("User Not Authenticated", "Required to provide Auth information"),
            403: ("Operation Failed", "Data Policy Exception: The following fields are mandatory: Caller 没有权限"),
            404: ("No Record found", "Record doesn't exist or ACL restricts the record retrieval"),
            429: ("Rate limit exceeded", "Rate limit of 10 requests per hour"),
        }.get(status, (f"{status}", ""))
        return web.json_response(_error(message, detail), status=status)

    # What happens in the instance

    def make(self, table: str, **values: str) -> Row:
        """As an agent makes one."""
        number = f"{PREFIX[table]}{10_001 + len(self.rows):07d}"
        sys_id = md5(f"{table}/{len(self.rows)}".encode(), usedforsecurity=False).hexdigest()
        now = f"{datetime.fromtimestamp(self.now(), UTC):%Y-%m-%d %H:%M:%S}"
        row = Row(table=table, values=dict.fromkeys(TABLES[table], ""))
        row.values |= {"sys_id": sys_id, "number": number, "state": "1", "active": "true", "sys_created_on": now}
        row.values |= values
        self.rows.append(row)
        return row

    def find(self, sys_id: str) -> Row:
        for row in self.rows:
            if row.sys_id == sys_id:
                return row
        raise Refusal(404, _error("No Record found", "Record doesn't exist or ACL restricts the record retrieval"))

    def close(self, sys_id: str) -> None:
        self.find(sys_id).values |= {"state": CLOSED, "active": "false"}

    def delete(self, sys_id: str) -> None:
        self.rows.remove(self.find(sys_id))

    # Tables

    async def _list(self, request: web.Request) -> web.Response:
        table = _table(request)
        found = [row for row in self.rows if row.table == table and self._matches(row, request)]
        start, size = int(request.query.get("sysparm_offset", 0)), int(request.query.get("sysparm_limit", 10_000))
        shown = [self._shown(row, request) for row in found[start : start + size]]
        return web.json_response({"result": shown}, headers={"X-Total-Count": str(len(found))})

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response({"result": self._shown(self._asked(request), request)})

    async def _insert(self, request: web.Request) -> web.Response:
        table, given = _table(request), await _given(request)
        if not self.may_insert:
            raise Refusal(403, _error("Operation Failed", "ACL Exception Insert Failed due to security constraints"))
        row = self.make(table)
        self._write(row, given)
        location = f"{self.url}/api/now/table/{table}/{row.sys_id}"
        return web.json_response({"result": self._shown(row, request)}, status=201, headers={"Location": location})

    async def _update(self, request: web.Request) -> web.Response:
        row = self._asked(request)
        if row.values["state"] == CLOSED and self.closed_is_read_only:
            raise Refusal(403, _error("Operation Failed", "ACL Exception Update Failed due to security constraints"))
        self._write(row, await _given(request))
        return web.json_response({"result": self._shown(row, request)})

    def _asked(self, request: web.Request) -> Row:
        row = self.find(request.match_info["sys_id"])
        if row.table != _table(request):
            raise Refusal(404, _error("No Record found", "Record doesn't exist or ACL restricts the record retrieval"))
        return row

    def _write(self, row: Row, given: Mapping[str, Any]) -> None:
        columns = TABLES[row.table]
        for name, value in given.items():
            if name in self.read_only:
                continue
            if name in JOURNALS and value:
                row.journal.append((name, str(value), self.now()))
            elif name in columns:
                row.values[name] = str(value)[: columns[name]]

    def _matches(self, row: Row, request: web.Request) -> bool:
        clauses = [clause for clause in request.query.get("sysparm_query", "").split("^") if clause]
        return all(self._holds(row, clause) for clause in clauses if not clause.startswith("ORDERBY"))

    def _holds(self, row: Row, clause: str) -> bool:
        match = _CLAUSE.fullmatch(clause)
        if not match or match[1] not in TABLES[row.table].keys() | SYSTEM_COLUMNS:
            return not self.refuses_bad_queries
        value, operator, wanted = row.values[match[1]], match[2], match[3]
        return {
            "=": value.lower() == wanted.lower(),
            "!=": value.lower() != wanted.lower(),
            "LIKE": wanted.lower() in value.lower(),
            "STARTSWITH": value.lower().startswith(wanted.lower()),
            "ISEMPTY": not value,
            "ISNOTEMPTY": bool(value),
        }[operator]

    def _shown(self, row: Row, request: web.Request) -> dict[str, Any]:
        """By `sysparm_display_value`: a journal has no raw value."""
        how = request.query.get("sysparm_display_value", "false")
        if self.hides_records:
            return {}
        asked = [name for name in request.query.get("sysparm_fields", "").split(",") if name]
        there = [name for name in (*row.values, *JOURNALS) if name not in self.unreadable]
        return {name: _displayed(row, name, how) for name in (asked or there) if name in there}

    # Files and tokens

    async def _attachments(self, request: web.Request) -> web.Response:
        """A clause with a column it does not know is dropped here too."""
        clauses = dict(one.partition("=")[::2] for one in request.query.get("sysparm_query", "").split("^") if one)
        rows = [
            {"table_name": row.table, "table_sys_id": row.sys_id, "file_name": name, "size_bytes": str(len(data))}
            for row in self.rows
            for name, data in row.files.items()
        ]
        found = [row for row in rows if all(row[name] == clauses[name] for name in clauses.keys() & row.keys())]
        return web.json_response({"result": found}, headers={"X-Total-Count": str(len(found))})

    async def _attach(self, request: web.Request) -> web.Response:
        query = request.query
        row = self.find(query["table_sys_id"])
        data = await request.read()
        if len(data) > self.max_file_bytes:
            raise Refusal(413, _error("Request entity too large", f"The size is limited to {self.max_file_bytes}"))
        row.files[query["file_name"]] = data
        result = {"sys_id": f"{len(row.files):032x}", "file_name": query["file_name"], "size_bytes": str(len(data))}
        location = f"{self.url}/api/now/attachment/{result['sys_id']}"
        return web.json_response({"result": result}, status=201, headers={"Location": location})

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        given = (form.get("grant_type"), *_client(request, form))
        if given != ("client_credentials", CLIENT_ID, CLIENT_SECRET):
            body = {"error": "access_denied", "error_description": "access_denied"}
            return web.json_response(body, status=401)
        token = f"simulated-access-token-{len(self.tokens)}"
        self.tokens.add(token)
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": 1799})


def _client(request: web.Request, form: Mapping[str, str]) -> tuple[str, str]:
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind != "Basic" or "client_id" in form:
        return form.get("client_id", ""), form.get("client_secret", "")
    name, _, secret = base64.b64decode(given).decode().partition(":")
    return unquote_plus(name), unquote_plus(secret)


def _table(request: web.Request) -> str:
    table = request.match_info["table"]
    if table not in TABLES:
        raise Refusal(400, _error(f"Invalid table {table}", None))
    return table


async def _given(request: web.Request) -> dict[str, Any]:
    """Of a list the first counts."""
    given: Any = await request.json()
    return dict(given[0] if isinstance(given, list) else given)


def _displayed(row: Row, name: str, how: str) -> Any:
    value = row.values.get(name, "")
    shown = row.text_of(name) if name in JOURNALS else value
    return {"true": shown, "all": {"display_value": shown, "value": value}}.get(how, value)


def _error(message: str, detail: str | None) -> dict[str, Any]:
    return {"error": {"message": message, "detail": detail}, "status": "failure"}
