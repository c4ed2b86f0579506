"""Files complaints in django-helpdesk: tickets with a custom field of ours, follow-ups as comments.

Source: django-helpdesk's own code (helpdesk/views/api.py, serializers.py, update_ticket.py), and a real 2.6.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr

from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Identity
from allears_sdk.errors import ConfigError, InDoubt, Rejected, TicketGone, Unavailable
from allears_sdk.remote import Response, basic_auth
from allears_sdk.sink import Certainty, Progress, SinkSpec, Ticket
from allears_sdk.tickets import (
    CustomerIsRequester,
    FileLimits,
    Limits,
    TicketSettings,
    TicketSink,
    View,
    WhenNotFound,
    answered,
    as_text,
    check_choices,
    check_fields,
    email_of,
    marks_in,
    refused_line,
)

PAGE = 200
MAX_ANSWER_BYTES = 64 << 20
_OURS = frozenset({"queue", "title", "description", "priority"})
_OPENS = re.compile(r"\{(?=[{%#])")
_CLOSES = re.compile(r"(?<=%)\}")


class DjangoHelpdeskSettings(TicketSettings):
    """Which helpdesk, as whom, and in which queue."""

    sink: Literal["django_helpdesk"] = Field(
        default="django_helpdesk", description="Which kind of ticket store this is."
    )
    url: str = Field(
        pattern=r"^https?://[^\s]+$",
        description="Address of the helpdesk; its API lies below in `api/`.",
        examples=["https://support.example.com/helpdesk/"],
    )
    username: str = Field(min_length=1, description="Login of a staff user that files.", examples=["allears"])
    password: SecretStr = Field(description="Its password.", examples=["env:HELPDESK_PASSWORD"])
    queue: int = Field(ge=1, description="Number of the queue, as its address in the admin pages has it.")
    key_field: str = Field(
        default="complaint_id",
        pattern=r"^[-\w]+$",
        description="Name of the custom field (single line, at least 60 characters) that keeps our key.",
    )
    customer_is_requester: CustomerIsRequester = True
    closed_statuses: frozenset[int] = Field(
        default=frozenset({3, 4, 5}),
        description="Statuses whose tickets take no more comments, so that a linked ticket is opened: a comment would "
        "take the place of their resolution. (3 resolved, 4 closed, 5 duplicate.)",
    )
    look_back_tickets: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="How many of the newest tickets are looked through for one whose answer was lost: no filter of "
        "this helpdesk finds it.",
    )
    when_not_found: WhenNotFound = "hold"


class DjangoHelpdeskSink(TicketSink[DjangoHelpdeskSettings]):
    spec: ClassVar[SinkSpec] = SinkSpec(
        kind="django_helpdesk",
        title_en="django-helpdesk",
        title_zh="django-helpdesk",
        open_certainty=Certainty.B,
        follow_up_certainty=Certainty.B,
        verified="django-helpdesk 2.6.1",
        verified_zh="django-helpdesk 2.6.1",
    )
    Settings = DjangoHelpdeskSettings
    limits = Limits(
        subject_chars=200, text_chars=200_000, files=FileLimits(each_bytes=20 << 20, total_bytes=100 << 20, count=20)
    )
    priorities: ClassVar[Mapping[str, int]] = {"P1": 1, "P2": 2, "P3": 3, "P4": 4}

    async def check(self) -> Identity:
        await self._check_mapping()
        details = (f"queue {self.settings.queue}: not verified, this API lists no queues",)
        return Identity(account=f"{self.settings.username} at {self._url}", details=details)

    def compose(self, view: View) -> Any:
        if not view.is_opening:
            return {"comment": literal(view.text), "public": view.is_public}
        email = email_of(view.record, self.settings.mask) if self.settings.customer_is_requester else ""
        fields = {target: text for target, value in view.fields.items() if (text := as_text(value))}
        return {
            "queue": self.settings.queue,
            "title": view.subject,
            "description": view.text,
            "priority": view.priority or self.priorities["P3"],
            **({"submitter_email": email} if email else {}),
            **fields,
            self._key_name: view.key,
        }

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        try:
            answer = await self._api("POST", "tickets/", json=request)
        except Rejected as refused:
            if "submitter_email" not in _names(refused):
                raise await self._explained(refused) from None
            # An address that mail servers take and Django does not must not keep a complaint from being filed.
            request = {name: value for name, value in request.items() if name != "submitter_email"}
            answer = await self._api("POST", "tickets/", json=request)
        if answered(answer).get(self._key_name) != key:
            self.context.log.error("key_not_kept", field=self._key_name)
        return self._ticket(answered(answer, "id"))

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        there = await self._read(ticket)
        if there["status"] in self.settings.closed_statuses or there.get("merged_to"):
            raise TicketGone(f"ticket {ticket.id} is closed or merged")
        try:
            await self._api("POST", "followups/", json={"ticket": int(ticket.id), **request})
        except Rejected as refused:
            if "ticket" in _names(refused):
                raise TicketGone(f"ticket {ticket.id} is not there any more") from None
            raise

    async def attach(self, ticket: Ticket, files: Sequence[AttachedFile], key: str, progress: Progress) -> None:
        """To the very comment that they came with: that makes no new one, and nobody is mailed. Where no comment bears
        this key, as after a restore, they may hang on any."""
        comments = (await self._read(ticket))["followup_set"]
        if not comments:
            raise TicketGone(f"ticket {ticket.id} has no comment left that files could hang on")
        ours = [one for one in comments if key in str(one["comment"])] or comments
        there = {(file["filename"], file["size"]) for one in ours for file in one["followupattachment_set"]}
        for file in files:
            if (file.name, file.size) not in there:
                await self._attach(ticket, comments, ours[0]["id"], file, key)

    async def find(self, key: str) -> Ticket | None:
        """No filter but the status is heard: the newest are looked through."""
        seen = 0
        async for ticket in self._newest():
            if self._key_name not in ticket:
                raise ConfigError(f"there is no custom field {self.settings.key_field}: add it, or set key_field")
            if ticket[self._key_name] == key:
                return self._ticket(ticket["id"])
            seen += 1
            if seen >= self.settings.look_back_tickets:
                if self.settings.when_not_found == "hold":
                    raise InDoubt(f"not among the newest {seen} tickets, and no filter finds it: look for {key}")
                break
        return None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        there = await self._read(ticket)
        return marks_in([str(there["description"]), *(str(one["comment"]) for one in there["followup_set"])], marks)

    def check_answer(self, answer: Response) -> None:
        what, words = f"{answer.call.place}: {answer.status}", answer.text()[:500]
        if answer.status == 403:
            raise ConfigError(f"{what}: {self.settings.username} is not staff, or may not see this queue", detail=words)
        if answer.status == 404:
            raise ConfigError(f"{what}: no API here; check url and HELPDESK_ACTIVATE_API_ENDPOINT", detail=words)
        super().check_answer(answer)

    async def _attach(
        self, ticket: Ticket, comments: Sequence[Mapping[str, Any]], comment: int, file: AttachedFile, key: str
    ) -> None:
        media_type = file.media_type or "application/octet-stream"
        try:
            content = await self.bytes_of(key, file)
            form = {"followup": str(comment), "filename": file.name, "mime_type": media_type}
            await self._api(
                "POST", "followups-attachments/", data=form, files={"file": (file.name, content, media_type)}
            )
        except Rejected as refused:
            # Not a kind of file this helpdesk takes, or bytes that are no more: said once, in the ticket.
            line = refused_line(file, Rejected(refused.detail or str(refused)), self.context.log)
            if not any(f"⚠ {file.name}: " in str(one["comment"]) for one in comments):
                said = {"ticket": int(ticket.id), "comment": literal(line), "public": False}
                await self._api("POST", "followups/", json=said)

    async def _newest(self) -> AsyncIterator[Mapping[str, Any]]:
        """All tickets, the newest first. They are listed by their numbers: what is new meanwhile changes no page."""
        page: int | str = "last"
        while page:
            answer = await self._api(
                "GET", "tickets/", params={"page_size": PAGE, "page": page}, max_bytes=MAX_ANSWER_BYTES
            )
            for ticket in reversed(answered(answer, "results")):
                yield ticket
            page = (-(-answered(answer, "count") // PAGE) if page == "last" else int(page)) - 1
            page = max(page, 0)

    async def _read(self, ticket: Ticket) -> Mapping[str, Any]:
        path = f"tickets/{ticket.id}/"
        there: Mapping[str, Any] = answered(await self._api("GET", path, gone=(404,), max_bytes=MAX_ANSWER_BYTES))
        if not isinstance(there, dict) or not isinstance(there.get("followup_set"), list):
            raise Unavailable(f"{self._url}/api/{path}: an answer that makes no sense")
        return there

    async def _check_mapping(self) -> None:
        """An unknown custom field would be dropped without a word; OPTIONS names those there are."""
        known = answered(await self._api("OPTIONS", "tickets/"), "actions", "POST")
        if self._key_name not in known:
            raise ConfigError(f"there is no custom field {self.settings.key_field}: add it, or set key_field")
        targets = {name for name, field in known.items() if not field.get("read_only")} - _OURS
        check_fields(self.settings, targets)
        choices = {name: [one["value"] for one in field.get("choices", ())] for name, field in known.items()}
        check_choices(self.settings, self.priorities, "priority", choices)
        needed = [name for name, field in known.items() if name.startswith("custom_") and field.get("required")]
        if missing := sorted(set(needed) - {*self.settings.fields.values(), *self.settings.constants, self._key_name}):
            raise ConfigError(f"this helpdesk requires {', '.join(missing)}: name them in fields or constants")

    async def _explained(self, refused: Rejected) -> Exception:
        """A refusal that is the settings' fault lets the destination rest: no letter for each complaint."""
        await self._check_mapping()
        if "queue" in _names(refused):
            return ConfigError(f"there is no queue {self.settings.queue} that this user may use", detail=refused.detail)
        return refused

    async def _api(
        self,
        method: str,
        path: str,
        *,
        gone: Iterable[int] = (),
        **body: Any,
    ) -> Response:
        proof = basic_auth(self.settings.username, self.settings.password.get_secret_value())
        headers = {"Authorization": proof, "Accept": "application/json"}
        return await self.call(method, f"{self._url}/api/{path}", headers=headers, gone=gone, **body)

    @property
    def _url(self) -> str:
        return self.settings.url.rstrip("/")

    @property
    def _key_name(self) -> str:
        return f"custom_{self.settings.key_field}"

    def _ticket(self, id_: object) -> Ticket:
        return Ticket(id=str(id_), url=f"{self._url}/tickets/{id_}/")


def literal(text: str) -> str:
    """The template that renders as `text`. django-helpdesk renders each comment: in a customer's words `{{ … }}` would
    be filled in, `{# … #}` be lost, and half a tag be an error 500."""
    return _CLOSES.sub('{{ "}" }}', _OPENS.sub('{{ "{" }}', text))


def _names(refused: Rejected) -> frozenset[str]:
    """The fields that a refusal names."""
    return frozenset(re.findall(r'"(\w+)":\s?\[', refused.detail))
