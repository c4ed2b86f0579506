"""Salesforce's REST API in small, on real HTTP: tokens, Case with a unique external id, composite requests, SOQL.

REST API Developer Guide ("Composite", "Insert or Update (Upsert) a Record Using an External ID", "Query");
"OAuth 2.0 Client Credentials Flow" and "OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration".
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from aiohttp import web

from allears_sdk.testing.memory import Fault
from bench.servers.desk import Desk
from bench.servers.salesforce_org import KEY_FIELD, Org, Refused

CLIENT_ID = "3MVG9simulated.consumer.key.of.nobody"
CLIENT_SECRET = "9A8B7C6D-simulated-consumer-secret"
USERNAME = "allears@example-shop.cn.integration"
AUDIENCE = "https://login.salesforce.com"
GRANT_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
OLDEST_VERSION, NEWEST_VERSION = 21.0, 66.0
MAX_SUBREQUESTS = 25
MAX_RECORDS = 200
LONGEST_ASSERTION_SECONDS = 300
_REFERENCE = re.compile(r"@\{(\w+)\.(\w+)\}")


class Salesforce(Desk):
    """`await start()`; then `url` is the org's My Domain. `org` holds the records."""

    WORK: ClassVar[str] = r"(POST|PATCH) /services/data/[^/]+/(composite(/sobjects)?$|sobjects/(Case|CaseComment)\b)"
    STATUS: ClassVar[Mapping[Any, int]] = {Fault.REJECT: 400, Fault.GONE: 404}

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__(now)
        self.org = Org()
        self.public_key: Any = None
        """The certificate uploaded to the app, for the JWT flow."""
        self.page_size = 2000
        self.is_locked_out = False
        """The app's user was frozen: tokens are given, and taken by nobody."""
        self.has_quota = True
        self._tokens: set[str] = set()
        self._given = 0
        self._cursors: dict[str, list[dict[str, Any]]] = {}

    # What a test looks at

    def cases(self) -> list[dict[str, Any]]:
        return [row for row in self.org.rows["Case"] if not row["IsDeleted"]]

    def comments(self, case: str = "") -> list[dict[str, Any]]:
        return [row for row in self.org.rows["CaseComment"] if case in ("", row["ParentId"])]

    def files(self, case: str) -> list[tuple[str, bytes]]:
        """Name and bytes of what is linked to a case."""
        linked = [
            row["ContentDocumentId"] for row in self.org.rows["ContentDocumentLink"] if row["LinkedEntityId"] == case
        ]
        versions = {row["ContentDocumentId"]: row for row in self.org.rows["ContentVersion"]}
        return [(versions[id_]["PathOnClient"], base64.b64decode(versions[id_]["VersionData"])) for id_ in linked]

    def key_of(self, case: str) -> str:
        row = self.org.row("Case", case)
        return str(row[KEY_FIELD]) if row else ""

    # What a test does over there

    def end_sessions(self) -> None:
        self._tokens.clear()

    def delete(self, case: str, *, into: str = "") -> None:
        """Into the recycle bin; `into`: merged into that one."""
        row = self.org.row("Case", case)
        assert row is not None
        row |= {"IsDeleted": True, "MasterRecordId": into or None}

    async def fail_next(self, fault: Fault) -> None:
        if fault is Fault.EXPIRED:
            self.is_locked_out = True
        else:
            await super().fail_next(fault)

    # Answering

    def routes(self) -> Iterable[web.RouteDef]:
        data = "/services/data/{version}"
        return [
            web.post("/services/oauth2/token", self._token),
            web.get("/services/data/", self._versions),
            web.get("/services/data", self._versions),
            web.get(data + "/query", self._query),
            web.get(data + "/query/", self._query),
            web.get(data + "/query/{cursor}", self._more),
            web.post(data + "/composite", self._composite),
            web.post(data + "/composite/sobjects", self._collection),
            web.route("*", data + "/sobjects/{path:.+}", self._sobjects),
        ]

    def is_allowed(self, request: web.Request) -> bool:
        if request.path == "/services/oauth2/token" or request.path.rstrip("/") == "/services/data":
            return True
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme == "Bearer" and token in self._tokens and not self.is_locked_out

    def refusal(self, status: int, request: web.Request) -> web.Response:
        body = _REFUSALS.get(status, [{"message": "服务器忙 busy", "errorCode": "SERVER_UNAVAILABLE"}])
        if status in (400, 404) and request.path.endswith("/composite"):
            asked = json.loads(self.calls[-1].body)["compositeRequest"]
            return web.json_response({"compositeResponse": _halted(asked, 0, status, body)})
        if status in (400, 404) and request.path.endswith("/composite/sobjects"):
            records = json.loads(self.calls[-1].body)["records"]
            return web.json_response([_failed(body[0]) for _ in records])
        return web.json_response(body, status=status)

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            form["client_id"], _, form["client_secret"] = base64.b64decode(credentials).decode().partition(":")
        error = self._grant_error(form)
        if error:
            return web.json_response({"error": error[0], "error_description": error[1]}, status=400)
        self._given += 1
        token = f"00D5g000004Xyz!AQ.simulated_session_{self._given:04d}"
        self._tokens.add(token)
        shown = {"access_token": token, "instance_url": self.url, "token_type": "Bearer", "scope": "api"}
        return web.json_response(
            {**shown, "id": f"{self.url}/id/00D/005", "issued_at": "1795320000000", "signature": "x"}
        )

    def _grant_error(self, form: Mapping[str, str]) -> tuple[str, str] | None:
        if form.get("grant_type") == GRANT_JWT:
            return self._assertion_error(form.get("assertion", ""))
        if form.get("grant_type") != "client_credentials":
            return "unsupported_grant_type", "grant type not supported"
        if form.get("client_id") != CLIENT_ID:
            return "invalid_client_id", "client identifier invalid"
        if form.get("client_secret") != CLIENT_SECRET:
            return "invalid_client", "invalid client credentials"
        return None

    def _assertion_error(self, assertion: str) -> tuple[str, str] | None:
        import jwt

        try:
            said = jwt.decode(
                assertion, self.public_key, algorithms=["RS256"], audience=AUDIENCE, options={"verify_exp": False}
            )
        except jwt.PyJWTError as error:
            return "invalid_grant", f"invalid assertion: {type(error).__name__}"
        if said.get("iss") != CLIENT_ID:
            return "invalid_client_id", "client identifier invalid"
        if said.get("sub") != USERNAME:
            return "invalid_grant", "user hasn't approved this consumer"
        if not 0 < said.get("exp", 0) - self.now() <= LONGEST_ASSERTION_SECONDS:
            return "invalid_grant", "expired authorization code"
        return None

    async def _versions(self, request: web.Request) -> web.Response:
        shown = [{"version": f"{number}.0", "url": f"/services/data/v{number}.0"} for number in range(21, 67)]
        return web.json_response(shown)

    async def _query(self, request: web.Request) -> web.Response:
        return self._answered(request, lambda: self._page(self.org.query(request.query["q"]), request))

    async def _more(self, request: web.Request) -> web.Response:
        return self._answered(request, lambda: self._page(self._cursors.pop(request.match_info["cursor"]), request))

    def _page(self, rows: list[dict[str, Any]], request: web.Request) -> tuple[int, Any]:
        shown, rest = rows[: self.page_size], rows[self.page_size :]
        answer: dict[str, Any] = {"totalSize": len(rows), "done": not rest, "records": shown}
        if rest:
            cursor = f"01g5g00000AbCdE-{len(self._cursors) + 1}"
            self._cursors[cursor] = rest
            answer["nextRecordsUrl"] = f"/services/data/{request.match_info['version']}/query/{cursor}"
        return 200, answer

    async def _sobjects(self, request: web.Request) -> web.Response:
        text = await request.text()
        body = json.loads(text) if text else {}
        path = request.match_info["path"].strip("/").split("/")
        return self._answered(request, lambda: self._one(request.method, path, dict(request.query), body))

    def _answered(self, request: web.Request, work: Callable[[], tuple[int, Any]]) -> web.Response:
        try:
            self._check_version(request.match_info["version"])
            if not self.has_quota:
                raise Refused("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403)
            status, answer = work()
        except Refused as refused:
            return web.json_response(refused.shown(), status=refused.status)
        return web.Response(status=204) if status == 204 else web.json_response(answer, status=status)

    def _check_version(self, version: str) -> None:
        if not re.fullmatch(r"v\d+\.0", version) or not OLDEST_VERSION <= float(version[1:]) <= NEWEST_VERSION:
            raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)

    def _one(self, method: str, path: list[str], query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        match method, path:
            case "GET", [kind, "describe"]:
                return 200, self.org.describe(kind)
            case "POST", [kind]:
                return 201, {"id": self.org.create(kind, body), "success": True, "errors": []}
            case "GET", [kind, id_]:
                return self._shown(kind, [row for row in self.org.visible(kind) if row["Id"] == id_], query)
            case "PATCH", [kind, id_]:
                self.org.update(kind, self._row(kind, id_), body)
                return 204, None
            case "GET", [kind, field, value]:
                return self._shown(kind, self.org.matching(kind, field, value), query)
            case "PATCH", [kind, field, value]:
                return self._upsert(kind, field, value, body, update_only=query.get("updateOnly") == "true")
        raise Refused("METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed.", status=405)

    def _row(self, kind: str, id_: str) -> dict[str, Any]:
        row = self.org.row(kind, id_)
        if row is None:
            raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)
        if row.get("IsDeleted"):
            raise Refused("ENTITY_IS_DELETED", "entity is deleted", status=404)
        return row

    def _shown(self, kind: str, rows: list[dict[str, Any]], query: Mapping[str, str]) -> tuple[int, Any]:
        if not rows:
            raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)
        if len(rows) > 1:
            return 300, [f"/services/data/v66.0/sobjects/{kind}/{row['Id']}" for row in rows]
        names = query["fields"].split(",") if "fields" in query else list(rows[0])
        return 200, {"attributes": {"type": kind}, **{name: rows[0][name] for name in names}}

    def _upsert(self, kind: str, field: str, value: str, body: Any, *, update_only: bool) -> tuple[int, Any]:
        if field in body or "Id" in body:
            raise Refused("INVALID_FIELD", f"The {field} field should not be specified in the sobject data.", field)
        rows = self.org.matching(kind, field, value)
        if len(rows) > 1:
            return 300, [f"/services/data/v66.0/sobjects/{kind}/{row['Id']}" for row in rows]
        if rows:
            self.org.update(kind, rows[0], body)
            return 200, {"id": rows[0]["Id"], "success": True, "errors": [], "created": False}
        if update_only:
            raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)
        id_ = self.org.create(kind, {**body, field: value})
        return 201, {"id": id_, "success": True, "errors": [], "created": True}

    async def _composite(self, request: web.Request) -> web.Response:
        body = await request.json()
        return self._answered(request, lambda: (200, {"compositeResponse": self._all(body)}))

    async def _collection(self, request: web.Request) -> web.Response:
        body = await request.json()
        return self._answered(request, lambda: (200, self._records(body["records"], all_or_none=body["allOrNone"])))

    def _records(self, records: list[dict[str, Any]], *, all_or_none: bool) -> list[dict[str, Any]]:
        if not 0 < len(records) <= MAX_RECORDS:
            raise Refused("LIMIT_EXCEEDED", f"The limit of records is {MAX_RECORDS}")
        before, answers = self.org.snapshot(), []
        for record in records:
            kind = record["attributes"]["type"]
            try:
                made = self.org.create(kind, {name: record[name] for name in record if name != "attributes"})
                answers.append({"id": made, "success": True, "errors": []})
            except Refused as refused:
                answers.append(_failed(refused.shown()[0]))
        if all_or_none and not all(answer["success"] for answer in answers):
            self.org.rows = before
            return [one if not one["success"] else _failed(_ROLLED_BACK) for one in answers]
        return answers

    def _all(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        asked = body["compositeRequest"]
        if not 0 < len(asked) <= MAX_SUBREQUESTS:
            raise Refused("LIMIT_EXCEEDED", f"The limit of subrequests is {MAX_SUBREQUESTS}")
        before, known, answers = self.org.snapshot(), dict[str, Any](), list[dict[str, Any]]()
        for place, one in enumerate(asked):
            try:
                path, _, query = _filled(one["url"], known).partition("?")
                parts = path.split("/sobjects/", 1)[1].split("/")
                pairs = dict(pair.split("=", 1) for pair in query.split("&") if pair)
                status, answer = self._one(one["method"], parts, pairs, _filled(one.get("body") or {}, known))
            except Refused as refused:
                if body.get("allOrNone"):
                    self.org.rows = before
                    return _halted(asked, place, refused.status, refused.shown())
                status, answer = refused.status, refused.shown()
            known[one["referenceId"]] = answer
            answers.append(_sub(one, status, answer))
        return answers


_REFUSALS: Mapping[int, list[dict[str, Any]]] = {
    400: [{"message": "投诉须有订单 order missing", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": []}],
    401: [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}],
    404: [{"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []}],
}


_ROLLED_BACK = {"errorCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": "Record rolled back"}


def _failed(error: Mapping[str, Any]) -> dict[str, Any]:
    """As collections say it."""
    shown = {"statusCode": error["errorCode"], "message": error["message"], "fields": error.get("fields", [])}
    return {"success": False, "errors": [shown]}


def _sub(one: Mapping[str, Any], status: int, body: Any) -> dict[str, Any]:
    return {"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": one["referenceId"]}


def _halted(asked: list[Any], place: int, status: int, body: Any) -> list[dict[str, Any]]:
    """All rolled back: the one that failed says why, the others that they were halted."""
    rest = [
        {
            "errorCode": "PROCESSING_HALTED",
            "message": "The transaction was rolled back since another operation in the same transaction failed.",
        }
    ]
    return [_sub(one, *((status, body) if number == place else (400, rest))) for number, one in enumerate(asked)]


def _filled(value: Any, known: Mapping[str, Any]) -> Any:
    """References to earlier answers, as `@{name.field}`."""
    if isinstance(value, Mapping):
        return {name: _filled(item, known) for name, item in value.items()}
    if not isinstance(value, str):
        return value
    return _REFERENCE.sub(lambda match: str(known[match[1]][match[2]]), value)
