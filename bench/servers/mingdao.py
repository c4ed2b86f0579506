"""A no-code platform in small, with the calls of 明道云: rows made and filtered, all answers HTTP 200.

After the pages "新建行记录", "获取列表" and "错误码" of its application API (v2). How fresh a list is they do not say.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiohttp import web

from bench.servers.desk import Desk, Refusal

APP_KEY = "5004e1f1c103fc82"
SIGN = "MWQzYWJiNTNlYzZmNjZhNTA1NTExMGZhNzEyMjU3ZTMz"
COMPLAINTS = "65dda1a5a608a40050774c72"
FOLLOW_UPS = "65dda1a5a608a40050774c73"
CONTROLS = frozenset({"no", "title", "text", "priority", "allears"})
_EQUAL = 2


class Mingdao(Desk):
    WORK = r"POST /v2/open/worksheet/addRow$"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__(now)
        self.sign = SIGN
        self.sheets: dict[str, list[dict[str, Any]]] = {COMPLAINTS: [], FOLLOW_UPS: []}
        self._numbers = itertools.count(1)

    @property
    def created(self) -> list[dict[str, Any]]:
        return self.sheets[COMPLAINTS]

    @property
    def comments(self) -> list[dict[str, Any]]:
        return self.sheets[FOLLOW_UPS]

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post("/v2/open/worksheet/addRow", self._add_row),
            web.post("/v2/open/worksheet/getFilterRows", self._list),
            web.head("/v2/open/worksheet/addRow", self._head),
        )

    def refusal(self, status: int, request: web.Request) -> web.Response:
        code, text = _WORDS[status]
        answer = {"success": False, "error_code": code, "error_msg": text}
        return web.json_response(answer, status=429 if status == 429 else 200)

    async def _head(self, request: web.Request) -> web.Response:
        return web.Response(status=405)

    async def _add_row(self, request: web.Request) -> web.Response:
        """Controls that the sheet does not have vanish."""
        given = await self._asked(request)
        row: dict[str, Any] = {
            one["controlId"]: str(one["value"]) for one in given["controls"] if one["controlId"] in CONTROLS
        }
        row |= {"rowid": f"row-{next(self._numbers)}", "written_at": self.now()}
        self.sheets[given["worksheetId"]].append(row)
        return web.json_response({"data": row["rowid"], "success": True, "error_code": 1})

    async def _list(self, request: web.Request) -> web.Response:
        """A filter by an unknown control filters nothing."""
        given = await self._asked(request)
        filters = [one for one in given.get("filters", []) if one["controlId"] in CONTROLS]
        assert all(one["filterType"] == _EQUAL for one in filters), "the simulator knows no other"
        rows = [row for row in self.sheets[given["worksheetId"]] if self.is_seen(row["written_at"])]
        found = [row for row in rows if all(row.get(one["controlId"]) == one["value"] for one in filters)]
        page = found[: given["pageSize"]]
        return web.json_response({"data": {"rows": page, "total": len(found)}, "success": True, "error_code": 1})

    async def _asked(self, request: web.Request) -> dict[str, Any]:
        given: dict[str, Any] = await request.json()
        if (given.get("appKey"), given.get("sign")) != (APP_KEY, self.sign):
            raise _refuse(10001)
        if given.get("worksheetId") not in self.sheets:
            raise _refuse(10007)
        return given


_WORDS: Mapping[int, tuple[int, str]] = {
    401: (10001, "Http Headers verification failed"),
    404: (10007, "数据不存在"),
    422: (10002, "参数值错误"),
    429: (10106, "请求过于频繁"),
    503: (10106, "请求过于频繁"),
}


def _refuse(code: int) -> Refusal:
    return Refusal(200, {"success": False, "error_code": code, "error_msg": "拒绝"})
