"""What lies in a simulated Jira site: issues, their comments and files, and what may stand in a field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from bench.servers.desk import Refusal
from bench.servers.jql import BadQuery, parse

EMAIL = "allears@example.com"
TOKEN = "ATATT3xFfGF0-simulated-token-of-nobody"
PERMISSIONS = ("BROWSE_PROJECTS", "CREATE_ISSUES", "ADD_COMMENTS", "CREATE_ATTACHMENTS", "EDIT_ISSUES")
MAX_TEXT_CHARS = 32_767
MAX_SUMMARY_CHARS = 255
MAX_BULK = 100
PRIORITIES = ("Highest", "High", "Medium", "Low", "Lowest")
FIELDS: Mapping[str, str] = {
    "project": "Project",
    "issuetype": "Issue Type",
    "summary": "Summary",
    "description": "Description",
    "labels": "Labels",
    "priority": "Priority",
    "reporter": "Reporter",
    "customfield_10050": "Complaint category",
    "customfield_10051": "订单号",
    "customfield_10052": "客户原话",
}
"""Those of the create screen, by id."""
SCHEMAS: Mapping[str, Mapping[str, str]] = {
    "labels": {"type": "array", "items": "string", "system": "labels"},
    "priority": {"type": "priority", "system": "priority"},
    "customfield_10050": {"type": "option", "custom": "com.atlassian.jira.plugin.system.customfieldtypes:select"},
    "customfield_10051": {"type": "string", "custom": "com.atlassian.jira.plugin.system.customfieldtypes:textfield"},
    "customfield_10052": {"type": "string", "custom": "com.atlassian.jira.plugin.system.customfieldtypes:textarea"},
}
OPTIONS = ("产品质量", "Delivery", "其他 Other")
SD_FIELDS = ("summary", "description", "customfield_10051")
"""Those of the request form."""
GONE = "Issue does not exist or you do not have permission to see it."
_TEXT_KEY = "text"


@dataclass
class Comment:
    id: str
    body: Any
    properties: dict[str, Any]
    is_public: bool = True


@dataclass
class Issue:
    id: str
    key: str
    fields: dict[str, Any]
    created_at: float
    indexed_at: float
    """When the index last heard of it, the lag not counted."""
    properties: dict[str, Any] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    former_keys: set[str] = field(default_factory=set)
    is_archived: bool = False
    """Read-only."""

    @property
    def project(self) -> str:
        return self.key.rpartition("-")[0]

    @property
    def text(self) -> str:
        """The description as people read it."""
        return plain(self.fields.get("description"))

    def shown(self, names: Iterable[str] | None = None, version: str = "3") -> dict[str, Any]:
        fields = {
            "created": datetime.fromtimestamp(self.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
            "status": {"id": "10000", "name": "To Do", "statusCategory": {"key": "new"}},
            "assignee": None,
            "attachment": [{"filename": name, "size": len(data)} for name, data in self.files.items()],
            **self.fields,
        }
        if version == "2":
            fields["description"] = self.text
        wanted = set(fields) if names is None else set(names)
        return {"id": self.id, "key": self.key, "fields": {name: fields[name] for name in fields if name in wanted}}


class Site:
    """Issues and their keys are known at once, the search index lags (`is_seen`)."""

    def __init__(self, now: Callable[[], float], is_seen: Callable[[float], bool]) -> None:
        self.now = now
        self._is_seen = is_seen
        self.issues: dict[str, Issue] = {}
        """By id, those deleted left out."""
        self.last_numbers = {"CMP": 0, "OPS": 0}
        """Of each project."""
        self.permissions = set(PERMISSIONS)
        self.screen = dict(FIELDS)
        self.upload_limit = 1 << 30
        self._ids = 10_000

    def find(self, key: str) -> Issue:
        """By id, key or former key."""
        may_browse = "BROWSE_PROJECTS" in self.permissions
        for issue in self.issues.values() if may_browse else ():
            if key.upper() in (issue.id, issue.key, *issue.former_keys):
                return issue
        raise Refusal(404, errors(GONE))

    def make(self, project: str, /, **fields: Any) -> Issue:
        now = self.now()
        issue = Issue(
            id=self.next_id(),
            key=self._next_key(project),
            fields={"labels": [], **fields},
            created_at=now,
            indexed_at=now,
        )
        self.issues[issue.id] = issue
        return issue

    def delete(self, key: str) -> None:
        del self.issues[self.find(key).id]

    def move(self, key: str, project: str) -> None:
        issue = self.find(key)
        issue.former_keys.add(issue.key)
        issue.key = self._next_key(project)

    def skip(self, project: str, numbers: int) -> None:
        """Creations that failed half-way leave numbers nobody has."""
        self.last_numbers[project] += numbers

    def comment(
        self, issue: Issue, body: Any, properties: Mapping[str, Any] | None = None, *, is_public: bool
    ) -> Comment:
        comment = Comment(id=self.next_id(), body=body, properties=dict(properties or {}), is_public=is_public)
        issue.comments.append(comment)
        return comment

    def search(self, jql: str, *, is_strong: bool = False) -> list[Issue]:
        """Whoever may not browse finds nothing, and is not told."""
        try:
            query = parse(jql, self.now())
        except BadQuery as error:
            raise Refusal(400, errors(str(error))) from None
        if "BROWSE_PROJECTS" not in self.permissions:
            return []
        seen = [one for one in self.issues.values() if is_strong or self._is_seen(one.indexed_at)]
        found = [one for one in seen if query.matches(_row(one))]
        column = "number" if query.order in ("key", "issuekey") else "created"
        return sorted(found, key=lambda one: (_row(one)[column], int(one.id)), reverse=query.is_descending)

    def need(self, permission: str, issue: Issue) -> None:
        if permission not in self.permissions or issue.is_archived:
            raise Refusal(403, errors("You do not have permission to do this 没有权限"))

    def need_project(self, key: str) -> str:
        if key not in self.last_numbers or "BROWSE_PROJECTS" not in self.permissions:
            raise Refusal(404, errors(f"No project could be found with key '{key}'."))
        return key

    def next_id(self) -> str:
        self._ids += 1
        return str(self._ids)

    def _next_key(self, project: str) -> str:
        self.last_numbers[project] += 1
        return f"{project}-{self.last_numbers[project]}"


async def files_of(request: web.Request, limit: int) -> dict[str, bytes]:
    if request.headers.get("X-Atlassian-Token") != "no-check":
        raise Refusal(403, errors("XSRF check failed"))
    parts = (await request.post()).getall("file", [])
    files = {one.filename: one.file.read() for one in parts if isinstance(one, web.FileField)}
    if any(len(data) > limit for data in files.values()):
        raise Refusal(413, errors("The attachment is too large"))
    return files


def plain(document: Any) -> str:
    """The words of an Atlassian document; text stays as it is."""
    if isinstance(document, str):
        return document
    return "\n\n".join(_inline(block) for block in (document or {}).get("content", []))


def _inline(block: Mapping[str, Any]) -> str:
    return "".join(
        "\n" if node["type"] == "hardBreak" else node.get(_TEXT_KEY, "") + _inline(node)
        for node in block.get("content", [])
    )


def _row(issue: Issue) -> dict[str, Any]:
    return {
        "project": issue.project,
        "labels": issue.fields.get("labels", []),
        "summary": issue.fields.get("summary", ""),
        "created": issue.created_at,
        "number": int(issue.key.rpartition("-")[2]),
    }


def text_errors(fields: Mapping[str, Any], version: str) -> dict[str, str]:
    faults: dict[str, str] = {}
    summary, text = fields.get("summary"), fields.get("description")
    if summary is not None and (len(summary) > MAX_SUMMARY_CHARS or re.search(r"[\r\n]", summary)):
        faults["summary"] = "The summary is invalid because it contains newline characters or is too long."
    if text is None:
        return faults
    if version != "2" and not _is_document(text):
        faults["description"] = "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
    elif version == "2" and not isinstance(text, str):
        faults["description"] = "Operation value must be a string"
    elif len(plain(text)) > MAX_TEXT_CHARS:
        faults["description"] = f"The entered text is too long. It exceeds the allowed limit of {MAX_TEXT_CHARS:,}."
    return faults


def _is_document(text: Any) -> bool:
    """A text node is never empty and holds no line break that counts."""
    if not isinstance(text, dict) or (text.get("type"), text.get("version")) != ("doc", 1):
        return False
    nodes = [node for block in text["content"] for node in block.get("content", [])]
    return all(node["type"] != "text" or node.get(_TEXT_KEY) for node in nodes)


def value_errors(fields: Mapping[str, Any]) -> dict[str, str]:
    faults: dict[str, str] = {}
    if any(" " in label or len(label) > 255 for label in fields.get("labels", [])):
        faults["labels"] = "The label contains spaces which is invalid."
    option = fields.get("customfield_10050", {"value": OPTIONS[0]})
    if not isinstance(option, dict) or option.get("value") not in OPTIONS:
        faults["customfield_10050"] = "Option value is not valid"
    if not isinstance(fields.get("customfield_10051", ""), str):
        faults["customfield_10051"] = "Operation value must be a string"
    priority = fields.get("priority", {}).get("name", PRIORITIES[0])
    if priority not in PRIORITIES:
        faults["priority"] = f"The priority selected is invalid: {priority}"
    if not fields.get("summary"):
        faults["summary"] = "You must specify a summary of the issue."
    if fields.get("issuetype", {}).get("name", "Task") != "Task":
        faults["issuetype"] = "Specify a valid issue type"
    return faults


def errors(*texts: str) -> dict[str, Any]:
    return {"errorMessages": list(texts), "errors": {}}
