"""Files complaints as cases: Salesforce REST API, "sObject", "Composite", "Query".

Our key lies in a unique external id, so that a case is made once however often it is asked for, and an upsert never
goes over what agents wrote. Comments have no field for a key: they are looked up by their marks.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from html import escape
from pathlib import PurePath
from typing import Any, ClassVar

from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Identity
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, InDoubt, Rejected, TicketGone
from allears_sdk.remote import Response
from allears_sdk.sink import Certainty, Progress, SinkSpec, Ticket
from allears_sdk.tickets import (
    FileLimits,
    Limits,
    StoreValue,
    TicketSink,
    View,
    answered,
    as_text,
    check_choices,
    check_fields,
    marks_in,
    parts_of,
)
from allears_sdk.tickets.view import shorten
from sink.salesforce.answers import DUPLICATE, collection_refusal, composite_refusal, error_of, refusal_of
from sink.salesforce.settings import SalesforceSettings
from sink.salesforce.token import Token

MAX_COMMENT_BYTES = 3900
"""A CaseComment takes 4,000 bytes, with what Salesforce makes of marks of HTML."""
MAX_FIELD_CHARS = 255
MAX_NAME_CHARS, MAX_PHONE_CHARS, MAX_EMAIL_CHARS = 80, 40, 80
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9]{15,18}")
_OUR_FILE = "allears "
"""A file's description begins with it; its SHA-256 follows."""


