"""Feishu Bitable 飞书多维表格 in small: one app, its tables, records with `client_token`, media.

After the pages "Create a record", "Search records", "Update a record", "List fields", "Upload media" and the error
table of bitable-v1. How long a `client_token` is known is not documented: here an hour.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from allears_sdk.testing.memory import Fault
from bench.servers.desk import Desk, Refusal

APP_ID = "cli_a1b2c3d4e5f6a7b8"
APP_SECRET = "bitable-app-secret-7f3a9c"
APP_TOKEN = "bascnCMII2ORej2RItqpZZUNMIe"
TABLE = "tblsRc9GRRXKqhvW"
FOLLOW_UPS = "tblFollowUps0001"
TEXT, NUMBER, SINGLE, MULTI, DATE, CHECKBOX, PERSON, PHONE, LINK, FILES, RELATION = 1, 2, 3, 4, 5, 7, 11, 13, 15, 17, 18
TOKEN_SECONDS = 7200
CLIENT_TOKEN_SECONDS = 3600.0
MAX_CELL_CHARS = 100_000
_BASE = "/open-apis/bitable/v1/apps/{app}"
_TABLE = _BASE + "/tables/{table}"
_CONVERSIONS = {
    TEXT: (1254060, "TextFieldConvFail"),
    NUMBER: (1254061, "NumberFieldConvFail"),
    SINGLE: (1254062, "SingleSelectFieldConvFail"),
    MULTI: (1254063, "MultiSelectFieldConvFail"),
    DATE: (1254064, "DatetimeFieldConvFail"),
    CHECKBOX: (1254065, "CheckboxFieldConvFail"),
    PERSON: (1254066, "UserFieldConvFail"),
    PHONE: (1254060, "TextFieldConvFail"),
    LINK: (1254068, "URLFieldConvFail"),
    FILES: (1254069, "AttachFieldConvFail"),
    RELATION: (1254067, "LinkFieldConvFail"),
}


@dataclass
class Record:
    id: str
    fields: dict[str, Any]
    written_at: float


@dataclass
class Table:
    """`fields` are name → type; a select's options are made by writing them."""

    fields: dict[str, int]
    options: dict[str, list[str]] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)


COMPLAINT_FIELDS = {
    "投诉编号": TEXT,
    "标题": TEXT,
    "问题描述": TEXT,
    "投诉渠道": SINGLE,
    "紧急程度": SINGLE,
    "问题分类": SINGLE,
    "客户期望": MULTI,
    "投诉时间": DATE,
    "客户": TEXT,
    "电话": PHONE,
    "跟进记录": TEXT,
    "附件": FILES,
    "allears": TEXT,
}


