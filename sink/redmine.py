"""Files complaints in Redmine: issues with a custom field of ours, follow-ups as notes, files as uploads.

Source: Redmine's own wiki page "REST API", and a real 5.0.4.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NoReturn
from urllib.parse import quote

from pydantic import Field, SecretStr, model_validator

from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Identity
from allears_sdk.errors import ConfigError, Rejected, TicketGone
from allears_sdk.remote import Response
from allears_sdk.settings import nearest
from allears_sdk.sink import Certainty, Progress, SinkSpec, Ticket
from allears_sdk.tickets import (
    NOBODYS_KEY,
    FileLimits,
    Limits,
    TicketSettings,
    TicketSink,
    View,
    answered,
    as_text,
    check_choices,
    check_fields,
    marks_in,
    upload_each,
    with_lines,
)

DATES = ("due_date", "start_date")
NATIVE = ("assigned_to_id", "category_id", "fixed_version_id", "is_private", "parent_issue_id", "status_id", *DATES)
"""What `fields` may name beside the numbers of custom fields."""
NEEDED = frozenset({"view_issues", "add_issues", "add_issue_notes"})
PRIVATE = frozenset({"set_notes_private", "view_private_notes"})
"""Without the first a private note is a public one, without a word; without the second it is not found again."""


class RedmineSettings(TicketSettings):
    """Which Redmine, as whom, and in which project."""

    sink: Literal["redmine"] = Field(default="redmine", description="Which kind of ticket store this is.")
    url: str = Field(
        pattern=r"^https?://[^\s]+$", description="Address of Redmine.", examples=["https://redmine.example.com"]
    )
    api_key: SecretStr = Field(description="API access key of the user that files.", examples=["env:REDMINE_KEY"])
    project: str = Field(min_length=1, description="Identifier of the project.", examples=["complaints"])
    tracker: int | None = Field(default=None, ge=1, description="Number of the tracker. Empty: the project's first.")
    key_field: int = Field(
        ge=1,
        description="Number of the custom field (text, used as a filter) that keeps our key, as its address in the "
        "administration has it.",
    )
    follow_closed: bool = Field(
        default=False,
        description="True adds follow-ups to closed issues too, which stay closed; else a linked issue is opened.",
    )

    @model_validator(mode="after")
    def _have_targets(self) -> RedmineSettings:
        for target in (*self.fields.values(), *self.constants):
            if target not in NATIVE and not (target.isascii() and target.isdecimal()):
                raise ValueError(f"{target}: not the number of a custom field{nearest(target, list(NATIVE))}")
        return self


class RedmineSink(TicketSink[RedmineSettings]):
    spec: ClassVar[SinkSpec] = SinkSpec(
        kind="redmine",
        title_en="Redmine",
        title_zh="Redmine",
        open_certainty=Certainty.B,
        follow_up_certainty=Certainty.B,
        verified="Redmine 5.0.4 (Debian)",
        verified_zh="Redmine 5.0.4（Debian）",
    )
    Settings = RedmineSettings
    limits = Limits(
        subject_chars=255, text_chars=200_000, files=FileLimits(each_bytes=5 << 20, total_bytes=50 << 20, count=20)
    )
    priorities: ClassVar[Mapping[str, int]] = {"P1": 5, "P2": 4, "P3": 2, "P4": 1}

    async def check(self) -> Identity:
        user = answered(await self._rest("GET", "users/current.json"), "user")
        project = await self._project()
        trackers = [tracker["id"] for tracker in project.get("trackers", ())]
        if self.settings.tracker is not None and self.settings.tracker not in trackers:
            raise ConfigError(f"project {self.settings.project} has no tracker {self.settings.tracker}: {trackers}")
        await self._check_priorities()
        details = [*await self._check_rights(project), *await self._check_custom_fields()]
        return Identity(account=f"{user.get('login')} at {self._url}, {project.get('name')}", details=tuple(details))

    def compose(self, view: View) -> Any:
        if not view.is_opening:
            return {"notes": view.text, "private_notes": not view.is_public}
        shaped = {target: text for target, value in view.fields.items() if (text := _shaped(target, value))}
        custom = [{"id": int(target), "value": text} for target, text in shaped.items() if target not in NATIVE]
        return {
            "project_id": self.settings.project,
            **({"tracker_id": self.settings.tracker} if self.settings.tracker else {}),
            **({"priority_id": view.priority} if view.priority else {}),
            "subject": view.subject,
            "description": view.text,
            **{target: text for target, text in shaped.items() if target in NATIVE},
            "custom_fields": [*custom, {"id": self.settings.key_field, "value": view.key}],
        }

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        issue = await self._with_uploads(request, "description", files, key)
        try:
            answer = await self._rest("POST", "issues.json", json={"issue": issue})
        except Rejected as refused:
            # A project or priority that is not there "cannot be blank", in the user's language: it is looked up.
            await self._project()
            await self._check_priorities()
            raise refused from None
        if key not in _values(answered(answer, "issue"), self.settings.key_field):
            self.context.log.error("key_not_kept", field=self.settings.key_field)
        return self._ticket(answered(answer, "issue", "id"))

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        path = f"issues/{ticket.id}.json"
        there: Mapping[str, Any] = {}
        try:
            there = answered(await self._rest("GET", path, gone=(404,)), "issue")
            if there["status"].get("is_closed") and not self.settings.follow_closed:
                raise TicketGone(f"issue {ticket.id} is closed")
            issue = await self._with_uploads(request, "notes", files, key)
            await self._rest("PUT", path, json={"issue": issue}, gone=(404,))
        except _Forbidden as error:
            await self._raise_gone(error, there)

    async def find(self, key: str) -> Ticket | None:
        """The oldest of those that bear the key, closed ones too. A field that is no filter finds every issue."""
        name = f"cf_{self.settings.key_field}"
        answer = await self._rest("GET", "issues.json", params={name: key, "status_id": "*", "limit": 100})
        issues = answered(answer, "issues")
        found = [int(one["id"]) for one in issues if key in _values(one, self.settings.key_field)]
        if issues and not found:
            raise _no_filter(self.settings.key_field)
        return self._ticket(min(found)) if found else None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        params = {"include": "journals"}
        try:
            answer = await self._rest("GET", f"issues/{ticket.id}.json", params=params, gone=(404,))
        except _Forbidden as error:
            await self._raise_gone(error, {})
        issue = answered(answer, "issue")
        notes = [str(journal.get("notes") or "") for journal in issue.get("journals", ())]
        found = marks_in([str(issue.get("description") or ""), *notes], marks)
        if len(found) < len(marks):
            await self._check_rights(await self._project())
        return found

    def check_answer(self, answer: Response) -> None:
        what, words = f"{answer.call.place}: {answer.status}", answer.text()[:500]
        if answer.status == 403:
            raise _Forbidden(f"{what}: not the rights in the project that the docs name, or no REST API", detail=words)
        if answer.status == 404:
            raise ConfigError(f"{what}: no such project, or no Redmine here; check url and project", detail=words)
        super().check_answer(answer)

    async def _with_uploads(
        self, request: Mapping[str, Any], text: str, files: Sequence[AttachedFile], key: str
    ) -> dict[str, Any]:
        """A token serves once: each attempt uploads again. What hangs on no issue is thrown away over there."""
        tokens: list[dict[str, str]] = []

        async def upload(file: AttachedFile) -> str:
            answer = await self._rest(
                "POST",
                "uploads.json",
                params={"filename": file.name},
                content=await self.bytes_of(key, file),
                headers={"Content-Type": "application/octet-stream"},
                repeatable=True,
            )
            token = str(answered(answer, "upload", "token"))
            tokens.append({"token": token, "filename": file.name, "content_type": file.media_type})
            return token

        _, refused = await upload_each(files, upload, self.context.log)
        return {**request, text: with_lines(request[text], refused), **({"uploads": tokens} if tokens else {})}

    async def _project(self) -> Mapping[str, Any]:
        path = f"projects/{quote(self.settings.project, safe='')}.json"
        project: Mapping[str, Any] = answered(await self._rest("GET", path, params={"include": "trackers"}), "project")
        return project

    async def _check_priorities(self) -> None:
        answer = await self._rest("GET", "enumerations/issue_priorities.json")
        known = [one["id"] for one in answered(answer, "issue_priorities") if one.get("active", True)]
        check_choices(self.settings, self.priorities, "priority", {"priority": known})

    async def _check_rights(self, project: Mapping[str, Any]) -> Sequence[str]:
        """Raises ConfigError where our user's roles in the project lack one; what could not be seen."""
        answer = await self._rest("GET", "users/current.json", params={"include": "memberships"})
        user = answered(answer, "user")
        memberships = [one for one in user.get("memberships", ()) if one["project"]["id"] == project["id"]]
        if user.get("admin") or not memberships:
            return () if user.get("admin") else ("no member of the project: its rights are not verified",)
        granted: set[str] = set()
        for role in (role for one in memberships for role in one["roles"]):
            granted.update(answered(await self._rest("GET", f"roles/{role['id']}.json"), "role", "permissions"))
        needed = NEEDED if self.settings.public_notes else NEEDED | PRIVATE
        if missing := sorted(needed - granted):
            raise ConfigError(f"{user.get('login')} lacks {', '.join(missing)} in {self.settings.project}")
        return ()

    async def _check_custom_fields(self) -> Sequence[str]:
        """Whether the key's is a filter, and those of the mapping are there; what could not be seen. Redmine lists
        custom fields to administrators alone, so an issue shows them."""
        await self.find(NOBODYS_KEY)
        params = {"project_id": self.settings.project, "status_id": "*", "limit": 1}
        issues = answered(await self._rest("GET", "issues.json", params=params), "issues")
        if not issues:
            return ("there is no issue yet to verify the custom fields by",)
        known = {str(field["id"]) for field in issues[0].get("custom_fields", ())}
        if str(self.settings.key_field) not in known:
            raise _no_filter(self.settings.key_field)
        check_fields(self.settings, {*NATIVE, *known})
        return ()

    async def _raise_gone(self, forbidden: ConfigError, issue: Mapping[str, Any]) -> NoReturn:
        """Where our project is open to us, somebody moved this issue out of it."""
        project = await self._project()
        if issue.get("project", {}).get("id") == project["id"]:
            raise forbidden from None
        raise TicketGone(str(forbidden), detail=forbidden.detail) from None

    async def _rest(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        gone: Iterable[int] = (),
        **body: Any,
    ) -> Response:
        headers = {"X-Redmine-API-Key": self.settings.api_key.get_secret_value(), **(headers or {})}
        return await self.call(method, f"{self._url}/{path}", headers=headers, gone=gone, **body)

    @property
    def _url(self) -> str:
        return self.settings.url.rstrip("/")

    def _ticket(self, id_: object) -> Ticket:
        return Ticket(id=str(id_), url=f"{self._url}/issues/{id_}")


class _Forbidden(ConfigError):
    """Redmine says so of what our user does not see, too."""


def _no_filter(field: int) -> ConfigError:
    return ConfigError(f'custom field {field} is not there, or not "used as a filter": nothing is found by it')


def _shaped(target: str, value: Any) -> str:
    return as_text(value)[:10] if target in DATES else as_text(value)


def _values(issue: Mapping[str, Any], field: int) -> Collection[str]:
    values = [one.get("value") for one in issue.get("custom_fields", ()) if one["id"] == field]
    return {str(one) for value in values for one in (value if isinstance(value, list) else [value])}
