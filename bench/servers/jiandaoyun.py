"""简道云 in small: one application with two forms, open API v5.

After its documents of the interfaces for forms, data and files. Not documented, and here as bad as it may be: what a
filter by an unknown or unsuitable field does (it is ignored), what becomes of unknown fields (they vanish), and the
ids of data that a repeated `transaction_id` overwrites (they are new).
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bench.servers.desk import Desk, Refusal

API_KEY = "q1Lzhl8iknug9WFoQR2ijO1bHxZ6bwPI"
APP = "59264073a2a60c0c08e20bfb"
FORM = "59264073a2a60c0c08e20bfd"
FOLLOW_UPS = "59264073a2a60c0c08e20bfe"
TRANSACTION_SECONDS = 3600.0
MAX_AT_ONCE = 100
FILTERED = frozenset({"text", "combo", "radiogroup", "sn"})
_VARIABLE = re.compile(r"\$[({].*[)}]")


@dataclass
class Form:
    """`widgets` are name → (title, type)."""

    widgets: dict[str, tuple[str, str]]
    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    written_at: dict[str, float] = field(default_factory=dict)


WIDGETS = {
    "_widget_1": ("投诉编号", "text"),
    "_widget_2": ("标题", "text"),
    "_widget_3": ("问题描述", "textarea"),
    "_widget_4": ("投诉渠道", "combo"),
    "_widget_5": ("紧急程度", "radiogroup"),
    "_widget_6": ("投诉时间", "datetime"),
    "_widget_7": ("客户期望", "checkboxgroup"),
    "_widget_8": ("电话", "phone"),
    "_widget_9": ("附件", "upload"),
    "_widget_10": ("跟进记录", "textarea"),
    "allears_key": ("allears 编号", "text"),
}


class Jiandaoyun(Desk):
    WORK = r"POST /(api/v5/app/entry/data/(create|batch_create|update)$|upload$)"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__(now)
        self.forms = {
            FORM: Form(widgets=dict(WIDGETS)),
            FOLLOW_UPS: Form(
                widgets={
                    "_widget_1": ("投诉编号", "text"),
                    "_widget_2": ("内容", "textarea"),
                    "_widget_3": ("附件", "upload"),
                    "allears_key": ("allears 编号", "text"),
                }
            ),
        }
        self.next_codes: list[int] = []
        """Codes that the next calls get, with HTTP 400; nothing is done."""
        self.uploads: dict[str, tuple[str, str, bytes]] = {}
        """Key → transaction, name, bytes."""
        self.started: list[str] = []
        """Data with which an automation was started."""
        self._tokens: dict[str, tuple[str, float]] = {}
        self._batches: dict[tuple[str, str], tuple[list[str], float]] = {}
        self._numbers = itertools.count(1)

    @property
    def created(self) -> list[dict[str, Any]]:
        return list(self.forms[FORM].data.values())

    @property
    def comments(self) -> list[dict[str, Any]]:
        return list(self.forms[FOLLOW_UPS].data.values())

    @property
    def files(self) -> dict[str, bytes]:
        return {name: content for _, name, content in self.uploads.values()}

    # What Desk asks for

    def routes(self) -> Iterable[web.RouteDef]:
        base = "/api/v5/app/entry"
        return (
            web.post(f"{base}/widget/list", self._widgets),
            web.post(f"{base}/data/get", self._get),
            web.post(f"{base}/data/list", self._list),
            web.post(f"{base}/data/create", self._create),
            web.post(f"{base}/data/batch_create", self._batch_create),
            web.post(f"{base}/data/update", self._update),
            web.post(f"{base}/file/get_upload_token", self._upload_tokens),
            web.post("/upload", self._upload),
        )

    def is_allowed(self, request: web.Request) -> bool:
        return request.path == "/upload" or request.headers.get("Authorization") == f"Bearer {API_KEY}"

    def refusal(self, status: int, request: web.Request) -> web.Response:
        """All errors are 400 and a code; only too many at once is 429."""
        code, text = _WORDS[status]
        return web.json_response({"code": code, "msg": text}, status=429 if status == 429 else 400)

    # Calls

    async def _widgets(self, request: web.Request) -> web.Response:
        form, _ = await self._asked(request)
        widgets = [
            {"name": name, "widgetName": name, "label": label, "type": kind}
            for name, (label, kind) in form.widgets.items()
        ]
        return web.json_response({"widgets": widgets, "sysWidgets": [{"name": "createTime"}]})

    async def _get(self, request: web.Request) -> web.Response:
        form, given = await self._asked(request)
        return web.json_response({"data": self._known(form, given)})

    async def _list(self, request: web.Request) -> web.Response:
        form, given = await self._asked(request)
        conditions = (given.get("filter") or {}).get("cond") or []
        usable = [one for one in conditions if form.widgets.get(one["field"], ("", ""))[1] in FILTERED]
        seen = (one for id_, one in form.data.items() if self.is_seen(form.written_at[id_]))
        found = [one for one in seen if all(_matches(one, condition) for condition in usable)]
        after = str(given.get("data_id") or "")
        return web.json_response({"data": [one for one in found if one["_id"] > after][: given.get("limit", 10)]})

    async def _create(self, request: web.Request) -> web.Response:
        """Its `transaction_id` binds files, nothing more."""
        form, given = await self._asked(request)
        made = self._add(form, given["data"], str(given.get("transaction_id") or ""))
        if given.get("is_start_trigger"):
            self.started.append(made["_id"])
        return web.json_response({"data": made}, status=201)

    async def _batch_create(self, request: web.Request) -> web.Response:
        form, given = await self._asked(request)
        rows, transaction = given["data_list"], str(given.get("transaction_id") or "")
        if len(rows) > MAX_AT_ONCE:
            raise _refuse(17024, "一次批量创建超出限制")
        former, at = self._batches.get((given["entry_id"], transaction), ([], 0.0))
        if transaction and self.now() - at < TRANSACTION_SECONDS:
            for id_ in former:
                form.data.pop(id_, None)
        ids = [self._add(form, row, transaction)["_id"] for row in rows]
        if transaction:
            self._batches[given["entry_id"], transaction] = (ids, self.now())
        return web.json_response({"status": "success", "success_count": len(ids), "success_ids": ids})

    async def _update(self, request: web.Request) -> web.Response:
        form, given = await self._asked(request)
        known = self._known(form, given)
        known.update(self._values(form, given["data"], str(given.get("transaction_id") or "")))
        return web.json_response({"data": known})

    async def _upload_tokens(self, request: web.Request) -> web.Response:
        _, given = await self._asked(request)
        transaction = str(given.get("transaction_id") or "")
        if not transaction or _VARIABLE.search(transaction):
            raise _refuse(17025, "transaction_id 包含无效参数")
        tokens = [f"upload-token-{next(self._numbers)}" for _ in range(100)]
        self._tokens |= {token: (transaction, self.now()) for token in tokens}
        return web.json_response({"token_and_url_list": [{"url": f"{self.url}/upload", "token": t} for t in tokens]})

    async def _upload(self, request: web.Request) -> web.Response:
        given = await request.post()
        transaction, at = self._tokens.pop(str(given.get("token", "")), ("", 0.0))
        file = given.get("file")
        if not transaction or self.now() - at > TRANSACTION_SECONDS or list(given)[-1] != "file":
            raise Refusal(579, {"error": "file exists"})
        assert isinstance(file, web.FileField)
        file.file.seek(0)
        key = f"6b559cf1-b16c-43bd-a211-{next(self._numbers):012x}"
        self.uploads[key] = (transaction, file.filename, file.file.read())
        return web.json_response({"key": key})

    # Rules

    async def _asked(self, request: web.Request) -> tuple[Form, dict[str, Any]]:
        given = await request.json()
        if self.next_codes:
            raise _refuse(self.next_codes.pop(0), "told so by the test")
        if given.get("app_id") != APP:
            raise _refuse(2004, "应用不存在")
        if given.get("entry_id") not in self.forms:
            raise _refuse(3000, "表单不存在")
        return self.forms[given["entry_id"]], given

    def _known(self, form: Form, given: Mapping[str, Any]) -> dict[str, Any]:
        if given.get("data_id") not in form.data:
            raise _refuse(4001, "数据不存在")
        return form.data[given["data_id"]]

    def _add(self, form: Form, row: Mapping[str, Any], transaction: str) -> dict[str, Any]:
        id_ = f"{next(self._numbers):024x}"
        form.data[id_] = {"_id": id_, "appId": APP, **self._values(form, row, transaction)}
        form.written_at[id_] = self.now()
        return form.data[id_]

    def _values(self, form: Form, row: Mapping[str, Any], transaction: str) -> dict[str, Any]:
        values = {name: given["value"] for name, given in row.items() if name in form.widgets}
        for name, value in values.items():
            if form.widgets[name][1] == "upload":
                values[name] = [self._file(key, transaction) for key in value]
        return values

    def _file(self, key: str, transaction: str) -> dict[str, Any]:
        bound, name, content = self.uploads.get(key, ("", "", b""))
        if not bound or bound != transaction:
            raise _refuse(17017, "请求包含无效参数")
        return {"name": name, "size": len(content), "url": f"https://files.jiandaoyun.com/{key}"}


_WORDS: Mapping[int, tuple[int, str]] = {
    401: (17018, "API Key 无效"),
    404: (4001, "数据不存在"),
    422: (4000, "数据提交失败"),
    429: (8303, "超出请求频率限制"),
    503: (8304, "超出频率限制"),
}


def _matches(row: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    assert condition["method"] in ("eq", "in"), "the simulator knows no other"
    return row.get(condition["field"]) in condition["value"]


def _refuse(code: int, text: str) -> Refusal:
    return Refusal(400, {"code": code, "msg": text})