class SalesforceSink(TicketSink[SalesforceSettings]):
    """A case for each complaint, comments for what follows, files as linked documents."""

    spec = SinkSpec(
        kind="salesforce",
        title_en="Salesforce Case",
        title_zh="Salesforce 个案",
        open_certainty=Certainty.A,
        follow_up_certainty=Certainty.B,
        looks_up=True,
        verified="a simulator, which simple-salesforce 1.12 takes for Salesforce; no org",
        verified_zh="模拟器，simple-salesforce 1.12 把它当作 Salesforce；未在真实组织上试过",
    )
    Settings = SalesforceSettings
    limits = Limits(
        subject_chars=255,
        text_chars=30_000,
        files=FileLimits(each_bytes=25 << 20, total_bytes=100 << 20, count=20),
    )
    priorities: ClassVar[Mapping[str, StoreValue]] = {"P1": "High", "P2": "High", "P3": "Medium", "P4": "Low"}

    def __init__(self, settings: SalesforceSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._token = Token(context, settings)

    # Making requests

    def compose(self, view: View) -> Any:
        if view.is_opening:
            return self._case(view)
        bodies = parts_of(view.text, MAX_COMMENT_BYTES, _comment_bytes)
        return [{"CommentBody": body, "IsPublished": view.is_public} for body in bodies]

    def _case(self, view: View) -> dict[str, Any]:
        long = self.settings.fields.get("description")
        mapped = {name: _value(value, cut=name != long) for name, value in view.mapped.items()}
        case = {
            **self.settings.constants,
            "Subject": view.subject,
            "Description": view.text,
            "Priority": view.priority,
            **_customer(view, self.settings.mask),
            **mapped,
        }
        return {**{name: value for name, value in case.items() if value != ""}, self.settings.key_field: view.key}

    # Sending

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        answer = await self._send("POST", "/sobjects/Case", json=request)
        refusal = refusal_of(answer)
        if refusal is None:
            return self._ticket(_id(answer, answered(answer, "id")))
        if self.settings.key_field not in refusal.message:
            raise error_of(refusal, answer.call.place)
        found = await self.find(key)
        if found is None:
            text = "Salesforce has a case with this key and does not show it: does the app's user see all cases?"
            raise InDoubt(text, detail=refusal.message)
        return found

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        case = _checked_id(ticket)
        records = [{"attributes": {"type": "CaseComment"}, "ParentId": case, **comment} for comment in request]
        answer = await self._send("POST", "/composite/sobjects", json={"allOrNone": True, "records": records})
        refusal = collection_refusal(answer, len(records))
        if refusal is not None:
            raise error_of(refusal, answer.call.place, of_ticket=True)

    async def attach(self, ticket: Ticket, files: Sequence[AttachedFile], key: str, progress: Progress) -> None:
        """A file is uploaded to nowhere and noted, then linked: an upload whose answer was lost is in no case, and a
        link is there once however often it is asked for."""
        case, uploaded = _checked_id(ticket), dict(progress.note)
        linked = self._rows("ContentDocument.Description", "ContentDocumentLink", "LinkedEntityId", case)
        there = {(row.get("ContentDocument") or {}).get("Description") async for row in linked}
        for file in files:
            if _OUR_FILE + file.sha256 in there:
                continue
            if file.sha256 not in uploaded:
                version = await self._upload(file, key)
                if version is None:
                    continue
                uploaded[file.sha256] = version
                await progress.save(uploaded)
            await self._link_file(case, str(uploaded[file.sha256]))

    async def _upload(self, file: AttachedFile, key: str) -> str | None:
        """The id of the version, or None of a file that cannot be had or is not taken."""
        name = PurePath(file.name).name or "attachment"
        try:
            data = await self.bytes_of(key, file)
            request = {
                "Title": shorten(name, MAX_FIELD_CHARS),
                "PathOnClient": name[-MAX_FIELD_CHARS:],
                "Description": _OUR_FILE + file.sha256,
                "VersionData": base64.b64encode(data).decode("ascii"),
            }
            answer = await self._send("POST", "/sobjects/ContentVersion", json=request)
        except Rejected as error:
            self.context.log.warning("file_refused", file=file.sha256[:12], reason=str(error))
            return None
        return _id(answer, answered(answer, "id"))

    async def _link_file(self, case: str, version: str) -> None:
        objects = f"/services/data/{self.settings.api_version}/sobjects"
        link = {"LinkedEntityId": case, "ContentDocumentId": "@{version.ContentDocumentId}", "ShareType": "V"}
        steps = [
            {
                "method": "GET",
                "url": f"{objects}/ContentVersion/{version}?fields=ContentDocumentId",
                "referenceId": "version",
            },
            {"method": "POST", "url": f"{objects}/ContentDocumentLink", "referenceId": "link", "body": link},
        ]
        answer = await self._send("POST", "/composite", json={"allOrNone": True, "compositeRequest": steps})
        refusal = composite_refusal(answer, len(steps))
        if refusal is not None and refusal.code == "NOT_FOUND":
            self.context.log.warning("file_not_attached", reason="somebody deleted it meanwhile", version=version)
        elif refusal is not None and refusal.code != DUPLICATE:
            raise error_of(refusal, answer.call.place, of_ticket=True)

    # Looking up

    async def find(self, key: str) -> Ticket | None:
        field = self.settings.key_field
        found = [row["Id"] async for row in self._rows(f"Id, {field}", "Case", field, key) if row.get(field) == key]
        if len(found) > 1:
            self.context.log.warning("several_cases_with_one_key", key=key, cases=found)
        return self._ticket(min(found)) if found else None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        case = _checked_id(ticket)
        texts = [row["Description"] async for row in self._rows("Description", "Case", "Id", case)]
        if not texts:
            raise TicketGone("the case was deleted or merged, or the app's user does not see it any more")
        texts += [row["CommentBody"] async for row in self._rows("CommentBody", "CaseComment", "ParentId", case)]
        return marks_in((text or "" for text in texts), marks)

    async def check(self) -> Identity:
        case = await self._describe("Case")
        self._check_key(case)
        writable = {name for name, field in case.items() if field.get("createable")}
        check_fields(self.settings, writable)
        check_choices(self.settings, self.priorities, "Priority", {name: _choices(case[name]) for name in case})
        await self._describe("CaseComment")
        rows = [row async for row in self._rows("Name, IsSandbox", "Organization")]
        name = str(rows[0].get("Name")) if rows else self.settings.base
        is_sandbox = bool(rows and rows[0].get("IsSandbox"))
        return Identity(account=name, details=("sandbox",) if is_sandbox else ())

    def _check_key(self, case: Mapping[str, Any]) -> None:
        name = self.settings.key_field
        field = case.get(name)
        if field is None:
            raise ConfigError(
                f"Case has no field {name} that the app's user sees: create it (text of 60, External ID, Unique) "
                "and give the user's permission set access to it"
            )
        if not (field.get("unique") and field.get("externalId") and field.get("createable")):
            raise ConfigError(
                f"{name} must be marked External ID and Unique, and the app's user must be able to edit it"
            )

    async def _describe(self, kind: str) -> dict[str, Mapping[str, Any]]:
        answer = await self._send("GET", f"/sobjects/{kind}/describe")
        if not answered(answer, "createable"):
            raise ConfigError(f"the app's user may not create {kind}: look at its permission set")
        return {field["name"]: field for field in answered(answer, "fields")}

    async def _rows(self, columns: str, kind: str, field: str = "", value: str = "") -> AsyncIterator[dict[str, Any]]:
        """All where the field has this value, which is a key or an id: there is nothing to escape."""
        where = ("WHERE", field, "=", f"'{value}'") if field else ()
        query = " ".join(("SELECT", columns, "FROM", kind, *where))
        answer = await self._send("GET", "/query", params={"q": query})
        while True:
            for row in answered(answer, "records"):
                yield row
            if answered(answer, "done"):
                return
            path = str(answered(answer, "nextRecordsUrl"))
            answer = await self._send("GET", path.removeprefix(f"/services/data/{self.settings.api_version}"))

    async def _send(self, method: str, path: str, **body: Any) -> Response:
        """One request; with a new token once more where the old one was refused, for then nothing was done."""
        url = f"{self.settings.base}/services/data/{self.settings.api_version}{path}"
        token = await self._token.get()
        try:
            return await self.call(method, url, headers={"Authorization": f"Bearer {token}"}, **body)
        except AuthError:
            token = await self._token.get(stale=token)
        return await self.call(method, url, headers={"Authorization": f"Bearer {token}"}, **body)

    def check_answer(self, answer: Response) -> None:
        """A value that is there already is no error: it says that the work was done. See `create`."""
        refusal = refusal_of(answer)
        if refusal is None:
            super().check_answer(answer)
        elif refusal.code != DUPLICATE:
            raise error_of(refusal, answer.call.place)

    def _ticket(self, case: str) -> Ticket:
        return Ticket(id=case, url=f"{self.settings.base}/{case}")


def _choices(field: Mapping[str, Any]) -> list[str]:
    return [str(one["value"]) for one in field.get("picklistValues") or () if one.get("active")]


def _id(answer: Response, value: Any) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise InDoubt(f"{answer.call.place}: {answer.status} without an id")
    return value


def _checked_id(ticket: Ticket) -> str:
    """It stands in queries."""
    if not _ID.fullmatch(ticket.id):
        raise Rejected(f"{ticket.id}: not the id of a case")
    return ticket.id


def _customer(view: View, mask: Collection[str]) -> dict[str, str]:
    """Of whoever complained, in the fields that web forms fill; an address that Salesforce would refuse, as it does a
    masked one, is left out: it stands in the text."""
    contact = view.record.contact
    is_address = "email" not in mask and len(contact.email) <= MAX_EMAIL_CHARS and _EMAIL.fullmatch(contact.email)
    return {
        "SuppliedName": shorten(contact.name or view.record.customer.name, MAX_NAME_CHARS),
        "SuppliedEmail": contact.email if is_address else "",
        "SuppliedPhone": shorten(contact.phone, MAX_PHONE_CHARS),
    }


def _value(value: Any, *, cut: bool) -> str | int | float | bool:
    """Several values as multi-select picklists take them; text no longer than text fields are, the whole of it stands
    in the description."""
    if isinstance(value, bool | int | float):
        return value
    text = ";".join(map(str, value)) if isinstance(value, tuple) else as_text(value)
    return shorten(text, MAX_FIELD_CHARS) if cut else text


def _comment_bytes(letter: str) -> int:
    return 2 if letter == "\n" else len(escape(letter).encode())
