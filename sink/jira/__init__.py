"""Files complaints as issues of Jira Cloud or Data Center, or as customer requests of Jira Service Management.

Sources: "The Jira Cloud platform REST API" (v3; v2 for Data Center), "Jira Service Management Cloud REST API".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Identity, Request
from allears_sdk.errors import ConfigError, Rejected, TicketGone
from allears_sdk.remote import Response, basic_auth
from allears_sdk.sink import Certainty, Hearing, Progress, SinkSpec, Ticket
from allears_sdk.tickets import FileLimits, Limits, StoreValue, TicketSink, View, answered, marks_in
from allears_sdk.tickets.sink import unpack
from sink.jira.back import hear
from sink.jira.calls import BROWSE, Forbidden, blamed_on_settings, check_refusal, need
from sink.jira.lookup import PROPERTY, Lookup, label_of
from sink.jira.mapping import check_mapping
from sink.jira.settings import JiraSettings
from sink.jira.texts import clean, plain, to_document, to_markup
from sink.jira.values import form_of, shape

__all__ = ["JiraSettings", "JiraSink"]

MAX_TEXT_CHARS = 32_767
PAGE = 50
INTERNAL = "sd.public.comment"
"""The comment property by which Service Management hides a comment from the customer."""


class JiraSink(TicketSink[JiraSettings]):
    """The key is planted three times in an issue: as a label, as a property, and in the description."""

    spec = SinkSpec(
        kind="jira",
        title_en="Jira and Jira Service Management",
        title_zh="Jira 与 Jira Service Management",
        open_certainty=Certainty.C,
        follow_up_certainty=Certainty.B,
        wait_seconds=300,
        tells=True,
        verified="a simulator that python-jira 3.10.5 takes for a Jira; no real site",
        verified_zh="模拟器，python-jira 3.10.5 把它当作 Jira；未在真实站点上试过",
    )
    Settings = JiraSettings
    limits = Limits(
        subject_chars=255,
        text_chars=30_000,
        files=FileLimits(each_bytes=50 << 20, total_bytes=200 << 20, count=60),
    )
    priorities: ClassVar[Mapping[str, StoreValue]] = {"P1": "Highest", "P2": "High", "P3": "Medium", "P4": "Low"}

    async def check(self) -> Identity:
        return await check_mapping(self.call, self.settings, dict(self.priorities), self.limits.files)

    def compose(self, view: View) -> Any:
        if not view.is_opening:
            hidden = {"key": INTERNAL, "value": {"internal": not view.is_public}}
            return {"body": self._text(view.text), "properties": [hidden]}
        if self.settings.service_desk:
            return self._compose_request(view)
        fields = {
            "project": {"key": self.settings.project},
            "issuetype": {"name": self.settings.issue_type},
            **self._fields(view),
        }
        if view.priority and self.settings.priority:
            fields.setdefault("priority", {"name": str(view.priority)})
        if self.settings.label:
            fields["labels"] = [*fields.get("labels", ()), label_of(view.key)]
        mark = {"key": PROPERTY, "value": {"key": view.key, "complaint": view.record.id}}
        return {"fields": fields, "properties": [mark]}

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        is_request = "requestFieldValues" in request
        url = f"{self.settings.url}/rest/servicedeskapi/request" if is_request else f"{self.settings.api}/issue"
        try:
            answer = await self.call("POST", url, json=request)
        except Forbidden:
            await need(self.call, self.settings, BROWSE, "CREATE_ISSUES")
            raise
        except Rejected as error:
            if blamed_on_settings(error, request.get("fields", {}).keys()):
                raise ConfigError(str(error), detail=error.detail) from None
            raise
        id_, name = ("issueId", "issueKey") if is_request else ("id", "key")
        return self._ticket(str(answered(answer, id_)), str(answered(answer, name)))

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        answer = await self._call_of(ticket, "ADD_COMMENTS", "POST", "/comment", json=request)
        if answered(answer).get("jsdPublic") is True and request["properties"][0]["value"]["internal"]:
            self.context.log.warning("comment_is_public", ticket=ticket.id)

    async def complete(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        """A request form seldom has labels: the issue gets its own afterwards. Setting it twice is setting it once."""
        if self.settings.label and "requestFieldValues" in unpack(payload).request:
            change = {"update": {"labels": [{"add": label_of(key)}]}}
            try:
                await self._call_of(ticket, "EDIT_ISSUES", "PUT", "", json=change, repeatable=True)
            except Rejected as error:
                self.context.log.warning("label_not_set", ticket=ticket.id, reason=str(error))
        await super().complete(ticket, payload, key, progress)

    async def attach(self, ticket: Ticket, files: Sequence[AttachedFile], key: str, progress: Progress) -> None:
        query = {"fields": "attachment"}
        there = answered(await self._call_of(ticket, BROWSE, "GET", "", params=query), "fields", "attachment")
        known = {(str(one.get("filename")), one.get("size")) for one in there or ()}
        for file in files:
            if (file.name, file.size) not in known:
                await self._upload(ticket, file, key)

    async def find(self, key: str) -> Ticket | None:
        issue = await self._lookup.find(key)
        return self._ticket(str(issue["id"]), str(issue["key"])) if issue else None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        """Comments are read from the issue, not from the index, the newest first."""
        answer = await self._call_of(ticket, BROWSE, "GET", "", params={"fields": "description"})
        found = set(marks_in([plain(answered(answer, "fields", "description") or "")], marks))
        start, total = 0, 1
        while start < total and len(found) < len(marks):
            query = {"orderBy": "-created", "startAt": start, "maxResults": PAGE}
            page = answered(await self._call_of(ticket, BROWSE, "GET", "/comment", params=query))
            comments = page.get("comments", ()) if isinstance(page, dict) else ()
            found |= marks_in([plain(one.get("body") or "") for one in comments], marks)
            start, total = start + max(1, len(comments)), int(page.get("total", 0))
        return found

    def hear(self, request: Request) -> Hearing:
        return hear(request, self.settings)

    async def call(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, **given: Any) -> Response:
        return await super().call(method, url, headers={**self._headers, **(headers or {})}, **given)

    def check_answer(self, answer: Response) -> None:
        check_refusal(answer)
        super().check_answer(answer)

    def _compose_request(self, view: View) -> dict[str, Any]:
        behalf = self.settings.raise_on_behalf_of
        return {
            "serviceDeskId": self.settings.service_desk,
            "requestTypeId": self.settings.request_type,
            "requestFieldValues": self._fields(view),
            **({"isAdfRequest": True} if self.settings.is_cloud else {}),
            **({"raiseOnBehalfOf": behalf} if behalf else {}),
        }

    def _fields(self, view: View) -> dict[str, Any]:
        """Facts that say nothing are left out; those that share a list add to it."""
        made: dict[str, Any] = dict(self.settings.constants)
        for name, value in view.mapped.items():
            shaped = shape(value, form_of(name, self.settings.field_forms), is_cloud=self.settings.is_cloud)
            if shaped is not None:
                made[name] = [*made[name], *shaped] if _are_lists(made.get(name), shaped) else shaped
        return {**made, "summary": clean(view.subject), "description": self._text(view.text)}

    def _text(self, text: str) -> Any:
        if self.settings.is_cloud:
            return to_document(text)
        escaped = to_markup(text)
        return escaped if len(escaped) <= MAX_TEXT_CHARS else clean(text)

    def _ticket(self, id_: str, name: str) -> Ticket:
        return Ticket(id=id_, url=f"{self.settings.site_url or self.settings.url}/browse/{name}", facts={"key": name})

    async def _call_of(self, ticket: Ticket, permission: str, method: str, path: str, **given: Any) -> Response:
        """404 is said of what is gone and of what we may not see; 403 of an account, and of one issue that is archived
        or read-only."""
        url = f"{self.settings.api}/issue/{ticket.id}{path}"
        try:
            return await self.call(method, url, gone=(404,), **given)
        except TicketGone:
            await need(self.call, self.settings, BROWSE)
            raise
        except Forbidden as error:
            await need(self.call, self.settings, BROWSE, permission)
            raise TicketGone(f"{error}: this issue takes no more", detail=error.detail) from None

    async def _upload(self, ticket: Ticket, file: AttachedFile, key: str) -> None:
        try:
            content = await self.bytes_of(key, file)
        except Rejected as error:
            self.context.log.warning("file_refused", file=file.sha256[:12], reason=str(error))
            return
        part = {"file": (file.name, content, file.media_type)}
        headers = {"X-Atlassian-Token": "no-check"}
        await self._call_of(ticket, "CREATE_ATTACHMENTS", "POST", "/attachments", files=part, headers=headers)

    @cached_property
    def _lookup(self) -> Lookup:
        return Lookup(self.settings, self.context, self.call)

    @property
    def _headers(self) -> Mapping[str, str]:
        token = self.settings.token.get_secret_value()
        proof = basic_auth(self.settings.email, token) if self.settings.email else f"Bearer {token}"
        return {"Authorization": proof, "Accept": "application/json"}


def _are_lists(*values: Any) -> bool:
    return all(isinstance(value, list) for value in values)
