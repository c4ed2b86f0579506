"""Files complaints in Zendesk Support: tickets with an `external_id`, follow-ups as comments, files as uploads.

Sources: the vendor's OpenAPI of the Ticketing API and its pages on idempotency and webhooks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from allears_sdk.codec import encode
from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Identity, Request
from allears_sdk.errors import AuthError, ConfigError, InDoubt, Rejected, TicketGone
from allears_sdk.remote import Response, basic_auth
from allears_sdk.sink import Certainty, Hearing, Progress, SinkSpec, Ticket
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
    defuse,
    email_of,
    marks_in,
    name_of,
    refused_line,
    with_lines,
)
from sink.zendesk.back import hear
from sink.zendesk.settings import NATIVE, ZendeskSettings

__all__ = ["ZendeskSettings", "ZendeskSink"]

PRIORITIES = ("urgent", "high", "normal", "low")
UPLOADS_LIVE = timedelta(minutes=50)
"""An upload that hangs on no comment is thrown away after an hour."""
MAX_PAGES = 50
GONE = (404, 410)


class ZendeskSink(TicketSink[ZendeskSettings]):
    """Openings go out under an `Idempotency-Key`, which Zendesk keeps for two hours, and only after a look-up by
    `external_id`: the one covers what the other may miss."""

    spec: ClassVar[SinkSpec] = SinkSpec(
        kind="zendesk",
        title_en="Zendesk",
        title_zh="Zendesk",
        open_certainty=Certainty.B,
        follow_up_certainty=Certainty.B,
        tells=True,
        verified="a simulator, itself tried with zendesk-toolkit 0.2",
        verified_zh="模拟器，其本身用 zendesk-toolkit 0.2 试过",
    )
    Settings = ZendeskSettings
    limits = Limits(
        subject_chars=150,
        text_chars=60_000,
        files=FileLimits(each_bytes=50 << 20, total_bytes=200 << 20, count=20),
    )
    priorities: ClassVar[Mapping[str, StoreValue]] = dict(zip(("P1", "P2", "P3", "P4"), PRIORITIES, strict=True))

    async def check(self) -> Identity:
        """Without a right token Zendesk may answer as if nobody in particular had asked."""
        user = answered(await self._api("GET", "/users/me"), "user")
        if not user.get("id"):
            raise AuthError(f"{self._url}: the token is not taken; check token and email")
        if user.get("role") not in ("agent", "admin"):
            raise ConfigError(f"{user.get('email')} is no agent: tickets of others need an agent or admin")
        self._check_mapping(await self._fields())
        details = ("group_id, assignee_id, ticket_form_id, brand_id and type are not verified",)
        return Identity(account=f"{user.get('email')} at {self._url}", details=details)

    def compose(self, view: View) -> Any:
        if not view.is_opening:
            return {"comment": {"body": defuse(view.text), "public": view.is_public}}
        native, custom = _mapped(view.fields)
        return {
            "subject": defuse(view.subject),
            "comment": {"body": defuse(view.text), "public": self.settings.public_opening},
            "external_id": view.key,
            **({"via_followup_source_id": int(view.event.former[-1])} if view.event.former else {}),
            **native,
            **({"priority": view.priority} if view.priority else {}),
            **({"requester": requester} if (requester := self._requester(view)) else {}),
            "tags": _tags((*self.settings.tags, *view.record.tags, *native.get("tags", ()))),
            "custom_fields": custom,
        }

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        body = await self._with_uploads(request, files, key, progress)
        answer = await self._api("POST", "/tickets", {"ticket": body}, headers={"Idempotency-Key": key})
        return self._ticket(answered(answer, "ticket", "id"))

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        path = f"/tickets/{ticket.id}"
        body = await self._with_uploads(request, files, key, progress)
        if self.settings.reopen and await self._status(path) == "solved":
            body = {**body, "status": "open"}
        try:
            await self._api("PUT", path, {"ticket": body}, gone=GONE)
        except Rejected:
            # A closed ticket refuses in the words of the account's language: its status is asked for.
            if await self._status(path) in ("closed", "deleted"):
                raise TicketGone(f"ticket {ticket.id} is closed for good") from None
            raise

    async def _status(self, path: str) -> str:
        return str(answered(await self._api("GET", path, gone=GONE), "ticket", "status"))

    async def find(self, key: str) -> Ticket | None:
        """The oldest of those that bear the key: external ids are not unique."""
        answer = await self._api("GET", f"/tickets?external_id={key}")
        found = [one for one in answered(answer, "tickets") if one.get("external_id") == key]
        if len(found) > 1:
            self.context.log.warning("tickets_share_a_key", key=key, tickets=[one["id"] for one in found])
        return self._ticket(min(one["id"] for one in found)) if found else None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        """In its comments, the newest first."""
        found: frozenset[str] = frozenset()
        for page in range(1, MAX_PAGES + 1):
            path = f"/tickets/{ticket.id}/comments?sort_order=desc&per_page=100&page={page}"
            answer = await self._api("GET", path, gone=GONE)
            found |= marks_in((str(one.get("body")) for one in answered(answer, "comments")), marks)
            if len(found) == len(marks) or not answered(answer, "next_page"):
                break
        return found

    def hear(self, request: Request) -> Hearing:
        return hear(request, self.settings, self.context.clock.now())

    def check_answer(self, answer: Response) -> None:
        """A key that is taken tells that its ticket is there, or about to be: it is looked up."""
        what = f"{answer.call.place}: {answer.status}"
        if answer.status == 409 or (answer.status == 400 and b"IdempotentRequestError" in answer.content):
            raise InDoubt(f"{what}: this was sent before", detail=answer.text()[:500])
        if answer.status == 403:
            raise ConfigError(f"{what}: the token's user may not do this", detail=answer.text()[:500])
        if answer.status == 404:
            raise ConfigError(f"{what}: there is no such account or API; check url", detail=answer.text()[:500])
        super().check_answer(answer)

    async def _fields(self) -> list[Mapping[str, Any]]:
        """The ticket fields in use."""
        fields: list[Mapping[str, Any]] = []
        for page in range(1, MAX_PAGES + 1):
            answer = await self._api("GET", f"/ticket_fields?per_page=100&page={page}")
            fields.extend(answered(answer, "ticket_fields"))
            if not answered(answer).get("next_page"):
                break
        return [one for one in fields if one.get("active")]

    def _check_mapping(self, fields: Sequence[Mapping[str, Any]]) -> None:
        """Zendesk takes a ticket with a field it does not have, and drops the field."""
        options = {str(one["id"]): one.get("custom_field_options") or () for one in fields}
        check_fields(self.settings, (*NATIVE, *options))
        choices = {id_: [option["value"] for option in offered] for id_, offered in options.items()}
        check_choices(self.settings, self.priorities, "priority", {**choices, "priority": PRIORITIES})

    @property
    def _url(self) -> str:
        return self.settings.url.rstrip("/")

    def _ticket(self, id_: object) -> Ticket:
        return Ticket(id=str(id_), url=f"{self._url}/agent/tickets/{id_}")

    def _requester(self, view: View) -> dict[str, str] | None:
        """Nobody's address is made up."""
        email = email_of(view.record, self.settings.mask) if self.settings.customer_is_requester else ""
        if email:
            return {"name": defuse(name_of(view.record)), "email": email}
        stand_in = self.settings.requester
        return {"name": stand_in, "email": stand_in} if stand_in else None

    async def _with_uploads(
        self, request: Mapping[str, Any], files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> Mapping[str, Any]:
        """An upload for each file: one whose answer was lost hangs on nothing, and goes away. They are noted: the same
        key must get the same bytes again."""
        if not files:
            return request
        note, now = dict(progress.note), self.context.clock.now().timestamp()
        if now - note.get("since", 0) > UPLOADS_LIVE.total_seconds():
            note = {"since": now, "uploads": [], "count": 0, "refused": []}
        for file in files[note["count"] :]:
            note = {**note, **await self._uploaded(key, file, note), "count": note["count"] + 1}
            await progress.save(note)
        comment = {**request["comment"], "body": with_lines(request["comment"]["body"], note["refused"])}
        return {**request, "comment": {**comment, **({"uploads": note["uploads"]} if note["uploads"] else {})}}

    async def _uploaded(self, key: str, file: AttachedFile, note: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the note says then. A file that cannot be had, or that the account does not take, keeps no complaint
        from being filed: the text names it."""
        try:
            return {"uploads": [*note["uploads"], await self._upload(file, await self.bytes_of(key, file))]}
        except Rejected as error:
            return {"refused": [*note["refused"], refused_line(file, error, self.context.log)]}

    async def _upload(self, file: AttachedFile, content: bytes) -> str:
        """Repeatable: what hangs on no comment is thrown away over there."""
        answer = await self.call(
            "POST",
            f"{self._url}/api/v2/uploads",
            headers={**self._credentials, "Content-Type": file.media_type or "application/octet-stream"},
            params={"filename": file.name},
            content=content,
            repeatable=True,
        )
        return str(answered(answer, "upload", "token"))

    async def _api(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        gone: Iterable[int] = (),
    ) -> Response:
        return await self.call(
            method,
            f"{self._url}/api/v2{path}",
            headers={**self._credentials, "Content-Type": "application/json", **(headers or {})},
            content=encode(body) if body is not None else None,
            gone=gone,
        )

    @property
    def _credentials(self) -> dict[str, str]:
        token = self.settings.token.get_secret_value()
        if not self.settings.email:
            return {"Authorization": f"Bearer {token}"}
        return {"Authorization": basic_auth(f"{self.settings.email}/token", token)}


def _mapped(fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Native fields by name, custom ones by number. What is empty is left to Zendesk's own defaults."""
    native: dict[str, Any] = {}
    custom: list[dict[str, Any]] = []
    for target, value in fields.items():
        text = as_text(value)
        if not text:
            continue
        if target == "tags":
            native[target] = list(value) if isinstance(value, tuple) else [text]
        elif target in NATIVE:
            native[target] = int(text) if text.isdecimal() else text
        else:
            custom.append({"id": int(target), "value": value if isinstance(value, bool | int | float) else text})
    return native, custom


def _tags(tags: Sequence[object]) -> list[str]:
    """Each once, in order; one with spaces would become several."""
    return list(dict.fromkeys("_".join(re.split(r"[\s,]+", str(tag).strip())) for tag in tags if str(tag).strip()))
