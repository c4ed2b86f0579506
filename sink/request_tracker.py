"""Files complaints in Request Tracker 5 by REST 2: tickets with a custom field of ours, comments or correspondence.

Source: RT's own lib/RT/REST2.pm and the modules below it, and a real 5.0.3.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from itertools import count
from typing import Any, ClassVar, Literal, NoReturn
from urllib.parse import quote

from pydantic import Field, SecretStr, model_validator

from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Identity
from allears_sdk.errors import ConfigError, Rejected, TicketGone, Unavailable
from allears_sdk.remote import Response, basic_auth
from allears_sdk.settings import FILL_IN
from allears_sdk.sink import Certainty, Progress, SinkSpec, Ticket
from allears_sdk.tickets import (
    CustomerIsRequester,
    FileLimits,
    Limits,
    TicketSettings,
    TicketSink,
    View,
    answered,
    as_text,
    check_fields,
    email_of,
    marks_in,
    upload_each,
    with_lines,
)
from allears_sdk.tickets.view import shorten

NATIVE = ("AdminCc", "Cc", "Due", "Owner", "Starts")
"""What `fields` may name beside custom fields."""
PAGE = 100
EMPTY_PAGES = 3
REFERENCE = len("ALE-XXXX-XXXX-XXXX")
MARKS_IN_SUBJECT = 4
"""RT keeps 255 characters of a comment's subject, and 37 go to each mark."""
_MORE = "…"
_TOLD = frozenset({"Create", "Correspond", "Comment"})


class RequestTrackerSettings(TicketSettings):
    """Which RT, as whom, and in which queue."""

    sink: Literal["request_tracker"] = Field(
        default="request_tracker", description="Which kind of ticket store this is."
    )
    url: str = Field(
        pattern=r"^https?://[^\s]+$",
        description="Address of RT; REST 2 lies below in `REST/2.0`.",
        examples=["https://rt.example.com"],
    )
    token: SecretStr | None = Field(
        default=None,
        description="Authentication token of the user that files.",
        examples=["env:RT_TOKEN"],
        json_schema_extra=dict(FILL_IN),
    )
    username: str = Field(default="", description="Where there is no token: its login.", examples=["allears"])
    password: SecretStr | None = Field(default=None, description="Its password.", examples=["env:RT_PASSWORD"])
    queue: str = Field(min_length=1, description="Name of the queue.", examples=["Complaints"])
    key_field: str = Field(
        default="Complaint ID",
        pattern=r"^[^'\"\\{}]+$",
        description="Name of the queue's custom field (one free-form value) that keeps our key.",
    )
    customer_is_requester: CustomerIsRequester = True
    closed_statuses: frozenset[str] = Field(
        default=frozenset({"resolved", "rejected"}),
        description="Statuses whose tickets take no more follow-ups: a linked ticket is opened. Deleted ones never do.",
    )

    @model_validator(mode="after")
    def _logs_in(self) -> RequestTrackerSettings:
        if self.token is None and not (self.username and self.password):
            raise ValueError("set token, or username and password")
        return self


