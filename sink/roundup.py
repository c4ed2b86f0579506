"""Files complaints in Roundup: issues with a property of ours, follow-ups as messages, files as files.

Source: Roundup's own doc/rest.txt, and a real 2.6.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Identity
from allears_sdk.errors import ConfigError, Rejected, RetryLater, TicketGone
from allears_sdk.remote import Response, basic_auth
from allears_sdk.sink import Certainty, Progress, SinkSpec, Ticket
from allears_sdk.tickets import (
    FileLimits,
    Limits,
    TicketSettings,
    TicketSink,
    View,
    answered,
    as_text,
    marks_in,
    upload_each,
    with_lines,
)

_REST = "/rest/data/"


class RoundupSettings(TicketSettings):
    """Which tracker, and as whom."""

    sink: Literal["roundup"] = Field(default="roundup", description="Which kind of ticket store this is.")
    url: str = Field(
        pattern=r"^https?://[^\s]+$",
        description="Address of the tracker, as its config.ini has it in `web`.",
        examples=["https://issues.example.com/support/"],
    )
    username: str = Field(min_length=1, description="Login of the user that files.", examples=["allears"])
    password: SecretStr = Field(description="Its password.", examples=["env:ROUNDUP_PASSWORD"])
    key_field: str = Field(
        default="complaint_id",
        pattern=r"^[A-Za-z_]\w*$",
        description="String property of the issue class that keeps our key; add it in the tracker's schema.py.",
    )


class RoundupSink(TicketSink[RoundupSettings]):
    """An issue is made through a one-shot link, which is noted first: a second attempt at the same link makes none."""

    spec: ClassVar[SinkSpec] = SinkSpec(
        kind="roundup",
        title_en="Roundup",
        title_zh="Roundup",
        open_certainty=Certainty.B,
        follow_up_certainty=Certainty.B,
        verified="Roundup 2.6.0",
        verified_zh="Roundup 2.6.0",
    )
    Settings = RoundupSettings
    limits = Limits(
        subject_chars=250, text_chars=200_000, files=FileLimits(each_bytes=50 << 20, total_bytes=100 << 20, count=20)
    )
    priorities: ClassVar[Mapping[str, str]] = {"P1": "critical", "P2": "urgent", "P3": "bug", "P4": "wish"}

    async def check(self) -> Identity:
        await self._check_mapping()
        return Identity(account=f"{self.settings.username} at {self._url}")

    def compose(self, view: View) -> Any:
        message = {"content": view.text, "author": self.settings.username, "messageid": " ".join(view.marks)}
        if not view.is_opening:
            return {"message": message}
        fields = {target: shaped for target, value in view.fields.items() if (shaped := _shaped(value))}
        issue = {"title": view.subject, **({"priority": view.priority} if view.priority else {}), **fields}
        return {"message": message, "issue": {**issue, self.settings.key_field: view.key}}

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        note = progress.note or await self._prepared(request, files, key)
        await progress.save(note)
        try:
            return await self._post(note, request)
        except _LinkUsed:
            # Used, or expired, or burnt by an issue that was refused: only a look tells.
            if found := await self.find(key):
                return found
        note = await self._prepared(request, files, key)
        await progress.save(note)
        return await self._post(note, request)

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        issue = await self._rest("GET", f"issue/{ticket.id}", gone=(404,))
        if answered(issue, "data", "attributes").get("superseder"):
            raise TicketGone(f"issue {ticket.id} was superseded by another")
        attached = await self._attached(request, files, key)
        change = {"@op": "add", **attached}
        try:
            etag = {"If-Match": issue.header("etag")}
            await self._rest("PATCH", f"issue/{ticket.id}", json=change, headers=etag, gone=(404,))
        except _Changed:
            # By somebody else, or by this very request where something on the way repeated it.
            if not set(attached["messages"]) <= await self._messages(ticket):
                raise
        except Rejected as error:
            if await self._is_retired(ticket):
                raise TicketGone(f"issue {ticket.id} is retired") from None
            await self._check_mapping()
            raise error from None

    async def find(self, key: str) -> Ticket | None:
        """The oldest of those that bear the key. `:=` is an exact match; `=` would find parts of words."""
        name = self.settings.key_field
        answer = await self._list("issue", {f"{name}:": key, "@fields": name})
        found = [int(one["id"]) for one in answer if one.get(name) == key]
        return self._ticket(min(found)) if found else None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        """In the messages that hang on the issue: one that was made and never linked does not count."""
        linked = await self._messages(ticket)
        texts: list[str] = []
        for key in {mark.rpartition("-")[0] for mark in marks}:
            found = await self._list("msg", {"messageid": key, "@fields": "messageid"})
            texts.extend(str(one.get("messageid")) for one in found if one["id"] in linked)
        return marks_in(texts, marks)

    def check_answer(self, answer: Response) -> None:
        what, words = f"{answer.call.place}: {answer.status}", answer.text()[:500]
        if answer.status == 403:
            user = self.settings.username
            raise ConfigError(f"{what}: {user} may not do this; its role needs Rest Access", detail=words)
        if answer.status == 400 and ("Rest Interface" in words or "Required Header" in words):
            raise ConfigError(f"{what}: url is not the tracker's `web` address", detail=words)
        if answer.status == 400 and "/@poe/" in answer.url and "POE" in words:
            raise _LinkUsed(what, detail=words)
        if answer.status == 412:
            raise _Changed(f"{what}: somebody changed the issue meanwhile", after_seconds=1)
        super().check_answer(answer)

    async def _messages(self, ticket: Ticket) -> set[str]:
        """Ids of those that hang on the issue."""
        issue = await self._rest("GET", f"issue/{ticket.id}", gone=(404,))
        return {str(one["id"]) for one in answered(issue, "data", "attributes", "messages")}

    async def _prepared(self, request: Any, files: Sequence[AttachedFile], key: str) -> Mapping[str, Any]:
        """What an issue hangs on, and a link that makes one issue."""
        attached = await self._attached(request, files, key)
        link = answered(await self._rest("POST", "issue/@poe", json={}, repeatable=True), "data", "link")
        return {"link": str(link).partition(_REST)[2], **attached}

    async def _attached(self, request: Any, files: Sequence[AttachedFile], key: str) -> dict[str, list[str]]:
        """Message and files, by id; what hangs on no issue is seen by nobody."""

        async def upload(file: AttachedFile) -> str:
            return await self._upload(file, await self.bytes_of(key, file))

        taken, refused = await upload_each(files, upload, self.context.log)
        message = {**request["message"], "content": with_lines(request["message"]["content"], refused)}
        made = await self._rest("POST", "msg", json=message, repeatable=True, explain=True)
        return {"messages": [str(answered(made, "data", "id"))], **({"files": taken} if taken else {})}

    async def _upload(self, file: AttachedFile, content: bytes) -> str:
        media_type = file.media_type or "application/octet-stream"
        form = {"name": file.name, "type": media_type}
        answer = await self._rest(
            "POST", "file", data=form, files={"content": ("file", content, media_type)}, repeatable=True
        )
        return str(answered(answer, "data", "id"))

    async def _post(self, note: Mapping[str, Any], request: Any) -> Ticket:
        hangs = {name: note[name] for name in ("messages", "files") if name in note}
        answer = await self._rest("POST", note["link"], json={**request["issue"], **hangs}, explain=True)
        return self._ticket(answered(answer, "data", "id"))

    async def _check_mapping(self) -> None:
        """Raises ConfigError where properties or values are not the tracker's. It names what it does not know."""
        targets = {
            self.settings.key_field,
            "title",
            "priority",
            *self.settings.fields.values(),
            *self.settings.constants,
        }
        await self._list("issue", {"@fields": ",".join(sorted(targets)), "@page_size": "1"})
        await self._list("msg", {"@fields": "messageid", "@page_size": "1"})
        words = {"priority": {**self.priorities, **self.settings.values.get("priority", {})}}
        for fact, target in self.settings.fields.items():
            words[target] = dict(self.settings.values.get(fact, {}))
        for target, mapped in words.items():
            for value in mapped.values():
                await self._list("issue", {target: str(value), "@page_size": "1"})

    async def _is_retired(self, ticket: Ticket) -> bool:
        """A retired issue is still read by its number, and is in no list."""
        return not await self._list("issue", {"id": ticket.id})

    async def _list(self, name: str, params: Mapping[str, str]) -> list[dict[str, Any]]:
        try:
            answer = await self._rest("GET", name, params=params)
        except Rejected as error:
            raise ConfigError(f"Roundup does not know this: {error.detail}", detail=error.detail) from None
        found: list[dict[str, Any]] = answered(answer, "data", "collection")
        return found

    async def _rest(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        gone: Iterable[int] = (),
        explain: bool = False,
        **body: Any,
    ) -> Response:
        """`explain`: a refusal may be the mapping's fault; the destination then rests rather than each complaint."""
        try:
            url = f"{self._url}{_REST}{path}"
            return await self.call(method, url, headers={**self._headers, **(headers or {})}, gone=gone, **body)
        except Rejected as error:
            if explain and not isinstance(error, _LinkUsed):
                await self._check_mapping()
            raise

    @property
    def _url(self) -> str:
        return self.settings.url.rstrip("/")

    @property
    def _headers(self) -> dict[str, str]:
        """Roundup wants to know that no browser was tricked: origin and a header that forms cannot send."""
        parts = urlsplit(self._url)
        return {
            "Authorization": basic_auth(self.settings.username, self.settings.password.get_secret_value()),
            "X-Requested-With": "allears",
            "Origin": f"{parts.scheme}://{parts.netloc}",
            "Referer": f"{self._url}/",
        }

    def _ticket(self, id_: object) -> Ticket:
        return Ticket(id=str(id_), url=f"{self._url}/issue{id_}")


class _Changed(RetryLater):
    """The issue is not what it was when its ETag was read."""


class _LinkUsed(Rejected):
    """The one-shot link makes no issue any more."""


def _shaped(value: Any) -> str:
    """Roundup splits a list of links at commas, and has a form of its own for instants: in the user's time zone."""
    return value.strftime("%Y-%m-%d.%H:%M:%S") if isinstance(value, datetime) else as_text(value)
