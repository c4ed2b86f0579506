"""Weibo in small: lists by `max_id`, newest first, tokens, private messages and their files; and pushes as it signs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from connectors.weibo import WeiboConnector, WeiboSettings
from connectors.weibo.door import signature
from tests.connectors._mail.hosted import answered_by, make_remote

UID, STAFF, CUSTOMER, OTHER = "1902500000", "5601234567", "2489500000", "3011400000"
APP_KEY, APP_SECRET = "1352222456", "f0c1a9e2d8b74c55a0d1e2f3a4b5c6d7"
TOKEN, MESSAGE_TOKEN = "2.00AbCdEfToken01", "2.00FenFuToken02"
NAMES = {UID: "示例家电", STAFF: "示例家电客服", CUSTOMER: "王小明2026", OTHER: "Helen在上海"}
BEIJING = timezone(timedelta(hours=8))
LISTS = {
    "/2/statuses/mentions.json": "statuses",
    "/2/comments/to_me.json": "comments",
    "/2/comments/mentions.json": "comments",
    "/2/comments/by_me.json": "comments",
}

Connect = Callable[..., WeiboConnector]
Item = dict[str, Any]


def when(at: datetime) -> str:
    return at.astimezone(BEIJING).strftime("%a %b %d %H:%M:%S %z %Y")


def user(number: str) -> Item:
    return {"id": int(number), "idstr": number, "screen_name": NAMES[number], "followers_count": 42}


class Weibo:
    """`lists`: path → items. `faults` are answered first, one to a call of a list."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Item]] = {path: [] for path in LISTS}
        self.faults: list[httpx.Response] = []
        self.asked: list[httpx.Request] = []
        self.token, self.token_uid, self.token_seconds = TOKEN, int(UID), 30 * 86_400
        self.page_items, self.given_items = 50, 2000
        """Weibo goes back so far."""
        self.files: dict[str, bytes] = {}
        self.sent: list[dict[str, str]] = []
        self.codes = {"c0ffee"}

    def write(
        self, number: int, text: str, *, by: str = CUSTOMER, age: timedelta = timedelta(hours=1), **more: Any
    ) -> Item:
        """A post that mentions the account, or an edit of it."""
        post = {
            "created_at": when(START - age),
            "id": 5_200_000_000_000_000 + number,
            "idstr": str(5_200_000_000_000_000 + number),
            "mid": str(5_200_000_000_000_000 + number),
            "text": text,
            "source": '<a href="http://app.weibo.com/t/feed/1" rel="nofollow">示例手机</a>',
            "pic_urls": [],
            "user": user(by),
            "reposts_count": len(self.asked),
            "attitudes_count": len(self.asked),
        } | more
        self._put("/2/statuses/mentions.json", post)
        return post

    def comment(
        self,
        number: int,
        text: str,
        *,
        by: str = CUSTOMER,
        path: str = "/2/comments/to_me.json",
        age: timedelta = timedelta(hours=1),
        **more: Any,
    ) -> Item:
        comment = {
            "created_at": when(START - age),
            "id": 4_900_000_000_000_000 + number,
            "idstr": str(4_900_000_000_000_000 + number),
            "text": text,
            "user": user(by),
            "status": {"id": 5_100_000_000_000_001, "idstr": "5100000000000001", "text": "新品上市", "user": user(UID)},
        } | more
        self._put(path, comment)
        return comment

    def _put(self, path: str, item: Item) -> None:
        rows = self.lists[path]
        rows[:] = [row for row in rows if row.get("id") != item["id"]] + [item]

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path in LISTS or path.endswith("/biz.json"):
            return self._list(request)
        if path.startswith("/large/"):
            return self._file(path.rpartition("/")[2])
        if path == "/2/mss/msget":
            is_ours = request.url.params["access_token"] == MESSAGE_TOKEN
            return self._file(request.url.params["fid"]) if is_ours else refused(21332, "invalid_access_token")
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        return {
            "/oauth2/get_token_info": self._info,
            "/oauth2/access_token": self._redeem,
            "/2/messages/reply.json": self._reply,
        }[path](form)

    def _list(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.faults:
            return self.faults.pop(0)
        query = request.url.params
        if query["access_token"] != self.token:
            return refused(21327, "expired_token")
        path = request.url.path.replace("/biz.json", ".json")
        rows = sorted(self.lists[path], key=lambda row: _number(row), reverse=True)[: self.given_items]
        rows = [row for row in rows if _number(row) <= int(query.get("max_id") or 10**20)]
        limit = min(int(query["count"]), self.page_items)
        start = (int(query["page"]) - 1) * limit
        field, total = LISTS[path], len(self.lists[path])
        cursors = {"previous_cursor": 0, "next_cursor": 0, "total_number": total}
        return httpx.Response(200, json={field: rows[start : start + limit], **cursors})

    def _file(self, name: str) -> httpx.Response:
        if name not in self.files:
            return httpx.Response(404)
        return httpx.Response(200, content=self.files[name], headers={"Content-Type": "image/jpeg"})

    def _info(self, form: Item) -> httpx.Response:
        if form["access_token"] != self.token:
            return refused(21327, "expired_token")
        told = {"uid": self.token_uid, "appkey": int(APP_KEY), "scope": None, "create_at": 1352267591}
        return httpx.Response(200, json=told | {"expire_in": self.token_seconds})

    def _redeem(self, form: Item) -> httpx.Response:
        if form["client_secret"] != APP_SECRET or form["code"] not in self.codes:
            return refused(21325, "invalid_grant")
        self.codes.remove(form["code"])
        return httpx.Response(200, json={"access_token": self.token, "expires_in": 2592000, "uid": str(self.token_uid)})

    def _reply(self, form: Item) -> httpx.Response:
        if self.faults:
            return self.faults.pop(0)
        self.sent.append(form)
        return httpx.Response(200, json={"result": True, "receiver_id": form["receiver_id"]})


def _number(row: Item) -> int:
    found = row.get("id")
    return found if isinstance(found, int) else 10**16


def refused(code: int, said: str, status: int = 403, **headers: str) -> httpx.Response:
    body = {"error": said, "error_code": code, "request": "/2/comments/to_me.json"}
    return httpx.Response(status, json=body, headers=headers)


def make_settings(**more: Any) -> WeiboSettings:
    known = {"uid": UID, "staff": [STAFF], "app_key": APP_KEY, "app_secret": APP_SECRET}
    return WeiboSettings.model_validate(known | {"access_token": TOKEN, "message_token": MESSAGE_TOKEN} | more)


def make_talk(text: str | None = "快递破损，要求赔偿", kind: str = "text", **more: Any) -> Item:
    return {
        "type": kind,
        "receiver_id": int(UID),
        "sender_id": int(CUSTOMER),
        "created_at": when(START - timedelta(minutes=1)),
        "text": text,
        "data": {},
    } | more


def make_request(
    body: bytes, *, method: str = "POST", secret: str = APP_SECRET, age: timedelta = timedelta(seconds=1), **query: str
) -> Request:
    timestamp, nonce = str(int((START - age).timestamp() * 1000)), "57155157"
    signed = {"signature": signature(secret, timestamp, nonce), "timestamp": timestamp, "nonce": nonce}
    return Request(
        method=method,
        path="",
        query=tuple((signed | query).items()),
        headers=(("Content-Type", "application/json"),),
        body=body,
        remote_address="123.125.106.10",
        received_at=START,
    )


def push(talk: Item) -> Request:
    return make_request(json.dumps(talk, ensure_ascii=False).encode())


@pytest.fixture
def weibo() -> Iterator[Weibo]:
    weibo = Weibo()
    with answered_by(weibo.answer):
        yield weibo


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return make_remote(clock)


@pytest.fixture
def connect(context: Context, weibo: Weibo) -> Connect:
    return lambda **settings: WeiboConnector(make_settings(**settings), context)
