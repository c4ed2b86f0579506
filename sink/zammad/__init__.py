"""Files complaints as tickets of Zammad: the key in a ticket attribute, the marks in the articles.

Sources: Zammad's API documentation ("Ticket", "Articles", "Priorities"), and of its code `tickets_controller`,
`creates_ticket_articles`, `can_search`, `selector/sql`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, NoReturn

from allears_sdk.codec import encode
from allears_sdk.complaint import AttachedFile, Complaint
from allears_sdk.connector import Identity, Request
from allears_sdk.errors import ConfigError, Rejected, RetryLater, TicketGone
from allears_sdk.reference import seed
from allears_sdk.remote import Response
from allears_sdk.sink import Certainty, Hearing, Progress, SinkSpec, Ticket
from allears_sdk.tickets import (
    NOBODYS_KEY,
    FileLimits,
    Limits,
    StoreValue,
    TicketSink,
    View,
    answered,
    as_text,
    check_choices,
    check_fields,
    listed,
    marks_in,
    upload_each,
    with_lines,
)
from sink.zammad.back import hear
from sink.zammad.settings import ZammadSettings

__all__ = ["ZammadSettings", "ZammadSink"]

MAX_NAME_CHARS = 100
MAX_ARTICLES_BYTES = 64 << 20
_GUESS = "guess:"
_REFUSED = re.compile(r"No lookup value found for '(\w+)'|(Invalid email)")
_OURS = frozenset({"group", "priority", "type", "sender", "state"})
"""Names in requests that come from the settings alone."""
_NEEDED = frozenset({"read", "create", "change"})
_GONE = frozenset({"merged", "removed"})
_MASKED = "*"


class Forbidden(ConfigError):
    """The token may not do this."""


class ZammadSink(TicketSink[ZammadSettings]):
    spec = SinkSpec(
        kind="zammad",
        title_en="Zammad",
        title_zh="Zammad",
        open_certainty=Certainty.B,
        follow_up_certainty=Certainty.B,
        tells=True,
        verified="a simulator after Zammad's code, which zammad-py 3.2.1 takes for a Zammad; no real one",
        verified_zh="按 Zammad 源码编写的模拟器，zammad-py 3.2.1 把它当作 Zammad；未在真实的 Zammad 上试过",
    )
    Settings = ZammadSettings
    limits = Limits(
        subject_chars=250,
        text_chars=1_000_000,
        files=FileLimits(each_bytes=20 << 20, total_bytes=30 << 20, count=50),
    )
    priorities: ClassVar[Mapping[str, StoreValue]] = {"P1": "3 high", "P2": "3 high", "P3": "2 normal", "P4": "1 low"}

    async def check(self) -> Identity:
        account = await self._check_access()
        known = [str(one.get("name")) for one in listed(await self._call("GET", "/ticket_priorities"))]
        check_choices(self.settings, self.priorities, "priority", {"priority": known})
        await self.find(NOBODYS_KEY)
        details = [f"group {self.settings.group}", f"key in {self.settings.key_field}"]
        tickets = listed(await self._call("GET", "/tickets", params={"per_page": 1, "expand": "true"}))
        if tickets:
            check_fields(self.settings, {*tickets[0], "tags"})
        elif self.settings.fields or self.settings.constants:
            details.append("there is no ticket yet to verify the names of fields by")
        return Identity(account=account, details=details)

    def compose(self, view: View) -> Any:
        article = {
            "body": view.text,
            "content_type": "text/plain",
            "type": self.settings.article_type if view.is_opening else "note",
            "sender": "Customer" if view.is_opening or view.is_customers else "Agent",
            "internal": not (view.is_opening or view.is_public),
        }
        if not view.is_opening:
            return article
        return {
            "title": view.subject,
            "group": self.settings.group,
            self.settings.key_field: view.key,
            **({"priority": view.priority} if view.priority else {}),
            **{target: _shaped(target, value) for target, value in view.fields.items() if value not in ("", ())},
            **_customer(view.record),
            "article": {**article, "subject": view.subject},
        }

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        article = await self._with_files(request["article"], key, files)
        request = {**self._addressed(request), "article": article}
        try:
            answer = await self._call("POST", "/tickets", request)
        except Rejected as refused:
            answer = await self._call("POST", "/tickets", self._without_refused(request, refused))
        number = int(answered(answer, "id"))
        if answered(answer).get(self.settings.key_field) != key:
            self.context.log.error("key_not_kept", ticket=number, field=self.settings.key_field)
        return self._ticket(number)

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        article = await self._with_files(request, key, files)
        try:
            there = answered(
                await self._call("GET", f"/tickets/{ticket.id}", params={"expand": "true"}, gone=(404,)), "state"
            )
            if there in _GONE:
                raise TicketGone(f"ticket {ticket.id} is {there}")
            if there == "closed" and self.settings.reopen and article["sender"] == "Customer":
                change = {"state": "open", "article": article}
                await self._call("PUT", f"/tickets/{ticket.id}", change, gone=(404,))
            else:
                await self._call("POST", "/ticket_articles", {"ticket_id": int(ticket.id), **article}, gone=(404,))
        except Forbidden as forbidden:
            await self._raise_gone(forbidden)

    async def find(self, key: str) -> Ticket | None:
        """By condition, without a query: it is asked of the database, not of the search engine."""
        condition = {f"ticket.{self.settings.key_field}": {"operator": "is", "value": key}}
        search = {"condition": condition, "limit": 10}
        try:
            answer = await self._call("POST", "/tickets/search", search, params={"expand": "true"}, repeatable=True)
        except Rejected as error:
            words = f"tickets have no attribute {self.settings.key_field}: make it (text), see docs/sinks/zammad.md"
            raise ConfigError(words, detail=error.detail) from None
        found = listed(answer)
        if any(one.get(self.settings.key_field) != key for one in found):
            raise ConfigError(f"this Zammad finds tickets whose {self.settings.key_field} is not what was asked for")
        return self._ticket(min(int(one["id"]) for one in found)) if found else None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        path = f"/ticket_articles/by_ticket/{ticket.id}"
        try:
            articles = listed(await self._call("GET", path, gone=(404,), max_bytes=MAX_ARTICLES_BYTES))
        except Forbidden as forbidden:
            await self._raise_gone(forbidden)
        return marks_in([str(one.get("body") or "") for one in articles], marks)

    def hear(self, request: Request) -> Hearing:
        return hear(request, self.settings)

    def check_answer(self, answer: Response) -> None:
        if answer.status == 403:
            words = answer.text()[:500]
            if "maintenance" in words.lower():
                raise RetryLater(f"{answer.call.place}: Zammad is under maintenance", after_seconds=60)
            raise Forbidden(
                f"{answer.call.place}: 403; the token needs ticket.agent, its user the rights of an agent in the group "
                f"{self.settings.group}",
                detail=words,
            )
        super().check_answer(answer)

    async def _call(self, method: str, path: str, body: Any = None, **given: Any) -> Response:
        headers = {"Authorization": f"Token token={self.settings.token.get_secret_value()}"}
        if body is not None:
            given["content"] = await self.context.blocking(encode, body)
            headers["Content-Type"] = "application/json"
        return await self.call(method, f"{self.settings.url}/api/v1{path}", headers=headers, **given)

    def _ticket(self, number: int) -> Ticket:
        return Ticket(id=str(number), url=f"{self.settings.url}/#ticket/zoom/{number}")

    async def _with_files(self, article: Mapping[str, Any], key: str, files: Sequence[AttachedFile]) -> dict[str, Any]:
        """All three names are needed of each. A file whose bytes are no more is named in the text."""

        async def encoded(file: AttachedFile) -> dict[str, str]:
            content = await self.context.blocking(base64.b64encode, await self.bytes_of(key, file))
            kind = file.media_type or "application/octet-stream"
            return {"filename": file.name, "mime-type": kind, "data": content.decode()}

        sent, lines = await upload_each(files, encoded, self.context.log)
        attachments = {"attachments": sent} if sent else {}
        return {**article, "body": with_lines(article["body"], lines), **attachments}

    def _addressed(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Without an address that is masked: that would be another customer's, or nobody's."""
        if _MASKED not in request.get("customer_id", _MASKED):
            return dict(request)
        placeholder = {"customer_id": f"{_GUESS}{self.settings.requester}"} if self.settings.requester else {}
        return {**_without(request, "customer_id"), **placeholder}

    def _without_refused(self, request: Mapping[str, Any], refused: Rejected) -> dict[str, Any]:
        """The same without an owner nobody is, or an address that is none. What is refused otherwise stays so."""
        match = _REFUSED.search(refused.detail)
        name = "customer_id" if match and match[2] else match[1] if match else ""
        if name in _OURS:
            raise ConfigError(f"this Zammad has no such {name} as the settings name", detail=refused.detail)
        if name not in request:
            raise refused
        self.context.log.warning("value_refused", field=name)
        return _without(request, name)

    async def _check_access(self) -> str:
        """Who we are. Raises ConfigError where that user may not work in the group."""
        me = answered(await self._call("GET", "/users/me", params={"expand": "true"}))
        granted = me.get("groups") if isinstance(me, dict) else None
        if isinstance(granted, dict):
            rights = set(granted.get(self.settings.group, ()))
            if "full" not in rights and not rights >= _NEEDED:
                missing = ", ".join(sorted(_NEEDED - rights))
                raise ConfigError(f"{me.get('login')} has no right to {missing} in the group {self.settings.group}")
        return str(me.get("login") if isinstance(me, dict) else "")

    async def _raise_gone(self, forbidden: Forbidden) -> NoReturn:
        """Where the user may still work in the group, somebody moved this ticket out of its reach."""
        await self._check_access()
        raise TicketGone(str(forbidden), detail=forbidden.detail) from None


def _without(request: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {one: value for one, value in request.items() if one != name}


def _shaped(target: str, value: Any) -> Any:
    if isinstance(value, tuple):
        return ",".join(str(one).replace(",", " ") for one in value) if target == "tags" else list(value)
    return as_text(value) if isinstance(value, datetime) else value


def _customer(record: Complaint) -> dict[str, Any]:
    """`guess:` finds or makes a customer by address. Beside it the person, who is known by a login of ours."""
    contact = record.contact
    known_by = (record.customer.key,) if record.customer.key else (record.connector, record.customer_id or record.id)
    person = {
        "login": f"allears-{seed('zammad', *known_by).hex()[:16]}",
        "firstname": (contact.name or record.customer.name or contact.handle or record.id)[:MAX_NAME_CHARS],
        **({"phone": contact.phone[:MAX_NAME_CHARS]} if contact.phone else {}),
    }
    return {**({"customer_id": _GUESS + contact.email} if contact.email else {}), "customer": person}
