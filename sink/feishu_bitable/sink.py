"""Writes records. Pages "Create a record", "Search records", "List fields", "Upload media", and the table of errors.

`client_token` keeps a repeated creation from being done twice; how long Feishu knows one is not documented, so a record
in doubt is looked up by its key before it is created again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, ClassVar

from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Identity
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, InDoubt, Rejected, TicketGone
from allears_sdk.feishu import Codes, FeishuApp, Told
from allears_sdk.reference import uuid_of
from allears_sdk.settings import nearest
from allears_sdk.sink import Certainty, Progress, SinkSpec, Ticket
from allears_sdk.tickets import FileLimits, Limits, TicketSink, View, marks_in, upload_each, with_lines
from sink.feishu_bitable.columns import FILES, RELATIONS, TEXT, fitting, plain, text_in
from sink.feishu_bitable.settings import FeishuBitableSettings

MAX_FILE_BYTES = 20 << 20
PAGE_ITEMS = 500
_GONE = 1254043
_SHARE = "add the application to the Bitable (… > … More > Add document app) as one who may edit or manage"
BITABLE = Codes(
    busy=frozenset({1254036, 1254290, 1254291}),
    unsure=frozenset({1254607, 1254608, 1255001, 1255002, 1255003, 1255004, 1255005, 1255040}),
    config={
        91403: _SHARE,
        1254040: "there is no such app_token",
        1254041: "there is no such table_id",
        1254044: "a column of the mapping is no more",
        1254045: "a column of the mapping is no more",
        1254103: "the table is full: move old records into another one, or set another table_id",
        1254302: _SHARE,
        1254304: _SHARE,
    },
    reasons={1254130: "a text is longer than a cell holds"},
)


class FeishuBitableSink(TicketSink[FeishuBitableSettings]):
    """One record per complaint, and one in a second table per follow-up: nothing an agent wrote is touched."""

    spec: ClassVar[SinkSpec] = SinkSpec(
        kind="feishu_bitable",
        title_en="Feishu Bitable",
        title_zh="飞书多维表格",
        open_certainty=Certainty.C,
        follow_up_certainty=Certainty.C,
        wait_seconds=60,
        verified="a server of our own after Feishu's documents, which Feishu's own client (lark-oapi) understands",
        verified_zh="按飞书文档自写的服务器，飞书官方客户端（lark-oapi）能与它对话",
    )
    Settings = FeishuBitableSettings
    limits = Limits(
        subject_chars=250,
        text_chars=90_000,
        files=FileLimits(each_bytes=MAX_FILE_BYTES, total_bytes=5 * MAX_FILE_BYTES, count=20),
    )

    def __init__(self, settings: FeishuBitableSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._app = FeishuApp(
            context,
            url=settings.url,
            app_id=settings.app_id,
            app_secret=settings.app_secret,
            timeout_seconds=settings.timeout_seconds,
            requests_per_minute=settings.requests_per_minute,
            codes=BITABLE,
        )
        self._columns: dict[str, Mapping[str, int]] = {}

    async def check(self) -> Identity:
        settings, notes = self.settings, self.settings.follow_ups
        found = (await self._app.get(self._base)).get("app")
        columns = await self._columns_of(settings.table_id, fresh=True)
        _require(columns, settings.table_id, settings.key_column, settings.text_column, settings.title_column)
        self._require_files(columns, settings.files_column)
        fitting(columns, dict.fromkeys((*settings.fields.values(), *settings.constants), ""))
        columns = await self._columns_of(notes.table_id, fresh=True)
        _require(columns, notes.table_id, notes.key_column, notes.text_column)
        self._require_files(columns, notes.files_column)
        if notes.link_column and columns.get(notes.link_column) not in RELATIONS:
            raise ConfigError(f'follow_ups.link_column = "{notes.link_column}": not a link column of that table')
        name = found.get("name", "") if isinstance(found, dict) else ""
        return Identity(account=f"{name or settings.app_token} / {settings.table_id}")

    def compose(self, view: View) -> Any:
        if not view.is_opening:
            return {"text": view.text, "ticket": view.key.rpartition("-")[0]}
        values = {name: plain(value) for name, value in view.fields.items()}
        titled = {self.settings.title_column: view.subject} if self.settings.title_column else {}
        return {"values": {**values, **titled}, "text": view.text}

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        settings = self.settings
        columns = await self._columns_of(settings.table_id)
        fields = fitting(columns, request["values"])
        fields |= await self._with_files(request["text"], files, key, settings.text_column, settings.files_column)
        return self._ticket(await self._create(settings.table_id, {**fields, settings.key_column: key}, key), key)

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        notes = self.settings.follow_ups
        await self._record(ticket)
        fields = await self._with_files(request["text"], files, key, notes.text_column, notes.files_column)
        if notes.link_column:
            fields[notes.link_column] = [ticket.id]
        await self._create(notes.table_id, {**fields, notes.key_column: request["ticket"]}, key)

    async def find(self, key: str) -> Ticket | None:
        async for id_, _ in self._search(self.settings.table_id, self.settings.key_column, key):
            return self._ticket(id_, key)
        return None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        notes = self.settings.follow_ups
        texts = [text_in((await self._record(ticket)).get(self.settings.text_column))]
        async for _, fields in self._search(notes.table_id, notes.key_column, str(ticket.facts["key"])):
            texts.append(text_in(fields.get(notes.text_column)))
        return marks_in(texts, marks)

    def _require_files(self, columns: Mapping[str, int], name: str) -> None:
        if self.settings.files.mode == "upload" and columns.get(name) != FILES:
            raise ConfigError(f'there is no attachment column "{name}": make it, or set files.mode = "link"')

    # Calls

    @property
    def _base(self) -> str:
        return f"/open-apis/bitable/v1/apps/{self.settings.app_token}"

    def _ticket(self, record: str, key: str) -> Ticket:
        settings = self.settings
        url = f"{settings.web_url}?table={settings.table_id}&record={record}" if settings.web_url else ""
        return Ticket(id=record, url=url, facts={"key": key})

    async def _create(self, table: str, fields: Mapping[str, Any], key: str) -> str:
        path, once = f"{self._base}/tables/{table}/records", {"client_token": uuid_of(key)}
        try:
            data = await self._app.post(path, {"fields": fields}, repeatable=False, params=once)
        except Told as error:
            raise Rejected(str(error), detail=error.detail) from None
        record = data.get("record")
        made = record.get("record_id") if isinstance(record, dict) else None
        if not isinstance(made, str):
            raise InDoubt("Feishu did not say which record it made")
        return made

    async def _record(self, ticket: Ticket) -> Mapping[str, Any]:
        """The complaint's fields. Raises TicketGone where somebody has deleted it."""
        try:
            data = await self._app.get(f"{self._base}/tables/{self.settings.table_id}/records/{ticket.id}")
        except Told as error:
            if error.code == _GONE:
                raise TicketGone("the record was deleted", detail=error.detail) from None
            raise
        return _fields(data.get("record"))

    async def _search(self, table: str, column: str, key: str) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        """Records that bear the key: compared here once more, for a filter that is not understood finds all."""
        condition = {"field_name": column, "operator": "is", "value": [key]}
        body = {"filter": {"conjunction": "and", "conditions": [condition]}}
        async for item in self._pages("POST", f"{self._base}/tables/{table}/records/search", body):
            fields = _fields(item)
            if text_in(fields.get(column)) == key:
                yield str(item.get("record_id", "")), fields

    async def _columns_of(self, table: str, *, fresh: bool = False) -> Mapping[str, int]:
        """Name → type; asked for once."""
        if fresh or table not in self._columns:
            listed = self._pages("GET", f"{self._base}/tables/{table}/fields", None)
            self._columns[table] = {str(one.get("field_name")): int(one.get("type", 0)) async for one in listed}
        return self._columns[table]

    async def _pages(self, method: str, path: str, body: Any) -> AsyncIterator[dict[str, Any]]:
        params: dict[str, Any] = {"page_size": PAGE_ITEMS if body else 100}
        while True:
            given = {"json": body} if body else {}
            data = await self._app.data(method, path, params=params, repeatable=True, **given)
            for item in data.get("items") or ():
                yield item
            if not data.get("has_more"):
                return
            params = {**params, "page_token": data.get("page_token", "")}

    async def _with_files(
        self, text: str, files: Sequence[AttachedFile], key: str, text_column: str, files_column: str
    ) -> dict[str, Any]:
        tokens, refused = await upload_each(files, lambda file: self._upload(key, file), self.context.log)
        fields: dict[str, Any] = {text_column: with_lines(text, refused)}
        if tokens:
            fields[files_column] = [{"file_token": token} for token in tokens]
        return fields

    async def _upload(self, key: str, file: AttachedFile) -> str:
        """A file that nobody names in the end is no harm: it may be sent again."""
        content = await self.bytes_of(key, file)
        about = {
            "file_name": file.name,
            "parent_type": "bitable_file",
            "parent_node": self.settings.app_token,
            "size": str(len(content)),
        }
        part = {"file": (file.name, content, file.media_type)}
        data = await self._app.data(
            "POST", "/open-apis/drive/v1/medias/upload_all", data=about, files=part, repeatable=True
        )
        return str(data.get("file_token", ""))


def _fields(record: Any) -> Mapping[str, Any]:
    fields = record.get("fields") if isinstance(record, dict) else None
    return fields if isinstance(fields, dict) else {}


def _require(columns: Mapping[str, int], table: str, *names: str) -> None:
    for name in filter(None, names):
        if columns.get(name) != TEXT:
            raise ConfigError(f'table {table} has no text column "{name}"{nearest(name, sorted(columns))}')
