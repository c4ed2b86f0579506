"""Jira Cloud, Jira Service Management and Jira Data Center in small ("The Jira Cloud platform REST API", v2 and v3).

Issues and their keys are known at once, the search index lags; search without permission finds nothing and says nothing
of it; Cloud has no `search` any more (410), Data Center no `search/jql` (404).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from aiohttp import ClientSession, web

from allears_sdk.testing.memory import Fault
from bench.servers.desk import Desk, Refusal, Trouble
from bench.servers.jira_requests import ServiceDesk
from bench.servers.jira_site import (
    EMAIL,
    FIELDS,
    GONE,
    MAX_BULK,
    OPTIONS,
    PERMISSIONS,
    PRIORITIES,
    SCHEMAS,
    TOKEN,
    Comment,
    Issue,
    Site,
    errors,
    files_of,
    plain,
    text_errors,
    value_errors,
)


class Jira(Desk):
    """`await start()`; then `url`. One site with the projects of `last_numbers`, of one kind of deployment."""

    WORK: ClassVar[str] = r"(?!POST .*/(?:bulkfetch|search|search/jql)$)(POST|PUT) "
    STATUS: ClassVar[Mapping[Trouble, int]] = {Fault.REJECT: 400}

    def __init__(self, now: Callable[[], float] = time.time, *, is_cloud: bool = True) -> None:
        super().__init__(now)
        self.is_cloud = is_cloud
        self.site = Site(self.now, self.is_seen)
        self.service_desk = ServiceDesk(self.site)

    def routes(self) -> Iterable[web.RouteDef]:
        api = "/rest/api/{version:2|3|latest}"
        return [
            web.get(api + "/serverInfo", self._server_info),
            web.get(api + "/myself", self._myself),
            web.get(api + "/mypermissions", self._my_permissions),
            web.get(api + "/field", self._all_fields),
            web.get(api + "/priority", self._priorities),
            web.get(api + "/attachment/meta", self._attachment_meta),
            web.get(api + "/project/{project}", self._project),
            web.get(api + "/issuetype", self._types),
            web.get(api + "/issue/createmeta/{project}/issuetypes", self._create_types),
            web.get(api + "/issue/createmeta/{project}/issuetypes/{type}", self._create_fields),
            web.post(api + "/issue", self._create),
            web.post(api + "/issue/bulkfetch", self._bulk_fetch),
            web.get(api + "/issue/{key}", self._get),
            web.put(api + "/issue/{key}", self._edit),
            web.get(api + "/issue/{key}/comment", self._comments),
            web.post(api + "/issue/{key}/comment", self._comment),
            web.post(api + "/issue/{key}/attachments", self._attach),
            web.route("*", api + "/search/jql", self._search),
            web.route("*", api + "/search", self._old_search),
            *self.service_desk.routes(),
        ]

    def is_allowed(self, request: web.Request) -> bool:
        basic = base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()
        return request.headers.get("Authorization") in (f"Basic {basic}", f"Bearer {TOKEN}")

    def refusal(self, status: int, request: web.Request) -> web.Response:
        if status == 401:
            return web.Response(
                status=401,
                text="Client must be authenticated to access this resource.",
                headers={"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"},
            )
        texts = {404: [GONE], 429: ["Rate limit exceeded."]}.get(status, [])
        fields = {} if texts else {"description": "The entered text is too long 没有权限"}
        response = web.json_response({"errorMessages": texts, "errors": fields}, status=status)
        if status == 429:
            response.headers["X-RateLimit-NearLimit"] = "false"
        return response

    async def push(
        self, url: str, issue: Issue, *, secret: str, event: str = "jira:issue_updated", **changed: tuple[str, str]
    ) -> int:
        """An admin webhook, signed over its bytes; `changed` is the change log, old and new. Returns the status."""
        items = [
            {"field": name, "fieldtype": "jira", "fromString": old, "toString": new}
            for name, (old, new) in changed.items()
        ]
        payload = {
            "timestamp": int(self.now() * 1000),
            "webhookEvent": event,
            "issue_event_type_name": "issue_generic",
            "user": {"accountId": "557058:agent", "displayName": "韩梅梅"},
            "issue": issue.shown(),
            "changelog": {"id": "10124", "items": items},
        }
        body = json.dumps(payload, ensure_ascii=False).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json; charset=UTF-8",
            "X-Atlassian-Webhook-Identifier": hashlib.sha256(body).hexdigest()[:32],
            "X-Hub-Signature": f"sha256={signature}",
        }
        async with ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
            return answer.status

    # Who and what

    async def _server_info(self, request: web.Request) -> web.Response:
        kind, numbers = ("Cloud", [1001, 0, 0]) if self.is_cloud else ("Server", [9, 12, 4])
        return web.json_response({"baseUrl": self.url, "deploymentType": kind, "versionNumbers": numbers})

    async def _myself(self, request: web.Request) -> web.Response:
        account = {"accountId": "557058:allears"} if self.is_cloud else {"name": "allears", "key": "JIRAUSER10100"}
        return web.json_response({**account, "displayName": "allears", "emailAddress": EMAIL, "active": True})

    async def _my_permissions(self, request: web.Request) -> web.Response:
        names = [name for name in request.query.get("permissions", "").split(",") if name]
        if not names and self.is_cloud:
            raise Refusal(400, errors("The 'permissions' query parameter is required."))
        self.site.need_project(request.query.get("projectKey", "CMP"))
        shown = {name: {"key": name, "havePermission": name in self.site.permissions} for name in names or PERMISSIONS}
        return web.json_response({"permissions": shown})

    async def _project(self, request: web.Request) -> web.Response:
        key = self.site.need_project(request.match_info["project"])
        return web.json_response({"id": "10000", "key": key, "name": "投诉 Complaints"})

    async def _all_fields(self, request: web.Request) -> web.Response:
        return web.json_response(
            [{"id": name, "name": title, "custom": name.startswith("custom")} for name, title in FIELDS.items()]
        )

    async def _priorities(self, request: web.Request) -> web.Response:
        return web.json_response([{"id": str(place), "name": name} for place, name in enumerate(PRIORITIES, 1)])

    async def _attachment_meta(self, request: web.Request) -> web.Response:
        return web.json_response({"enabled": True, "uploadLimit": self.site.upload_limit})

    async def _types(self, request: web.Request) -> web.Response:
        return web.json_response([{"id": "10002", "name": "Task"}])

    async def _create_types(self, request: web.Request) -> web.Response:
        self.site.need_project(request.match_info["project"])
        rows = [{"id": "10002", "name": "Task", "subtask": False}]
        return web.json_response({"startAt": 0, "maxResults": 50, "total": 1, self._rows_name("issueTypes"): rows})

    async def _create_fields(self, request: web.Request) -> web.Response:
        rows: list[dict[str, Any]] = [
            {"fieldId": name, "key": name, "name": title, "required": False, "schema": SCHEMAS.get(name)}
            for name, title in self.site.screen.items()
        ]
        for row in rows:
            row["allowedValues"] = {
                "priority": _named("name", PRIORITIES),
                "customfield_10050": _named("value", OPTIONS),
            }.get(row["key"], [])
        start, size = int(request.query.get("startAt", 0)), min(int(request.query.get("maxResults", 50)), 5)
        shown = {"startAt": start, "maxResults": size, "total": len(rows)}
        return web.json_response({**shown, self._rows_name("fields"): rows[start : start + size]})

    def _rows_name(self, cloud: str) -> str:
        return cloud if self.is_cloud else "values"

    # Issues

    async def _create(self, request: web.Request) -> web.Response:
        given = await request.json()
        fields = dict(given.get("fields", {}))
        version = request.match_info["version"]
        faults = {
            name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
            for name in fields.keys() - self.site.screen.keys()
        }
        faults |= text_errors(fields, version) | value_errors(fields)
        project = fields.get("project", {}).get("key", "")
        if project not in self.site.last_numbers or "CREATE_ISSUES" not in self.site.permissions:
            faults["project"] = "Specify a valid project ID or key"
        if faults:
            raise Refusal(400, {"errorMessages": [], "errors": faults})
        issue = self.site.make(project, **fields)
        issue.properties = {one["key"]: one["value"] for one in given.get("properties", [])}
        return web.json_response(
            {"id": issue.id, "key": issue.key, "self": f"{self.url}/rest/api/3/issue/{issue.id}"}, status=201
        )

    async def _get(self, request: web.Request) -> web.Response:
        names = request.query["fields"].split(",") if "fields" in request.query else None
        return web.json_response(self.site.find(request.match_info["key"]).shown(names, request.match_info["version"]))

    async def _edit(self, request: web.Request) -> web.Response:
        issue = self.site.find(request.match_info["key"])
        self.site.need("EDIT_ISSUES", issue)
        given = await request.json()
        issue.fields.update(given.get("fields", {}))
        for change in given.get("update", {}).get("labels", []):
            issue.fields["labels"] = list(dict.fromkeys([*issue.fields["labels"], change["add"]]))
        issue.indexed_at = self.now()
        return web.Response(status=204)

    async def _bulk_fetch(self, request: web.Request) -> web.Response:
        """Those that are not there or not to be seen are left out without a word."""
        if not self.is_cloud:
            raise web.HTTPNotFound
        given = await request.json()
        wanted = given["issueIdsOrKeys"]
        if len(wanted) > MAX_BULK:
            raise Refusal(400, errors(f"The maximum number of issues is {MAX_BULK}."))
        found: dict[str, Issue] = {}
        for key in wanted:
            try:
                issue = self.site.find(key)
            except Refusal:
                continue
            found[issue.id] = issue
        version, names, asked = request.match_info["version"], given.get("fields"), given.get("properties", [])
        shown = [_with_properties(found[at], found[at].shown(names, version), asked) for at in sorted(found, key=int)]
        return web.json_response({"issues": shown, "issueErrors": []})

    # Searching

    async def _search(self, request: web.Request) -> web.Response:
        if not self.is_cloud:
            raise web.HTTPNotFound
        given = await _given(request)
        found = self.site.search(given["jql"])
        start, size = int(given.get("nextPageToken") or 0), int(given.get("maxResults", 50))
        names = _names(given.get("fields"))
        version, asked = (
            request.match_info["version"],
            [one for one in str(given.get("properties", "")).split(",") if one],
        )
        rows = [_with_properties(one, one.shown(names, version), asked) for one in found[start : start + size]]
        is_last = start + size >= len(found)
        more = {} if is_last else {"nextPageToken": str(start + size)}
        if names == []:
            rows = [{"id": row["id"]} for row in rows]
        return web.json_response({"issues": rows, "isLast": is_last, **more})

    async def _old_search(self, request: web.Request) -> web.Response:
        if self.is_cloud:
            raise Refusal(410, errors("The requested API has been removed. Please migrate to /rest/api/3/search/jql."))
        given = await _given(request)
        found = self.site.search(given["jql"], is_strong=True)
        start, size = int(given.get("startAt", 0)), int(given.get("maxResults", 50))
        names = _names(given.get("fields")) or None
        rows = [issue.shown(names, "2") for issue in found[start : start + size]]
        return web.json_response({"startAt": start, "maxResults": size, "total": len(found), "issues": rows})

    # Comments and files

    async def _comments(self, request: web.Request) -> web.Response:
        issue = self.site.find(request.match_info["key"])
        start, size = int(request.query.get("startAt", 0)), min(int(request.query.get("maxResults", 100)), 100)
        rows = issue.comments
        if request.query.get("orderBy") == "-created":
            rows = rows[::-1]
        has_properties = "properties" in request.query.get("expand", "")
        version = request.match_info["version"]
        shown = [_shown(one, version, has_properties=has_properties) for one in rows[start : start + size]]
        return web.json_response({"startAt": start, "maxResults": size, "total": len(rows), "comments": shown})

    async def _comment(self, request: web.Request) -> web.Response:
        issue = self.site.find(request.match_info["key"])
        self.site.need("ADD_COMMENTS", issue)
        given = await request.json()
        version = request.match_info["version"]
        faults = text_errors({"description": given.get("body")}, version)
        if faults:
            raise Refusal(400, {"errorMessages": [], "errors": {"comment": faults["description"]}})
        properties = {one["key"]: one["value"] for one in given.get("properties", [])}
        hidden = properties.get("sd.public.comment", {}).get("internal", False)
        comment = self.site.comment(issue, given["body"], properties, is_public=not hidden)
        return web.json_response(_shown(comment, version, has_properties=True), status=201)

    async def _attach(self, request: web.Request) -> web.Response:
        issue = self.site.find(request.match_info["key"])
        self.site.need("CREATE_ATTACHMENTS", issue)
        files = await files_of(request, self.site.upload_limit)
        issue.files.update(files)
        return web.json_response([{"id": "1", "filename": name, "size": len(data)} for name, data in files.items()])


def _named(name: str, values: Iterable[str]) -> list[dict[str, str]]:
    return [{"id": str(number), name: value} for number, value in enumerate(values, 1)]


def _shown(comment: Comment, version: str, *, has_properties: bool) -> dict[str, Any]:
    body = plain(comment.body) if version == "2" else comment.body
    shown = {"id": comment.id, "body": body, "jsdPublic": comment.is_public}
    properties = [{"key": name, "value": value} for name, value in comment.properties.items()]
    return {**shown, "properties": properties} if has_properties else shown


def _with_properties(issue: Issue, shown: dict[str, Any], asked: Iterable[str]) -> dict[str, Any]:
    properties = {name: issue.properties[name] for name in asked if name in issue.properties}
    return {**shown, "properties": properties} if asked else shown


async def _given(request: web.Request) -> dict[str, Any]:
    given: dict[str, Any] = dict(request.query) if request.method == "GET" else await request.json()
    return given


def _names(fields: Any) -> list[str] | None:
    """None: all."""
    names = fields.split(",") if isinstance(fields, str) else list(fields or [])
    return None if {"*all", "*navigable"} & set(names) else names