class Bitable(Desk):
    WORK = r"(POST|PUT) /open-apis/(bitable/v1/apps/\w+/tables/\w+/records(/rec\w+)?$|drive/)"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__(now)
        self.secret = APP_SECRET
        self.tables = {
            TABLE: Table(fields=dict(COMPLAINT_FIELDS)),
            FOLLOW_UPS: Table(fields={"跟进内容": TEXT, "投诉": RELATION, "附件": FILES, "allears": TEXT}),
        }
        self.media: dict[str, tuple[str, bytes]] = {}
        """File token → name and bytes."""
        self.is_collaborator = True
        """False: the app was not added to the document."""
        self.next_codes: list[int] = []
        """Codes that the next writes get; nothing is done."""
        self._tokens: dict[str, float] = {}
        self._made: dict[str, tuple[str, float]] = {}
        self._numbers = itertools.count(1)

    @property
    def created(self) -> list[Record]:
        return list(self.tables[TABLE].records.values())

    @property
    def comments(self) -> list[Record]:
        return list(self.tables[FOLLOW_UPS].records.values())

    @property
    def files(self) -> dict[str, bytes]:
        return dict(self.media.values())

    async def fail_next(self, fault: Fault) -> None:
        if fault is Fault.EXPIRED:  # a token alone is renewed: the secret is another now
            self.secret = "changed-in-the-console"
            self._tokens.clear()
        elif fault is Fault.GONE:
            self.tables[TABLE].records.clear()
        else:
            await super().fail_next(fault)

    def expire_tokens(self) -> None:
        self._tokens.clear()

    def delete(self, record: str, table: str = TABLE) -> None:
        del self.tables[table].records[record]

    # What Desk asks for

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post("/open-apis/auth/v3/tenant_access_token/internal", self._token),
            web.get(_BASE, self._app),
            web.get(_TABLE + "/fields", self._list_fields),
            web.post(_TABLE + "/records", self._create),
            web.post(_TABLE + "/records/search", self._search),
            web.get(_TABLE + "/records/{record}", self._get),
            web.put(_TABLE + "/records/{record}", self._update),
            web.post("/open-apis/drive/v1/medias/upload_all", self._upload),
        )

    def is_allowed(self, request: web.Request) -> bool:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return "/auth/" in request.path or self._tokens.get(token, 0) > self.now()

    def refusal(self, status: int, request: web.Request) -> web.Response:
        http, code, text = _WORDS[status]
        return web.json_response({"code": code, "msg": text}, status=http)

    # Calls

    async def _token(self, request: web.Request) -> web.Response:
        given = await request.json()
        if (given.get("app_id"), given.get("app_secret")) != (APP_ID, self.secret):
            return web.json_response({"code": 10014, "msg": "app secret invalid"})
        token = f"t-{next(self._numbers):020x}"
        self._tokens[token] = self.now() + TOKEN_SECONDS
        return web.json_response({"code": 0, "msg": "ok", "tenant_access_token": token, "expire": TOKEN_SECONDS})

    async def _app(self, request: web.Request) -> web.Response:
        self._check_app(request)
        return _answer({"app": {"app_token": APP_TOKEN, "name": "客诉台账", "revision": 12, "is_advanced": False}})

    async def _list_fields(self, request: web.Request) -> web.Response:
        table = self._table(request)
        items = [
            {
                "field_id": f"fld{number:07d}",
                "field_name": name,
                "type": kind,
                "is_primary": number == 0,
                "property": {"options": [{"name": option} for option in table.options.get(name, [])]},
            }
            for number, (name, kind) in enumerate(table.fields.items())
        ]
        return _answer(_page(items, request))

    async def _create(self, request: web.Request) -> web.Response:
        table = self._table(request)
        fields = self._checked(table, (await request.json()).get("fields"))
        key = request.query.get("client_token", "")
        known, at = self._made.get(key, ("", 0.0)) if key else ("", 0.0)
        if known and self.now() - at < CLIENT_TOKEN_SECONDS:
            return _answer({"record": {"record_id": known, "id": known, "fields": fields}})
        if key and not _is_uuid(key):
            raise _refuse(99992402, "field validation failed", status=400)
        record = Record(f"rec{next(self._numbers):08d}", fields, self.now())
        table.records[record.id] = record
        if key:
            self._made[key] = (record.id, self.now())
        return _answer({"record": {"record_id": record.id, "id": record.id, "fields": fields}})

    async def _search(self, request: web.Request) -> web.Response:
        """What stands in the body in the wrong place is not read, and nothing is filtered by it."""
        table, given = self._table(request), await request.json()
        conditions = (given.get("filter") or {}).get("conditions") or []
        for condition in conditions:
            if condition["field_name"] not in table.fields:
                raise _refuse(1254018, "InvalidFilter", status=400)
        seen = (record for record in table.records.values() if self.is_seen(record.written_at))
        found = [record for record in seen if all(_matches(record, one) for one in conditions)]
        return _answer({"total": len(found), **_page([_shown(table, record) for record in found], request)})

    async def _get(self, request: web.Request) -> web.Response:
        table = self._table(request)
        return _answer({"record": _shown(table, self._record(table, request))})

    async def _update(self, request: web.Request) -> web.Response:
        """Fields that are not named stay as they are."""
        table = self._table(request)
        record = self._record(table, request)
        fields = self._checked(table, (await request.json()).get("fields"))
        if all(record.fields.get(name) == value for name, value in fields.items()):
            raise _refuse(1254606, "DataNotChange")
        record.fields.update(fields)
        return _answer({"record": {"record_id": record.id, "fields": record.fields}})

    async def _upload(self, request: web.Request) -> web.Response:
        given = await request.post()
        file = given["file"]
        if given["parent_node"] != APP_TOKEN or given["parent_type"] not in ("bitable_file", "bitable_image"):
            raise _refuse(1061002, "params error.", status=400)
        content = _bytes(file)
        if int(str(given["size"])) != len(content):
            raise _refuse(1062009, "actual size is inconsistent with the parameter declaration size", status=400)
        token = f"boxcn{next(self._numbers):020d}"
        self.media[token] = (str(given["file_name"]), content)
        return _answer({"file_token": token})

    # Rules

    def _check_app(self, request: web.Request) -> None:
        if request.match_info["app"] != APP_TOKEN:
            raise _refuse(1254040, "BaseTokenNotFound")
        if not self.is_collaborator:
            raise _refuse(1254302, "Permission denied.", status=403)

    def _table(self, request: web.Request) -> Table:
        self._check_app(request)
        if request.match_info["table"] not in self.tables:
            raise _refuse(1254041, "TableIdNotFound")
        if self.next_codes and request.method in ("POST", "PUT") and not request.path.endswith("/search"):
            raise _refuse(self.next_codes.pop(0), "told so by the test")
        return self.tables[request.match_info["table"]]

    def _record(self, table: Table, request: web.Request) -> Record:
        if request.match_info["record"] not in table.records:
            raise _refuse(1254043, "RecordIdNotFound")
        return table.records[request.match_info["record"]]

    def _checked(self, table: Table, fields: Any) -> dict[str, Any]:
        if not isinstance(fields, dict):
            raise _refuse(1254001, "WrongRequestBody", status=400)
        for name, value in fields.items():
            if name not in table.fields:
                raise _refuse(1254045, "FieldNameNotFound")
            kind = table.fields[name]
            if not self._fits(kind, value):
                raise _refuse(*_CONVERSIONS[kind])
            if isinstance(value, str) and len(value) > MAX_CELL_CHARS:
                raise _refuse(1254130, "TooLargeCell")
            self._grow(table, name, value)
        return dict(fields)

    def _fits(self, kind: int, value: Any) -> bool:
        if kind == FILES:
            return isinstance(value, list) and all(one.get("file_token") in self.media for one in value)
        if kind in (MULTI, RELATION):
            return isinstance(value, list) and all(isinstance(one, str) for one in value)
        if kind in (NUMBER, DATE):
            return isinstance(value, int | float) and (kind == NUMBER or value > 10_000_000_000)
        if kind == CHECKBOX:
            return isinstance(value, bool)
        if kind == LINK:
            return isinstance(value, dict) and isinstance(value.get("link"), str)
        return isinstance(value, str)

    def _grow(self, table: Table, name: str, value: Any) -> None:
        """An option that is not there yet is made."""
        if table.fields[name] in (SINGLE, MULTI):
            options = table.options.setdefault(name, [])
            options.extend(one for one in (value if isinstance(value, list) else [value]) if one not in options)


