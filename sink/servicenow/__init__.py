"""Files complaints as records of a ServiceNow table.

Sources: "REST API reference: Table API", "Attachment API", "Table API FAQs" (KB0534905). What the instance cannot or
may not write it drops, and says 201: what comes back is compared with what was sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Identity
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected, TicketGone
from allears_sdk.remote import Response
from allears_sdk.sink import Certainty, Progress, SinkSpec, Ticket
from allears_sdk.tickets import FileLimits, Limits, StoreValue, TicketSink, View, answered, check_fields, marks_in
from sink.servicenow.login import Login
from sink.servicenow.settings import ServiceNowSettings
from sink.servicenow.values import as_note, clean, impact_and_urgency, shape

__all__ = ["ServiceNowSettings", "ServiceNowSink"]

MANY = 50
MAX_FILES = 1000
_NO_RIGHT = "ACL"


class Forbidden(Rejected):
    """403: a rule of the instance."""


class ServiceNowSink(TicketSink[ServiceNowSettings]):
    """The key stands in a column of the record (`correlation_id`), and in its text."""

    spec = SinkSpec(
        kind="servicenow",
        title_en="ServiceNow",
        title_zh="ServiceNow",
        open_certainty=Certainty.B,
        follow_up_certainty=Certainty.B,
        verified="a simulator that pysnc 1.2.1 takes for an instance; no real one",
        verified_zh="模拟器，pysnc 1.2.1 把它当作实例；未在真实实例上试过",
    )
    Settings = ServiceNowSettings
    limits = Limits(files=FileLimits(each_bytes=50 << 20, total_bytes=200 << 20, count=60))
    priorities: ClassVar[Mapping[str, StoreValue]] = {"P1": "1", "P2": "2", "P3": "3", "P4": "4"}

    def __init__(self, settings: ServiceNowSettings, context: Context) -> None:
        super().__init__(settings, context)
        self.limits = replace(self.limits, subject_chars=settings.max_title_chars, text_chars=settings.max_text_chars)

    async def check(self) -> Identity:
        """A column that the table does not have, or that we may not read, is left out of its records."""
        settings = self.settings
        columns = {settings.key_field, settings.title_field, settings.text_field}
        columns |= {settings.internal_field, settings.public_field, *settings.fields.values(), *settings.constants}
        columns |= {settings.asks_column} if settings.requester else set()
        columns |= set(_PRIORITY_COLUMNS[settings.sets_priority])
        query = {"sysparm_limit": "1", "sysparm_fields": ",".join(sorted(columns))}
        rows = answered(await self._get(self._table, query), "result")
        details = (f"table {settings.table}", "values of lists are not verified: ServiceNow takes any")
        if not rows:
            return Identity(account=self._account_name, details=(*details, "the table is empty: columns not verified"))
        check_fields(settings, rows[0].keys())
        if missing := sorted(columns - rows[0].keys()):
            raise ConfigError(f"{settings.table}: no such column, or hidden from this account: {', '.join(missing)}")
        return Identity(account=self._account_name, details=details)

    def compose(self, view: View) -> Any:
        settings = self.settings
        if not view.is_opening:
            return {settings.public_field if view.is_public else settings.internal_field: as_note(view.text)}
        mapped = {name: shape(value) for name, value in view.mapped.items()}
        requester = {settings.asks_column: settings.requester} if settings.requester else {}
        return {
            **requester,
            **{name: shape(value) for name, value in settings.constants.items()},
            **self._priority(str(view.priority)),
            **{name: value for name, value in mapped.items() if value},
            settings.title_field: clean(view.subject),
            settings.text_field: clean(view.text),
            settings.key_field: view.key,
            **({"correlation_display": "allears"} if settings.key_field == "correlation_id" else {}),
        }

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        query = {"sysparm_fields": ",".join(("sys_id", "number", *request)), "sysparm_exclude_reference_link": "true"}
        try:
            answer = await self.call("POST", self._table, params=query, json=request)
        except Forbidden as error:
            raise _of_the_account(error) from None
        made = answered(answer, "result")
        made = made if isinstance(made, dict) else {}
        sys_id = made.get("sys_id") or answer.header("location").rpartition("/")[2]
        if not sys_id:
            answered(answer, "result", "sys_id")
        self._compare(str(sys_id), request, made)
        return self._ticket(str(sys_id), str(made.get("number", "")))

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        """What is written into a closed record nobody reads."""
        record = await self._record(ticket, ("active", "state"))
        if record.get("active") == "false" or record.get("state") in self.settings.closed_states:
            raise TicketGone(f"{self._name_of(ticket)} is closed")
        ((column, text),) = request.items()
        query = {"sysparm_display_value": "true", "sysparm_fields": f"sys_id,{column}"}
        try:
            answer = await self.call("PATCH", self._url_of(ticket), params=query, json=request, gone=(404,))
        except Forbidden as error:
            raise _of_the_account(error) from None
        shown = answered(answer, "result")
        if column not in shown:
            self.context.log.warning("note_not_readable", ticket=ticket.id, column=column)
        elif _marks_line(text) not in str(shown[column]):
            raise ConfigError(f"{self._name_of(ticket)}: the account may not write {column}; ServiceNow dropped it")

    async def attach(self, ticket: Ticket, files: Sequence[AttachedFile], key: str, progress: Progress) -> None:
        there = await self._files_of(ticket)
        for file in files:
            if (file.name, str(file.size)) in there:
                continue
            try:
                content = await self.bytes_of(key, file)
            except Rejected as error:
                self.context.log.warning("file_refused", file=file.sha256[:12], reason=str(error))
                continue
            query = {"table_name": self.settings.table, "table_sys_id": ticket.id, "file_name": file.name}
            headers = {"Content-Type": file.media_type or "application/octet-stream"}
            url = f"{self.settings.url}/api/now/attachment/file"
            await self.call("POST", url, params=query, content=content, headers=headers, gone=(404,))

    async def find(self, key: str) -> Ticket | None:
        """An instance that does not know a column in a query drops the clause, and answers with the whole table."""
        column = self.settings.key_field
        query = {
            "sysparm_query": f"{column}={key}^ORDERBYsys_created_on",
            "sysparm_fields": f"sys_id,number,{column}",
            "sysparm_limit": str(MANY),
        }
        rows = answered(await self._get(self._table, query), "result")
        if any(row.get(column) != key for row in rows):
            raise ConfigError(f"{self.settings.table}: cannot be looked up by {column}: no such column, or hidden")
        if len(rows) > 1:
            self.context.log.warning("found_several", key=key, tickets=[row.get("number") for row in rows])
        return self._ticket(rows[0]["sys_id"], rows[0].get("number", "")) if rows else None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        """Journals are read as people see them: they have no raw value, and their own table is seldom open."""
        names = (self.settings.text_field, self.settings.internal_field, self.settings.public_field)
        record = await self._record(ticket, names, sysparm_display_value="true")
        if missing := [name for name in names if name not in record]:
            raise ConfigError(f"{self._name_of(ticket)}: hidden from this account: {', '.join(missing)}")
        return marks_in([str(record[name]) for name in names], marks)

    async def call(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, **given: Any) -> Response:
        call = super().call

        async def authorised(proof: str) -> Response:
            sent = {"Accept": "application/json", **(headers or {}), "Authorization": proof}
            return await call(method, url, headers=sent, **given)

        return await self._login.run(authorised)

    def check_answer(self, answer: Response) -> None:
        if answer.status == 403:
            raise Forbidden(f"{answer.call.place}: 403", detail=answer.text()[:500])
        if answer.status == 400 and "Invalid table" in answer.text():
            raise ConfigError(f'table = "{self.settings.table}": the instance has no such table')
        super().check_answer(answer)

    def _priority(self, value: str) -> dict[str, str]:
        how = self.settings.sets_priority
        if not value or how == "none":
            return {}
        values = impact_and_urgency(value) if how == "impact_urgency" else (value,)
        return dict(zip(_PRIORITY_COLUMNS[how], values, strict=True))

    async def _get(self, url: str, query: Mapping[str, str], **given: Any) -> Response:
        try:
            return await self.call("GET", url, params={**query, "sysparm_exclude_reference_link": "true"}, **given)
        except Forbidden as error:
            raise ConfigError(f"{error}: the account may not read here", detail=error.detail) from None

    def _compare(self, sys_id: str, sent: Mapping[str, Any], made: Mapping[str, Any]) -> None:
        """The ticket is there; what of it is not is for the admin to mend."""
        if not made:
            self.context.log.warning("ticket_not_readable", ticket=sys_id)
        elif dropped := sorted(name for name, value in sent.items() if value and not made.get(name)):
            self.context.log.warning("columns_dropped", ticket=sys_id, columns=dropped)
        elif _marks_line(sent[self.settings.text_field]) not in str(made[self.settings.text_field]):
            self.context.log.warning("text_cut", ticket=sys_id, column=self.settings.text_field)

    async def _record(self, ticket: Ticket, columns: Sequence[str], **how: str) -> Mapping[str, Any]:
        query = {"sysparm_fields": ",".join(columns), **how}
        record: Mapping[str, Any] = answered(await self._get(self._url_of(ticket), query, gone=(404,)), "result")
        return record

    async def _files_of(self, ticket: Ticket) -> set[tuple[str, str]]:
        query = {
            "sysparm_query": f"table_name={self.settings.table}^table_sys_id={ticket.id}",
            "sysparm_limit": str(MAX_FILES),
        }
        rows = answered(await self._get(f"{self.settings.url}/api/now/attachment", query), "result")
        mine = [row for row in rows if row.get("table_sys_id") == ticket.id]
        return {(str(row.get("file_name")), str(row.get("size_bytes"))) for row in mine}

    def _ticket(self, sys_id: str, number: str) -> Ticket:
        url = f"{self.settings.url}/nav_to.do?uri={self.settings.table}.do?sys_id={sys_id}"
        return Ticket(id=sys_id, url=url, facts={"number": number})

    def _url_of(self, ticket: Ticket) -> str:
        return f"{self._table}/{ticket.id}"

    def _name_of(self, ticket: Ticket) -> str:
        return str(ticket.facts.get("number") or ticket.id)

    @property
    def _table(self) -> str:
        return f"{self.settings.url}/api/now/table/{self.settings.table}"

    @property
    def _account_name(self) -> str:
        return self.settings.username or self.settings.client_id

    @cached_property
    def _login(self) -> Login:
        return Login(self.settings, self.context)


_PRIORITY_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "impact_urgency": ("impact", "urgency"),
    "priority": ("priority",),
    "none": (),
}


def _marks_line(text: str) -> str:
    return text.rpartition("\n")[2]


def _of_the_account(error: Forbidden) -> Rejected | ConfigError:
    """A right that is missing stops the destination; a rule about these values (a data policy) is a letter."""
    if _NO_RIGHT in error.detail:
        return ConfigError(f"{error}: the account lacks the right to write here", detail=error.detail)
    return Rejected(str(error), detail=error.detail)
