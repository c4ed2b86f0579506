"""Douyin in small: logins refreshed and renewed, videos, comments by pages, replies; and pushes as it signs them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from connectors.douyin import DouyinConnector, DouyinSettings
from connectors.douyin.events import signature
from tests.connectors._mail.hosted import answered_by, make_remote

ACCOUNT = "_000bfeGRgbkwDMMksxyg4auRqXAPGIZk1pl"
CUSTOMER, OTHER = "_000f9pF8lTroNtA9pfLjPohf1qIUzLdiWRs", "_000aaQ3nTzXb1kkLmNoPqRsTuVwXyZ01234"
KEY, SECRET, HOOK_SECRET = "ttddf8ab4542c7d76601", "dySecret123-of-the-app", "hook-7f3a9c-secret"
VIDEO, SECOND = "@8hxdhauTCMppanGnM4ltGM780mDqPP+KPpR0qQOmLVAXb/T060zdRg==", "@8hxdhauTCMqqbnGnM4ltGM=="
CONVERSATION = "@c29bfc000+MNggFhRkwGuX1ntuc0QfA0VnmRejrzWUBw=="

Connect = Callable[..., DouyinConnector]
Item = dict[str, Any]


class Person:
    def __init__(self, pasted: str = "c0ffee") -> None:
        self.pasted = pasted
        self.shown = ""

    async def show(self, url: str, code: str) -> None:
        self.shown = url

    async def prompt(self, text: str) -> str:
        return self.pasted


class Douyin:
    """`faults` are answered first, one to a call of a list."""

    def __init__(self) -> None:
        self.videos: list[Item] = []
        self.comments: dict[str, list[Item]] = {}
        self.replies: dict[str, list[Item]] = {}
        self.faults: list[httpx.Response] = []
        self.forbidden: set[str] = set()
        """Videos that are not for us."""
        self.asked: list[httpx.Request] = []
        self.tokens = self.renewals = 0
        self.may_renew = True
        self.open_id = ACCOUNT
        self.page_items = 50
        self.film(VIDEO)

    def film(self, item: str, *, age: timedelta = timedelta(days=2), **more: Any) -> None:
        at = int((START - age).timestamp())
        video = {"item_id": item, "title": "新品上市", "create_time": at, "share_url": f"https://v.example.com/{at}"}
        self.videos.append(video | {"is_top": False} | more)

    def say(
        self,
        number: int | str,
        text: Any,
        *,
        video: str = VIDEO,
        by: str = CUSTOMER,
        age: timedelta = timedelta(hours=1),
        under: str = "",
        **more: Any,
    ) -> Item:
        """A comment, an edit of it, or a reply."""
        comment = {
            "comment_id": f"@9VwW0qOBUN9m+{number}==",
            "comment_user_id": by,
            "content": text,
            "create_time": int((START - age).timestamp()),
            "digg_count": len(self.asked),
            "top": False,
        } | more
        rows = self.replies.setdefault(under, []) if under else self.comments.setdefault(video, [])
        rows[:] = [row for row in rows if row["comment_id"] != comment["comment_id"]] + [comment]
        return comment

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.startswith("/oauth/"):
            form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
            assert form["client_key"] == KEY
            return {"access_token": self._log_in, "refresh_token": self._refresh, "renew_refresh_token": self._renew}[
                path.split("/")[2]
            ](form)
        self.asked.append(request)
        if self.faults:
            return self.faults.pop(0)
        if request.headers.get("access-token") != f"act.{self.tokens}":
            return failed(10008, "access_token 过期")
        query = request.url.params
        assert query["open_id"] == ACCOUNT
        rows = self._rows(path, query)
        return failed(2100007, "无权限操作") if rows is None else self._page(rows, query)

    def _rows(self, path: str, query: httpx.QueryParams) -> list[Item] | None:
        if path == "/api/douyin/v1/video/video_list/":
            return [video | {"statistics": {"comment_count": self._count(video)}} for video in self._ordered()]
        if query["item_id"] in self.forbidden:
            return None
        assert query["sort_type"] == "time"
        if path == "/api/apps/v1/item/list_comment/":
            rows = [
                row | {"reply_comment_total": len(self.replies.get(str(row["comment_id"]), ()))}
                for row in self.comments.get(query["item_id"], [])
            ]
            return sorted(rows, key=lambda row: (not row["top"], -_at(row)))
        assert path == "/api/apps/v1/item/list_comment_reply/"
        return sorted(self.replies.get(query["comment_id"], []), key=lambda row: -_at(row))

    def _ordered(self) -> list[Item]:
        return sorted(self.videos, key=lambda video: (not video.get("is_top"), -int(video.get("create_time", 0))))

    def _count(self, video: Item) -> int:
        rows = self.comments.get(str(video.get("item_id")), [])
        return len(rows) + sum(len(self.replies.get(str(row["comment_id"]), ())) for row in rows)

    def _page(self, rows: list[Item], query: httpx.QueryParams) -> httpx.Response:
        start, count = int(query["cursor"]), min(int(query["count"]), self.page_items)
        shown, following = rows[start : start + count], start + count
        return well({"list": shown, "cursor": following, "has_more": following < len(rows), "error_code": 0})

    def _log_in(self, form: Item) -> httpx.Response:
        if (form["client_secret"], form["code"]) != (SECRET, "c0ffee"):
            return failed(10007, "授权码过期")
        return self._token()

    def _refresh(self, form: Item) -> httpx.Response:
        is_known = form["refresh_token"] == f"rft.{self.renewals}" and form["grant_type"] == "refresh_token"
        return self._token() if is_known else failed(10010, "refresh_token 过期")

    def _token(self) -> httpx.Response:
        self.tokens += 1
        given = {"access_token": f"act.{self.tokens}", "refresh_token": f"rft.{self.renewals}", "open_id": self.open_id}
        return well(given | {"expires_in": 1296000, "scope": "ma.item.comment", "error_code": 0})

    def _renew(self, form: Item) -> httpx.Response:
        if not self.may_renew or form["refresh_token"] != f"rft.{self.renewals}":
            return failed(10020, "超过刷新次数限制")
        self.renewals += 1
        return well({"refresh_token": f"rft.{self.renewals}", "expires_in": "2592000", "error_code": 0})


def _at(row: Item) -> int:
    return row["create_time"] if isinstance(row["create_time"], int) else int(START.timestamp())


def well(data: Item) -> httpx.Response:
    return httpx.Response(200, json={"data": data, "extra": {"error_code": 0, "description": ""}})


def failed(code: int, said: str = "", *, inside: str = "extra") -> httpx.Response:
    body = (
        {"err_no": code, "err_msg": said} if inside == "err_no" else {inside: {"error_code": code, "description": said}}
    )
    return httpx.Response(200, json={"data": {}} | body)


def make_settings(**more: Any) -> DouyinSettings:
    known = {"open_id": ACCOUNT, "client_key": KEY, "client_secret": SECRET, "read_comments": True}
    return DouyinSettings.model_validate(known | more)


def make_event(kind: str = "im_receive_msg", *, by: str = CUSTOMER, to: str = ACCOUNT, **content: Any) -> Item:
    """As mini-apps are told, the content an object."""
    known = {
        "conversation_short_id": CONVERSATION,
        "server_message_id": "@m1+==",
        "conversation_type": 1,
        "message_type": "text",
        "text": "退款一直没到",
        "source": "",
        "create_time": int(START.timestamp() * 1000) - 60_000,
        "user_infos": [{"open_id": CUSTOMER, "nick_name": "王先生", "avatar": "https://p.example.com/a.jpg"}],
    }
    event = {"event": kind, "client_key": KEY, "from_user_id": by, "to_user_id": to, "log_id": "2026112200"}
    return event | {"content": known | content}


def deliver(event: Any, *, secret: str = SECRET, message: str = "7f3a", method: str = "POST") -> Request:
    body = event if isinstance(event, bytes) else json.dumps(event, ensure_ascii=False).encode()
    return Request(
        method=method,
        path="",
        query=(),
        headers=(("X-Douyin-Signature", signature(secret, body)), ("Msg-Id", message)),
        body=body,
        remote_address="101.126.0.10",
        received_at=START,
    )


@pytest.fixture
def douyin() -> Iterator[Douyin]:
    douyin = Douyin()
    with answered_by(douyin.answer):
        yield douyin


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return make_remote(clock)


@pytest.fixture
async def connect(context: Context, douyin: Douyin) -> Connect:
    """Somebody has logged in."""
    await DouyinConnector(make_settings(), context).login(Person())
    return lambda **settings: DouyinConnector(make_settings(**settings), context)