_WORDS: Mapping[int, tuple[int, int, str]] = {
    401: (400, 99991663, "Invalid access token for authorization. Please make a test attempt."),
    404: (200, 1254043, "RecordIdNotFound"),
    422: (200, 1254060, "TextFieldConvFail"),
    429: (429, 99991400, "request trigger frequency limit"),
    503: (200, 1254290, "TooManyRequest"),
}


def _matches(record: Record, condition: Mapping[str, Any]) -> bool:
    value = record.fields.get(condition["field_name"])
    if condition["operator"] == "isNotEmpty":
        return bool(value)
    if condition["operator"] == "contains":
        return str(condition["value"][0]) in str(value)
    assert condition["operator"] == "is", "the simulator knows no other"
    return bool(value == condition["value"][0])


def _shown(table: Table, record: Record) -> dict[str, Any]:
    """A text comes back in segments."""
    fields = {
        name: [{"text": value, "type": "text"}] if table.fields[name] == TEXT else value
        for name, value in record.fields.items()
    }
    return {"record_id": record.id, "fields": fields}


def _page(items: list[Any], request: web.Request) -> dict[str, Any]:
    start, size = int(request.query.get("page_token") or 0), min(int(request.query.get("page_size") or 20), 500)
    has_more = start + size < len(items)
    more = {"page_token": str(start + size)} if has_more else {}
    return {"items": items[start : start + size], "has_more": has_more, **more}


def _bytes(part: Any) -> bytes:
    """Feishu's own client sends the part without a file name. A request may be read twice."""
    if isinstance(part, web.FileField):
        part.file.seek(0)
        return part.file.read()
    return part.encode() if isinstance(part, str) else bytes(part)


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _answer(data: Mapping[str, Any]) -> web.Response:
    return web.json_response({"code": 0, "msg": "success", "data": data})


def _refuse(code: int, text: str, *, status: int = 200) -> Refusal:
    return Refusal(status, {"code": code, "msg": text})