class RequestTrackerSink(TicketSink[RequestTrackerSettings]):
    spec: ClassVar[SinkSpec] = SinkSpec(
        kind="request_tracker",
        title_en="Request Tracker",
        title_zh="Request Tracker",
        open_certainty=Certainty.B,
        follow_up_certainty=Certainty.B,
        verified="Request Tracker 5.0.3 (Debian)",
        verified_zh="Request Tracker 5.0.3（Debian）",
    )
    Settings = RequestTrackerSettings
    limits = Limits(
        subject_chars=200, text_chars=200_000, files=FileLimits(each_bytes=10 << 20, total_bytes=50 << 20, count=20)
    )
    priorities: ClassVar[Mapping[str, int]] = {"P1": 100, "P2": 75, "P3": 50, "P4": 0}

    async def check(self) -> Identity:
        version = answered(await self._rest("GET", "rt"), "Version")
        names = await self._custom_fields()
        check_fields(self.settings, {*NATIVE, *names} - {self.settings.key_field})
        for name, value in self.settings.values.get("priority", {}).items():
            if not isinstance(value, int) or isinstance(value, bool):
                raise ConfigError(f'values.priority.{name}: RT counts priorities, "{value}" is no integer')
        unseen = "the right to create tickets, and the values of select fields, are not verified"
        return Identity(account=f"{self._url}, queue {self.settings.queue}", details=(f"RT {version}", unseen))

    def compose(self, view: View) -> Any:
        if not view.is_opening:
            return {
                "way": "correspond" if view.is_public else "comment",
                "message": {"Content": view.text, "ContentType": "text/plain", "Subject": _subject(view)},
            }
        email = email_of(view.record, self.settings.mask) if self.settings.customer_is_requester else ""
        fields = {target: text for target, value in view.fields.items() if (text := as_text(value))}
        return {
            "Queue": self.settings.queue,
            "Subject": view.subject,
            "Content": view.text,
            "ContentType": "text/plain",
            **({"Priority": view.priority} if view.priority != "" else {}),
            **({"Requestor": [email]} if email and email.isascii() else {}),
            **{target: text for target, text in fields.items() if target in NATIVE},
            "CustomFields": {
                **{target: text for target, text in fields.items() if target not in NATIVE},
                self.settings.key_field: view.key,
            },
        }

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        answer = await self._send("ticket", request, files, key)
        return self._ticket(answered(answer, "id"))

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        """RT takes comments on deleted tickets and says 201: it is asked first. A merged one leads to where it went."""
        path, queue = f"ticket/{ticket.id}", ""
        try:
            answer = await self._rest("GET", path, gone=(404,))
            status, queue = answered(answer, "Status"), str(answered(answer, "Queue", "id"))
            if status == "deleted" or status in self.settings.closed_statuses:
                raise TicketGone(f"ticket {ticket.id} is {status}")
            await self._send(f"{path}/{request['way']}", request["message"], files, key, gone=(404,))
        except _Forbidden as error:
            await self._raise_gone(error, queue)

    async def find(self, key: str) -> Ticket | None:
        """The oldest of those that bear the key (in another queue it may not be shown: then the title must name the
        complaint). A field that RT does not know finds nothing, without a word: so that is asked too."""
        name = self.settings.key_field
        query = {"query": f"'CF.{{{name}}}' = '{key}'", "fields": "CustomFields,Subject", "per_page": PAGE}
        items = answered(await self._rest("GET", "tickets", params=query), "items")
        found = [int(item["id"]) for item in items if key in _values(item, name) or key[:REFERENCE] in item["Subject"]]
        if found:
            return self._ticket(min(found))
        if items:
            raise ConfigError(
                f'{key} is there, and its "{name}" is not shown: our user needs SeeCustomField everywhere'
            )
        await self._custom_fields()
        return None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        """Comments bear their marks in the subject, which the history lists; of an opening, or of very many messages at
        once, the text is read."""
        subjects: list[str] = []
        whole: list[str] = []
        try:
            async for one in self._history(ticket):
                subject = str(one.get("Data") or "")
                subjects.append(subject)
                if one.get("Type") == "Create" or (one.get("Type") in _TOLD and _MORE in subject):
                    whole.append(str(one["id"]))
        except _Forbidden as error:
            await self._raise_gone(error)
        if not subjects:
            await self._raise_gone(_Forbidden(f"ticket {ticket.id} shows no history"))
        found = marks_in(subjects, marks)
        if len(found) < len(marks):
            found |= marks_in([await self._text(id_) for id_ in whole], marks)
        return found

    def check_answer(self, answer: Response) -> None:
        what, words = f"{answer.call.place}: {answer.status}", answer.text()[:500]
        if answer.status == 403 or (answer.status == 400 and "Permission Denied" in words):
            raise _Forbidden(f"{what}: no such queue, or not the rights in it that the docs name", detail=words)
        if answer.status == 404 or (300 <= answer.status < 400 and answer.call.repeatable):
            raise ConfigError(f"{what}: no REST 2 of RT 5 here; check url", detail=words)
        super().check_answer(answer)

    async def _send(
        self,
        path: str,
        request: Mapping[str, Any],
        files: Sequence[AttachedFile],
        key: str,
        *,
        gone: Iterable[int] = (),
    ) -> Response:
        """With files as a form: in JSON their Chinese names are an error 500."""

        async def part(file: AttachedFile) -> tuple[str, bytes, str]:
            content = await self.bytes_of(key, file)
            if not content:
                raise Rejected("0 B")
            return file.name, content, file.media_type or "application/octet-stream"

        here, lines = await upload_each(files, part, self.context.log)
        request = {**request, "Content": with_lines(request["Content"], lines)}
        if not here:
            return await self._rest("POST", path, json=request, gone=gone)
        form = {"JSON": json.dumps(request)}
        return await self._rest("POST", path, data=form, files=[("Attachments", one) for one in here], gone=gone)

    async def _raise_gone(self, forbidden: ConfigError, queue: str = "") -> NoReturn:
        """Where our queue is open to us, somebody moved this ticket out of it."""
        if str(answered(await self._queue(), "id")) == queue:
            raise forbidden from None
        raise TicketGone(str(forbidden), detail=forbidden.detail) from None

    async def _queue(self) -> Response:
        return await self._rest("GET", f"queue/{quote(self.settings.queue, safe='')}")

    async def _custom_fields(self) -> frozenset[str]:
        """Names of the queue's. Raises ConfigError where the one of our key is not among them."""
        names = frozenset(str(field["name"]) for field in answered(await self._queue(), "TicketCustomFields"))
        if self.settings.key_field not in names:
            raise ConfigError(
                f'queue {self.settings.queue} shows no custom field "{self.settings.key_field}": add it to the queue, '
                "and give our user SeeCustomField"
            )
        return names

    async def _history(self, ticket: Ticket) -> AsyncIterator[Mapping[str, Any]]:
        """Its transactions, the newest first. RT says null for how many there are, and takes those that our user may
        not see out of their pages: an empty one is the last only where the creation was seen."""
        is_whole, empty = False, 0
        for page in count(1):
            wanted = {"fields": "Type,Data", "per_page": PAGE, "page": page, "orderby": "id", "order": "DESC"}
            answer = await self._rest("GET", f"ticket/{ticket.id}/history", params=wanted, gone=(404,))
            items = answered(answer, "items")
            empty = 0 if items else empty + 1
            if empty and (is_whole or empty == EMPTY_PAGES):
                return
            for item in items:
                is_whole |= item.get("Type") == "Create"
                yield item

    async def _text(self, transaction: str) -> str:
        """What a transaction says: its first part that is no file."""
        wanted = {"fields": "ContentType,Filename", "per_page": PAGE}
        answer = await self._rest("GET", f"transaction/{transaction}/attachments", params=wanted)
        for part in answered(answer, "items"):
            if str(part.get("ContentType")).startswith("text/") and not part.get("Filename"):
                content = answered(await self._rest("GET", f"attachment/{part['id']}"), "Content")
                try:
                    return base64.b64decode(content).decode("utf-8", "replace")
                except (binascii.Error, TypeError, ValueError):
                    raise Unavailable(f"attachment {part['id']}: an answer that makes no sense") from None
        return ""

    async def _rest(self, method: str, path: str, *, gone: Iterable[int] = (), **body: Any) -> Response:
        return await self.call(method, f"{self._url}/REST/2.0/{path}", headers=self._credentials, gone=gone, **body)

    @property
    def _url(self) -> str:
        return self.settings.url.rstrip("/")

    @property
    def _credentials(self) -> dict[str, str]:
        if self.settings.token:
            return {"Authorization": f"token {self.settings.token.get_secret_value()}"}
        password = self.settings.password.get_secret_value() if self.settings.password else ""
        return {"Authorization": basic_auth(self.settings.username, password)}

    def _ticket(self, id_: object) -> Ticket:
        return Ticket(id=str(id_), url=f"{self._url}/Ticket/Display.html?id={id_}")


class _Forbidden(ConfigError):
    """RT says so of what is not there, too."""


def _subject(view: View) -> str:
    """Of a comment: some words for people, and the marks, by which it is found again."""
    marks = " ".join(view.marks[:MARKS_IN_SUBJECT])
    more = f" {_MORE}" if len(view.marks) > MARKS_IN_SUBJECT else ""
    return f"{shorten(view.record.title.replace(_MORE, ''), 20).replace(_MORE, '')} [{marks}{more}]".strip()


def _values(ticket: Mapping[str, Any], name: str) -> Collection[str]:
    return {str(value) for field in ticket["CustomFields"] if field["name"] == name for value in field["values"]}
