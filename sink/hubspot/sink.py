"""Files complaints as tickets: HubSpot API, "Tickets", "Notes", "Associations", "Files".

A ticket is looked up by a unique property, which HubSpot answers from the record, not from its search index. A note is
made on its own, noted, and only then put into the ticket: to do that twice is to do it once. So whatever answers are
lost, a ticket has each note once; at worst a note lies in no ticket.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from html import escape, unescape
from pathlib import PurePath
from typing import Any, ClassVar

from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Identity
from allears_sdk.errors import ConfigError, InDoubt, Rejected, TicketGone
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
    refused_line,
)
from sink.hubspot.answers import check, is_taken
from sink.hubspot.settings import HubspotSettings

MAX_NOTE_CHARS = 65_000
"""A note takes 65,536 characters of HTML."""
TICKET_TO_CONTACT = 16
NOTES_AT_ONCE = 100
TICKETS = "0-5"
"""The object type of tickets in addresses."""


class HubspotSink(TicketSink[HubspotSettings]):
    """A ticket for each complaint, notes for what follows and for files."""

    spec = SinkSpec(
        kind="hubspot",
        title_en="HubSpot tickets",
        title_zh="HubSpot 工单",
        open_certainty=Certainty.B,
        follow_up_certainty=Certainty.B,
        verified="a simulator, which HubSpot's own client 12 takes for HubSpot; no account",
        verified_zh="模拟器，HubSpot 官方客户端 12 把它当作 HubSpot；未在真实账户上试过",
    )
    Settings = HubspotSettings
    limits = Limits(
        subject_chars=250,
        text_chars=60_000,
        files=FileLimits(each_bytes=20 << 20, total_bytes=100 << 20, count=20),
    )
    priorities: ClassVar[Mapping[str, StoreValue]] = {"P1": "HIGH", "P2": "HIGH", "P3": "MEDIUM", "P4": "LOW"}

    _web_url: str | None = None

    # Making requests

    def compose(self, view: View) -> Any:
        if view.is_opening:
            return {"properties": self._properties(view), "email": view.record.contact.email}
        at, parts = as_text(view.event.at), parts_of(view.text, MAX_NOTE_CHARS, _html_chars)
        return [{"hs_timestamp": at, "hs_note_body": _html(part)} for part in parts]

    def _properties(self, view: View) -> dict[str, Any]:
        settings = self.settings
        made = {
            **settings.constants,
            "subject": view.subject,
            "content": view.text,
            "hs_pipeline": settings.pipeline,
            "hs_pipeline_stage": settings.stage,
            "hs_ticket_priority": view.priority,
            **view.mapped,
            settings.key_property: view.key,
        }
        return {name: _value(value) for name, value in made.items() if value not in ("", ())}

    # Sending

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        await self._web()
        contact = await self._contact(request["email"])
        types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": TICKET_TO_CONTACT}]
        linked = [{"to": {"id": contact}, "types": types}] if contact else []
        body = {"properties": request["properties"], "associations": linked}
        answer = await self._send("POST", self._objects("tickets"), json=body)
        if not is_taken(answer):
            return await self._ticket(str(answered(answer, "id")))
        found = await self.find(key)
        if found is not None:
            return found
        if self.settings.key_property in answer.text():
            raise InDoubt("HubSpot says that a ticket has this key, and does not find it", detail=answer.text()[:500])
        raise Rejected(
            f"{answer.call.place}: another ticket has a value that must be unique", detail=answer.text()[:500]
        )

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        target = await self._current(ticket)
        made = dict(progress.note)
        for number, properties in enumerate(request):
            name = f"{key}/{number}"
            if name not in made:
                made[name] = await self._make_note(properties)
                await progress.save(made)
            await self._put_into(target, str(made[name]))

    async def attach(self, ticket: Ticket, files: Sequence[AttachedFile], key: str, progress: Progress) -> None:
        """The files of one operation stand at one note, with a mark of each: after a restore they may be told of by
        other operations than before."""
        there = await self.find_follow_ups(ticket, [_file_mark(file) for file in files])
        missing = [file for file in files if _file_mark(file) not in there]
        note, made = f"{key}-FILES", dict(progress.note)
        if not missing:
            return
        for file in missing if note not in made else ():
            if file.sha256 not in made:
                made[file.sha256] = await self._upload(file, key)
                await progress.save(made)
        if note not in made:
            marks = " ".join([note, *map(_file_mark, missing)])
            made[note] = await self._make_note(self._files_note(marks, [made[file.sha256] for file in missing]))
            await progress.save(made)
        await self._put_into(await self._current(ticket), str(made[note]))

    def _files_note(self, marks: str, uploaded: Sequence[Mapping[str, str]]) -> dict[str, str]:
        return {
            "hs_timestamp": as_text(self.context.clock.now()),
            "hs_note_body": _html("\n".join([*(one["line"] for one in uploaded), f"[{marks}]"])),
            "hs_attachment_ids": ";".join(one["id"] for one in uploaded if one["id"]),
        }

    async def _upload(self, file: AttachedFile, key: str) -> dict[str, str]:
        """The file's `id` in HubSpot, "" of one that cannot be had or is not taken; and the `line` that names it."""
        try:
            data = await self.bytes_of(key, file)
            answer = await self._send(
                "POST",
                self._path("files", "files"),
                data={"folderPath": self.settings.folder, "options": json.dumps({"access": "PRIVATE"})},
                files={
                    "file": (
                        PurePath(file.name).name or "attachment",
                        data,
                        file.media_type or "application/octet-stream",
                    )
                },
            )
        except Rejected as error:
            return {"id": "", "line": refused_line(file, error, self.context.log)}
        return {"id": str(answered(answer, "id")), "line": file.name}

    async def _make_note(self, properties: Mapping[str, str]) -> str:
        answer = await self._send("POST", self._objects("notes"), json={"properties": properties})
        return str(answered(answer, "id"))

    async def _put_into(self, ticket: str, note: str) -> None:
        path = self._linked("notes", note, f"default/tickets/{ticket}")
        await self._send("PUT", path, gone=(404,), repeatable=True)

    async def _contact(self, email: str) -> str:
        """Id of the contact with this address, "" where there is none. By POST, so that no address stands in a URL."""
        if self.settings.contacts == "none" or not email:
            return ""
        body = {"idProperty": "email", "properties": ["email"], "inputs": [{"id": email}]}
        answer = await self._send("POST", self._objects("contacts", "batch/read"), json=body, repeatable=True)
        found = [one for one in answered(answer, "results") if _same(one["properties"].get("email"), email)]
        return str(found[0]["id"]) if found else ""

    # Looking up

    async def find(self, key: str) -> Ticket | None:
        name = self.settings.key_property
        answer = await self._read(self._objects("tickets", key), idProperty=name, properties=name)
        if answer is None or answered(answer, "properties", name) != key:
            return None
        return await self._ticket(str(answered(answer, "id")))

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        record = await self._record(ticket, "content")
        texts = [answered(record, "properties", "content") or ""]
        texts += [unescape(body) async for body in self._notes(str(answered(record, "id")))]
        return marks_in(texts, marks)

    async def _notes(self, ticket: str) -> AsyncIterator[str]:
        """The bodies of all notes in the ticket."""
        after = ""
        while True:
            answer = await self._send(
                "GET",
                self._linked("tickets", ticket, "notes"),
                params={"limit": "500"} | ({"after": after} if after else {}),
                gone=(404,),
            )
            ids = [str(one["toObjectId"]) for one in answered(answer, "results")]
            for start in range(0, len(ids), NOTES_AT_ONCE):
                for note in await self._read_notes(ids[start : start + NOTES_AT_ONCE]):
                    yield note["properties"].get("hs_note_body") or ""
            paging = answered(answer).get("paging")
            if not paging:
                return
            after = str(answered(answer, "paging", "next", "after"))

    async def _read_notes(self, ids: Iterable[str]) -> Sequence[Mapping[str, Any]]:
        body = {"properties": ["hs_note_body"], "inputs": [{"id": id_} for id_ in ids]}
        answer = await self._send("POST", self._objects("notes", "batch/read"), json=body, repeatable=True)
        found: Sequence[Mapping[str, Any]] = answered(answer, "results")
        return found

    async def _current(self, ticket: Ticket) -> str:
        """The ticket's id, or that of the one it was merged into."""
        return str(answered(await self._record(ticket, "subject"), "id"))

    async def _record(self, ticket: Ticket, properties: str) -> Response:
        answer = await self._read(self._objects("tickets", ticket.id), properties=properties)
        if answer is None:
            raise TicketGone("the ticket was deleted")
        return answer

    async def _read(self, path: str, **params: str) -> Response | None:
        """None of what is not there."""
        try:
            return await self._send("GET", path, params=params, gone=(404,))
        except TicketGone:
            return None

    async def check(self) -> Identity:
        answer = await self._send("GET", self._path("crm", "properties/tickets"))
        known = {str(one["name"]): one for one in answered(answer, "results")}
        self._check_key(known.get(self.settings.key_property))
        writable = [name for name, one in known.items() if not one.get("modificationMetadata", {}).get("readOnlyValue")]
        check_fields(self.settings, writable)
        choices = {name: [str(option["value"]) for option in one.get("options") or ()] for name, one in known.items()}
        check_choices(self.settings, self.priorities, "hs_ticket_priority", choices)
        pipeline = await self._check_stage()
        details = await self._account_details()
        return Identity(account=str(details.get("portalId", self.settings.url)), details=(pipeline,))

    def _check_key(self, known: Mapping[str, Any] | None) -> None:
        name = self.settings.key_property
        if known is None:
            raise ConfigError(f"tickets have no property {name}: create it as single-line text with unique values")
        if not known.get("hasUniqueValue"):
            raise ConfigError(f"{name} must require unique values: that is chosen when the property is created")

    async def _check_stage(self) -> str:
        """The labels of pipeline and stage."""
        answer = await self._send("GET", self._path("crm", "pipelines/tickets"))
        pipelines = {str(one["id"]): one for one in answered(answer, "results")}
        if self.settings.pipeline not in pipelines:
            raise ConfigError(
                f"there is no pipeline with the id {self.settings.pipeline}; there are: {_named(pipelines)}"
            )
        pipeline = pipelines[self.settings.pipeline]
        stages = {str(one["id"]): one for one in pipeline["stages"]}
        if self.settings.stage not in stages:
            raise ConfigError(f"the pipeline has no stage with the id {self.settings.stage}; it has: {_named(stages)}")
        return f"{pipeline['label']} / {stages[self.settings.stage]['label']}"

    async def _account_details(self) -> Mapping[str, Any]:
        answer = await self._send("GET", self._path("account-info", "details"))
        details = answered(answer)
        return details if isinstance(details, dict) else {}

    async def _ticket(self, id_: str) -> Ticket:
        return Ticket(id=id_, url=f"{await self._web()}/record/{TICKETS}/{id_}" if await self._web() else "")

    async def _web(self) -> str:
        """Where people look at the account; "" where the app may not ask."""
        if self._web_url is None:
            try:
                details = await self._account_details()
            except (Rejected, ConfigError):
                details = {}
            known = "portalId" in details and "uiDomain" in details
            self._web_url = f"https://{details['uiDomain']}/contacts/{details['portalId']}" if known else ""
        return self._web_url

    # Calling

    async def _send(self, method: str, path: str, **body: Any) -> Response:
        headers = {"Authorization": f"Bearer {self.settings.token.get_secret_value()}"}
        return await self.call(method, self.settings.url + path, headers=headers, **body)

    def check_answer(self, answer: Response) -> None:
        check(answer, self.context.clock.now())

    def _path(self, area: str, rest: str) -> str:
        """`/crm/v3/objects/tickets`, or `/crm/objects/2026-03/tickets`."""
        if self.settings.api_version == "v3":
            return f"/{area}/v3/{rest}"
        first, _, further = rest.partition("/")
        if area == first or not further:
            return f"/{area}/{self.settings.api_version}/{rest}"
        return f"/{area}/{first}/{self.settings.api_version}/{further}"

    def _objects(self, kind: str, rest: str = "") -> str:
        return self._path("crm", "/".join(filter(None, ("objects", kind, rest))))

    def _linked(self, kind: str, id_: str, rest: str) -> str:
        """Associations have a version of their own beside v3."""
        return self._objects(kind, f"{id_}/associations/{rest}").replace("/crm/v3/", "/crm/v4/", 1)


def _named(known: Mapping[str, Mapping[str, Any]]) -> str:
    return ", ".join(f"{id_} ({one.get('label', '')})" for id_, one in known.items())


def _same(address: Any, other: str) -> bool:
    return isinstance(address, str) and address.casefold() == other.casefold()


def _html(text: str) -> str:
    return escape(text, quote=False).replace("\n", "<br>")


def _html_chars(letter: str) -> int:
    return len(_html(letter))


def _value(value: Any) -> str:
    """Several values as checkboxes take them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ";".join(map(str, value)) if isinstance(value, tuple) else as_text(value)


def _file_mark(file: AttachedFile) -> str:
    return file.sha256[:16]
