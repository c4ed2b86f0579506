"""简道云: data of one form for each complaint, of a second form for each follow-up. Open API v5.

Pages "新建多条数据接口", "新建单条数据接口", "查询多条数据接口", "表单字段查询接口", "文件接口", "错误对照表".

A batch with a `transaction_id` that is sent again within an hour takes the place of the former; of a single creation
the documents say no such thing. So batches of one are sent; what is in doubt is looked up by its key first, for the
former may have been worked on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr

from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Identity
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, TicketGone
from allears_sdk.reference import uuid_of
from allears_sdk.remote import Response
from allears_sdk.remote.answers import lost
from allears_sdk.settings import Settings, nearest
from allears_sdk.sink import Certainty, Progress, SinkSpec, Ticket
from allears_sdk.tickets import (
    FileLimits,
    Limits,
    TicketSettings,
    TicketSink,
    View,
    WhenNotFound,
    answered,
    marks_in,
    upload_each,
    with_lines,
)

MAX_FILE_BYTES = 20 << 20
PAGE_ITEMS = 100
_BUSY_SECONDS = 2.0
_GONE = 4001
_BUSY = frozenset({8303, 8304, 4012, 9007})
_UNSURE = frozenset({9004, 17026})
"""A task that failed on the way; a transaction that is there already."""
_LOGIN = frozenset({8301, 17018})
_CONFIG: Mapping[int, str] = {
    2004: "there is no such app_id",
    3000: "there is no such form (entry_id)",
    3005: "a parameter is not what it takes",
    7103: "the company's quota is used up",
    7206: "the company's account is suspended",
    7212: "this month's quota of data is used up",
    7221: "the form is full, or suspended",
    8017: "the company does not exist or is closed",
    8302: "the edition of 简道云 has no API",
    17032: "a field of the mapping is of a type that the API does not write",
    17052: "this machine's address is not in the API key's list",
    17053: "the API key may not use this application",
    17054: "the API key may not use this interface",
}
_TEXTS = frozenset({"text", "textarea"})
_WRITTEN = _TEXTS | {"number", "datetime", "radiogroup", "checkboxgroup", "combo", "combocheck", "phone", "user"}
_LISTS = frozenset({"checkboxgroup", "combocheck"})


class FollowUpForm(Settings):
    """The form of follow-ups: one entry for each."""

    entry_id: str = Field(
        pattern="^[0-9a-f]{24}$", description="Its id, from its address.", examples=["59264073a2a60c0c08e20bfe"]
    )
    key_field: str = Field(description="单行文本 field for the complaint's key.", examples=["allears_key"])
    text_field: str = Field(description="多行文本 field for what is new.", examples=["_widget_2"])
    files_field: str = Field(default="", description='附件 field; not needed with `files.mode = "link"`.')
    ticket_field: str = Field(default="", description="关联数据 field to the complaint's data; empty: none.")


class JiandaoyunSettings(TicketSettings):
    """One form of one application, and an API key that may write to it."""

    example_name: ClassVar[str] = "jiandaoyun-ledger"

    sink: Literal["jiandaoyun"] = Field(default="jiandaoyun", description="Which kind of ticket store this is.")
    api_key: SecretStr = Field(
        description="API Key, from 开放平台 › 密钥管理, with this application and its data interfaces in its range.",
        examples=["env:JIANDAOYUN_API_KEY"],
    )
    app_id: str = Field(
        pattern="^[0-9a-f]{24}$", description="The application's id.", examples=["59264073a2a60c0c08e20bfb"]
    )
    entry_id: str = Field(
        pattern="^[0-9a-f]{24}$", description="Id of the form of complaints.", examples=["59264073a2a60c0c08e20bfd"]
    )
    key_field: str = Field(
        description="单行文本 field for the complaint's key, by its alias or id: it is found by it. Nobody may change "
        "it.",
        examples=["allears_key"],
    )
    title_field: str = Field(default="", description="单行文本 field for the title; empty: none.")
    text_field: str = Field(description="多行文本 field for the description.", examples=["_widget_3"])
    files_field: str = Field(default="", description='附件 field; not needed with `files.mode = "link"`.')
    follow_ups: FollowUpForm = Field(description="The form of follow-ups.")
    creator: str = Field(
        default="", description="Member (成员编号) in whose name is written; empty: who made the company."
    )
    start_workflow: bool = Field(default=False, description="True starts the form's workflow with each complaint.")
    automations: bool = Field(
        default=False,
        description="True creates complaints one by one, which starts 智能助手 and the form's notices; a repeated "
        "creation is then prevented by the look-up alone.",
    )
    url: str = Field(
        default="https://api.jiandaoyun.com/api/v5",
        pattern=r"^https://[^\s@?#]+[^/\s]$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/[^\s@?#]*[^/\s])?$",
        description="Address of the API; an installation of one's own, or Jodoo, has another.",
    )
    when_not_found: WhenNotFound = "send"
    requests_per_minute: float | None = Field(
        default=480, gt=0, le=3000, description="No more calls than this; 简道云 takes ten creations a second."
    )


class JiandaoyunSink(TicketSink[JiandaoyunSettings]):
    """One entry per complaint, and one in a second form per follow-up: nothing an agent wrote is touched."""

    spec: ClassVar[SinkSpec] = SinkSpec(
        kind="jiandaoyun",
        title_en="Jiandaoyun",
        title_zh="简道云",
        open_certainty=Certainty.C,
        follow_up_certainty=Certainty.C,
        wait_seconds=60,
        verified="a server of our own after 简道云's documents; never against the product",
        verified_zh="按简道云文档自写的服务器；从未在产品上试过",
    )
    Settings = JiandaoyunSettings
    limits = Limits(
        subject_chars=200,
        text_chars=20_000,
        files=FileLimits(each_bytes=MAX_FILE_BYTES, total_bytes=5 * MAX_FILE_BYTES, count=20),
    )

    def __init__(self, settings: JiandaoyunSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._widgets: dict[str, Mapping[str, str]] = {}

    async def check(self) -> Identity:
        settings, notes = self.settings, self.settings.follow_ups
        fields = await self._types_of(settings.entry_id, fresh=True)
        _require(fields, "text", settings.key_field, settings.title_field)
        _require(fields, "textarea", settings.text_field)
        self._require_files(fields, settings.files_field)
        self._row(fields, dict.fromkeys((*settings.fields.values(), *settings.constants), ""))
        fields = await self._types_of(notes.entry_id, fresh=True)
        _require(fields, "text", notes.key_field)
        _require(fields, "textarea", notes.text_field)
        _require(fields, "lookup", notes.ticket_field)
        self._require_files(fields, notes.files_field)
        return Identity(account=f"{settings.app_id} / {settings.entry_id}")

    def compose(self, view: View) -> Any:
        if not view.is_opening:
            return {"text": view.text, "ticket": view.key.rpartition("-")[0]}
        values = {name: _plain(value) for name, value in view.fields.items()}
        titled = {self.settings.title_field: view.subject} if self.settings.title_field else {}
        return {"values": {**values, **titled}, "text": view.text}

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        settings = self.settings
        row = self._row(await self._types_of(settings.entry_id), request["values"])
        row |= await self._with_files(
            settings.entry_id, request["text"], files, key, settings.text_field, settings.files_field
        )
        row[settings.key_field] = key
        write = self._create_one if settings.automations else self._create_batch
        return Ticket(id=await write(settings.entry_id, row, key), facts={"key": key})

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        notes = self.settings.follow_ups
        await self._data(ticket)
        row = await self._with_files(notes.entry_id, request["text"], files, key, notes.text_field, notes.files_field)
        if notes.ticket_field:
            row[notes.ticket_field] = ticket.id
        await self._create_batch(notes.entry_id, {**row, notes.key_field: request["ticket"]}, key)

    async def find(self, key: str) -> Ticket | None:
        for one in await self._search(self.settings.entry_id, self.settings.key_field, key):
            return Ticket(id=str(one.get("_id", "")), facts={"key": key})
        return None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        notes = self.settings.follow_ups
        texts = [str((await self._data(ticket)).get(self.settings.text_field))]
        there = await self._search(notes.entry_id, notes.key_field, str(ticket.facts["key"]))
        return marks_in([*texts, *(str(one.get(notes.text_field)) for one in there)], marks)

    # Answers

    def check_answer(self, answer: Response) -> None:
        """Errors are 400 and a code."""
        code = _code(answer)
        if code is None:
            super().check_answer(answer)
        else:
            raise self._error(code, answer)

    def _error(self, code: int, answer: Response) -> AllearsError:
        what, detail = f"{answer.call.place}: {code}", answer.text()[:300]
        if code in _BUSY or answer.status == 429:
            return RetryLater(what, after_seconds=_seconds(answer), detail=detail)
        if code in _LOGIN:
            return AuthError(f"简道云 refuses the API key ({what}): take another in 开放平台 › 密钥管理", detail=detail)
        if code in _CONFIG:
            return ConfigError(f"{_CONFIG[code]} ({what})", detail=detail)
        if code == _GONE:
            return TicketGone(f"the data was deleted ({what})", detail=detail)
        if code in _UNSURE:
            error = lost(what, answer.call)
            error.detail = detail
            return error
        return Rejected(what, detail=detail)

    # Calls

    async def _ask(self, path: str, *, repeatable: bool, **given: Any) -> Response:
        return await self.call(
            "POST",
            f"{self.settings.url}/app/entry/{path}",
            headers={"Authorization": f"Bearer {self.settings.api_key.get_secret_value()}"},
            json={"app_id": self.settings.app_id, **given},
            repeatable=repeatable,
        )

    async def _create_batch(self, form: str, row: Mapping[str, Any], key: str) -> str:
        answer = await self._ask(
            "data/batch_create", repeatable=False, data_list=[_values(row)], **self._terms(form, key)
        )
        return str(answered(answer, "success_ids", 0))

    async def _create_one(self, form: str, row: Mapping[str, Any], key: str) -> str:
        terms = {**self._terms(form, key), "is_start_trigger": True}
        answer = await self._ask("data/create", repeatable=False, data=_values(row), **terms)
        return str(answered(answer, "data", "_id"))

    def _terms(self, form: str, key: str) -> dict[str, Any]:
        starts = self.settings.start_workflow and form == self.settings.entry_id
        creator = {"data_creator": self.settings.creator} if self.settings.creator else {}
        return {"entry_id": form, "transaction_id": uuid_of(key), "is_start_workflow": starts, **creator}

    async def _data(self, ticket: Ticket) -> Mapping[str, Any]:
        """The complaint's. Raises TicketGone where somebody has deleted it."""
        answer = await self._ask("data/get", repeatable=True, entry_id=self.settings.entry_id, data_id=ticket.id)
        data = answered(answer, "data")
        return data if isinstance(data, dict) else {}

    async def _search(self, form: str, field: str, key: str) -> list[dict[str, Any]]:
        """What bears the key: compared here once more, for a filter that is not understood finds all."""
        condition = {"field": field, "type": "text", "method": "eq", "value": [key]}
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            answer = await self._ask(
                "data/list",
                repeatable=True,
                entry_id=form,
                data_id=after,
                filter={"rel": "and", "cond": [condition]},
                limit=PAGE_ITEMS,
            )
            page = answered(answer, "data")
            mine = [one for one in page if isinstance(one, dict) and one.get(field) == key]
            found += mine
            if len(page) < PAGE_ITEMS:
                return found
            if not mine:
                raise ConfigError(f"the form cannot be searched by {field}: is it a 单行文本 field?")
            after = str(page[-1].get("_id", ""))

    async def _types_of(self, form: str, *, fresh: bool = False) -> Mapping[str, str]:
        """Field → type; asked for once."""
        if fresh or form not in self._widgets:
            answer = await self._ask("widget/list", repeatable=True, entry_id=form)
            listed = answered(answer, "widgets")
            self._widgets[form] = {str(one.get("name")): str(one.get("type")) for one in listed}
        return self._widgets[form]

    def _row(self, types: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
        """Field → value in the form that the field takes; what is empty, or none of its type, is left out."""
        row = {}
        for name, value in values.items():
            if types.get(name) not in _WRITTEN:
                raise ConfigError(f'the form has no field "{name}" that can be written{nearest(name, sorted(types))}')
            formed = _formed(types[name], value)
            if formed not in ("", None, []):
                row[name] = formed
        return row

    def _require_files(self, types: Mapping[str, str], name: str) -> None:
        if self.settings.files.mode == "upload" and types.get(name) not in ("upload", "image"):
            raise ConfigError(f'there is no 附件 field "{name}": set files_field, or files.mode = "link"')

    async def _with_files(
        self, form: str, text: str, files: Sequence[AttachedFile], key: str, text_field: str, files_field: str
    ) -> dict[str, Any]:
        places = iter(await self._places(form, key) if files else ())
        keys, refused = await upload_each(files, lambda file: self._upload(key, file, next(places)), self.context.log)
        return {text_field: with_lines(text, refused), **({files_field: keys} if keys else {})}

    async def _places(self, form: str, key: str) -> list[dict[str, str]]:
        """Where files go: an address and a token that serves once, within an hour, for this transaction."""
        answer = await self._ask("file/get_upload_token", repeatable=True, entry_id=form, transaction_id=uuid_of(key))
        places = answered(answer, "token_and_url_list")
        return [place for place in places if isinstance(place, dict)]

    async def _upload(self, key: str, file: AttachedFile, place: Mapping[str, str]) -> str:
        """A file that nobody names in the end is no harm; its token is gone, so it is not sent again here."""
        content = await self.bytes_of(key, file)
        try:
            answer = await self.call(
                "POST",
                place["url"],
                data={"token": place["token"]},
                files={"file": (file.name, content, file.media_type)},
                repeatable=False,
            )
            return str(answered(answer, "key"))
        except InDoubt as error:
            raise RetryLater(f"a file was not uploaded: {error}", detail=error.detail) from None


def _code(answer: Response) -> int | None:
    """The number of a refusal; None where there is none."""
    if not 400 <= answer.status < 500:
        return None
    try:
        code = answer.json()["code"]
    except (AllearsError, LookupError, TypeError):
        return None
    return code if isinstance(code, int) else None


def _seconds(answer: Response) -> float:
    said = answer.header("retry-after")
    return float(said) if said.isascii() and said.isdecimal() and len(said) < 6 else _BUSY_SECONDS


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return list(value) if isinstance(value, tuple) else value


def _formed(kind: str, value: Any) -> Any:
    if kind in _LISTS:
        return value if isinstance(value, list) else [value] if value else []
    text = "、".join(map(str, value)) if isinstance(value, list) else value
    if kind == "phone":
        return {"phone": str(text)} if text else None
    if kind == "number":
        return text if isinstance(text, int | float) else None
    return text if isinstance(text, str) else str(text)


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"value": value} for name, value in row.items()}


def _require(types: Mapping[str, str], kind: str, *names: str) -> None:
    for name in filter(None, names):
        if types.get(name) != kind:
            raise ConfigError(f'the form has no field "{name}" of type {kind}{nearest(name, sorted(types))}')
