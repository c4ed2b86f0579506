"""Files complaints in Freshdesk: tickets known by a custom field, follow-ups as notes, files in the same request.

Sources: the vendor's API reference in two transcriptions, freshdesk/fresh-samples for forms with files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Identity, Request
from allears_sdk.errors import AllearsError, ConfigError, Rejected
from allears_sdk.remote import Response, basic_auth
from allears_sdk.sink import Certainty, Hearing, Progress, SinkSpec, Ticket
from allears_sdk.tickets import (
    FileLimits,
    Limits,
    StoreValue,
    TicketSink,
    View,
    answered,
    check_choices,
    check_fields,
    defuse,
    email_of,
    marks_in,
    name_of,
    refused_line,
    upload_each,
    with_lines,
)
from sink.freshdesk.back import hear
from sink.freshdesk.settings import NATIVE, FreshdeskSettings
from sink.freshdesk.shapes import form_of, html, mapped, tags_of

__all__ = ["FreshdeskSettings", "FreshdeskSink"]

PRIORITIES = [1, 2, 3, 4]
USUAL_PRIORITY = 2
OPEN, RESOLVED, CLOSED = 2, 4, 5
DEFAULTS: Mapping[str, StoreValue] = {"status": OPEN, "source": 2}
"""Open, from the portal."""
MAX_PAGES = 10
GONE = (404, 405, 410)
Part = tuple[str, tuple[str, bytes, str]]
"""A file of a form."""


class FilesRefused(Rejected):
    """The files of this request are too large, or of a kind that is not taken."""


class FreshdeskSink(TicketSink[FreshdeskSettings]):
    """The search lags by minutes, and whether the plain list does nobody says: class C for all."""

    spec: ClassVar[SinkSpec] = SinkSpec(
        kind="freshdesk",
        title_en="Freshdesk",
        title_zh="Freshdesk",
        open_certainty=Certainty.C,
        follow_up_certainty=Certainty.C,
        wait_seconds=300,
        tells=True,
        verified="a simulator, itself tried with python-freshdesk 1.3",
        verified_zh="模拟器，其本身用 python-freshdesk 1.3 试过",
    )
    Settings = FreshdeskSettings
    limits = Limits(
        subject_chars=250,
        text_chars=30_000,
        files=FileLimits(each_bytes=20 << 20, total_bytes=20 << 20, count=20),
    )
    priorities: ClassVar[Mapping[str, StoreValue]] = {"P1": 4, "P2": 3, "P3": 2, "P4": 1}

    async def check(self) -> Identity:
        agent = answered(await self._api("GET", "/agents/me"), "contact")
        self._check_mapping(answered(await self._api("GET", "/ticket_fields")))
        details = ("numbers of groups, agents and products are not verified",)
        return Identity(account=f"{agent.get('email')} at {self._url}", details=details)

    def compose(self, view: View) -> Any:
        if not view.is_opening:
            return {"body": html(view.text), "private": not view.is_public}
        native, custom = mapped({**DEFAULTS, **view.fields})
        return {
            "subject": defuse(view.subject),
            "description": html(view.text),
            "tags": tags_of((*self.settings.tags, *view.record.tags)),
            **native,
            "priority": view.priority or USUAL_PRIORITY,
            **self._requester(view),
            "custom_fields": {**custom, self.settings.key_field: view.key},
        }

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        answer = await self._post("/tickets", request, "description", files, key)
        return self._ticket(answered(answer, "id"))

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        path = f"/tickets/{ticket.id}"
        if self.settings.reopen and await self._status(path) in (RESOLVED, CLOSED):  # first: it may be repeated
            await self._api("PUT", path, gone=GONE, json={"status": OPEN}, repeatable=True)
        answered(await self._post(f"{path}/notes", request, "body", files, key, gone=GONE), "id")

    async def _status(self, path: str) -> int:
        return int(answered(await self._api("GET", path, gone=GONE), "status"))

    async def find(self, key: str) -> Ticket | None:
        """In the plain list of what is new, then in the search, which misses that."""
        since = self.context.clock.now() - timedelta(minutes=self.settings.list_minutes)
        path = f"/tickets?updated_since={since:%Y-%m-%dT%H:%M:%SZ}&order_by=updated_at&order_type=desc"
        for page in range(1, MAX_PAGES + 1):
            listed = answered(await self._api("GET", f"{path}&per_page=100&page={page}"))
            if found := self._bearers(listed, key):
                return self._ticket(min(found))
            if len(listed) < 100:
                break
        searched = await self._api("GET", "/search/tickets", params={"query": f"\"{self.settings.key_field}:'{key}'\""})
        found = self._bearers(answered(searched, "results"), key)
        return self._ticket(min(found)) if found else None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        path = f"/tickets/{ticket.id}"
        opening = answered(await self._api("GET", path, gone=GONE))
        found = marks_in((str(opening.get("description_text")), str(opening.get("description"))), marks)
        for page in range(1, MAX_PAGES * 10):
            if len(found) == len(marks):
                break
            said = answered(await self._api("GET", f"{path}/conversations?per_page=100&page={page}", gone=GONE))
            found |= marks_in((str(one.get("body_text")) for one in said), marks)
            if len(said) < 100:
                break
        return found

    def hear(self, request: Request) -> Hearing:
        return hear(request, self.settings.webhook_secret, self.settings.statuses)

    def check_answer(self, answer: Response) -> None:
        what, said = f"{answer.call.place}: {answer.status}", answer.text()[:500]
        if answer.status == 403:
            raise ConfigError(f"{what}: the key's agent may not do this", detail=said)
        if answer.status == 404:
            raise ConfigError(f"{what}: there is no such account or API; check url", detail=said)
        faults = _faults(answer) if answer.status == 400 else []
        if answer.status == 413 or any(fault.get("field") == "attachments" for fault in faults):
            raise FilesRefused(what, detail=said)
        if any(fault.get("code") == "invalid_field" for fault in faults):
            raise ConfigError(f"{what}: a field of the mapping is not in Freshdesk's ticket form", detail=said)
        super().check_answer(answer)

    def _check_mapping(self, fields: Sequence[Mapping[str, Any]]) -> None:
        known = {str(one["name"]): one for one in fields if str(one["name"]).startswith("cf_")}
        if known.get(self.settings.key_field, {}).get("type") not in ("custom_text", "custom_paragraph"):
            raise ConfigError(f'key_field = "{self.settings.key_field}": Freshdesk has no text field of that name')
        check_fields(self.settings, (*NATIVE, *known))
        choices = {name: list(one.get("choices") or ()) for name, one in known.items()} | {"priority": PRIORITIES}
        check_choices(self.settings, self.priorities, "priority", choices)

    @property
    def _url(self) -> str:
        return self.settings.url.rstrip("/")

    def _ticket(self, id_: object) -> Ticket:
        return Ticket(id=str(id_), url=f"{self._url}/a/tickets/{id_}")

    def _requester(self, view: View) -> dict[str, str]:
        """By address, by phone (which wants a name beside it), the stand-in, or as a contact with an id of ours."""
        record, mask = view.record, self.settings.mask
        name, stand_in = defuse(name_of(record)), self.settings.requester
        if self.settings.customer_is_requester:
            if email := email_of(record, mask):
                return {"email": email, "name": name}
            if record.contact.phone and "phone" not in mask:
                return {"phone": record.contact.phone, "name": name}
        if stand_in:
            return {"email": stand_in, "name": stand_in}
        if id_ := record.customer.key or ("" if mask else record.customer_id):
            return {"unique_external_id": id_, "name": name or id_}
        raise Rejected("nothing is known of the customer to file it by; set requester")

    def _bearers(self, tickets: Iterable[Mapping[str, Any]], key: str) -> list[int]:
        """Ids of those that bear the key: the list knows no filter for it, and no search is believed."""
        found = [one["id"] for one in tickets if (one.get("custom_fields") or {}).get(self.settings.key_field) == key]
        if len(found) > 1:
            self.context.log.warning("tickets_share_a_key", key=key, tickets=found)
        return found

    async def _post(
        self,
        path: str,
        request: Mapping[str, Any],
        text: str,
        files: Sequence[AttachedFile],
        key: str,
        *,
        gone: Iterable[int] = (),
    ) -> Response:
        """With its files. Where they are what is refused, nothing was made: it goes out without, and names them."""

        async def part(file: AttachedFile) -> Part:
            content = await self.bytes_of(key, file)
            return "attachments[]", (file.name, content, file.media_type or "application/octet-stream")

        parts, lines = await upload_each(files, part, self.context.log)
        if parts:
            try:
                return await self._api("POST", path, gone=gone, data=form_of(_named(request, text, lines)), files=parts)
            except FilesRefused as error:
                lines = [refused_line(file, error, self.context.log) for file in files]
        return await self._api("POST", path, gone=gone, json=_named(request, text, lines))

    async def _api(self, method: str, path: str, *, gone: Iterable[int] = (), **body: Any) -> Response:
        headers = {"Authorization": basic_auth(self.settings.api_key.get_secret_value(), "X")}
        return await self.call(method, f"{self._url}/api/v2{path}", headers=headers, gone=gone, **body)


def _named(request: Mapping[str, Any], text: str, lines: Sequence[str]) -> Mapping[str, Any]:
    """The request whose text names the files that are missing."""
    return {**request, text: with_lines(request[text], [html(line) for line in lines], "<br>")}


def _faults(answer: Response) -> list[Mapping[str, Any]]:
    """The `errors` of a refusal, as far as it can be read."""
    try:
        faults = answer.json()["errors"]
    except (AllearsError, LookupError, TypeError):
        return []
    return [fault for fault in faults if isinstance(fault, dict)] if isinstance(faults, list) else []
