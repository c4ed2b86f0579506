"""Microsoft Graph in miniature: one mailbox, its folders, delta queries with tokens that grow old, as documented.

"message: delta", "Get incremental changes to messages in a folder", "message: move", "Update message",
"Create subscription", "Microsoft Graph error responses".
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from allears_sdk.testing.clock import START

ROOT = "https://graph.microsoft.com/v1.0"
TOKEN_URL = "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token"
MAILBOX = "kefu@contoso.com"
SECRET = "q8Q~application-secret-of-contoso"
NOTIFY_SECRET = "notify-7f3a9c-word"
NOTIFY_URL = "https://hooks.example.com/in/support-365"
GENERATIONS = 3
"""Exchange keeps so many states of a delta query; older links answer SyncStateNotFound."""


@dataclass
class Item:
    id: str
    folder: str
    mime: bytes
    received_at: datetime
    is_read: bool = False
    changed: int = 0
    removed: bool = False


def error(status: int, code: str, message: str = "", headers: Mapping[str, str] | None = None) -> httpx.Response:
    inner = {"date": "2026-11-22T04:00:00", "request-id": "2f038156-cf40-403d-8e46-831fe42a8229"}
    body = {"error": {"code": code, "message": message or code, "innerError": inner}}
    return httpx.Response(status, json=body, headers=dict(headers or {}))


@dataclass
class Graph:
    """`answer` serves every request; `faults` are served first, by a pattern of method and address."""

    folders: dict[str, tuple[str, str]] = field(
        default_factory=lambda: {
            "AQMkInbox": ("", "收件箱"),
            "AQMkDeleted": ("", "已删除邮件"),
            "AQMkFiled": ("", "Filed"),
            "AQMkSub": ("AQMkInbox", "投诉"),
        }
    )
    well_known: dict[str, str] = field(default_factory=lambda: {"inbox": "AQMkInbox", "deleteditems": "AQMkDeleted"})
    items: dict[str, Item] = field(default_factory=dict)
    log: list[tuple[int, str, str]] = field(default_factory=list)
    """(sequence, folder, item): an item came into a folder, changed there, or left it."""
    calls: list[str] = field(default_factory=list)
    faults: list[tuple[re.Pattern[str], list[httpx.Response | None]]] = field(default_factory=list)
    subscriptions: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens_given: int = 0
    good_tokens: set[str] = field(default_factory=set)
    most_per_page: int = 1000
    states: dict[str, int] = field(default_factory=dict)
    """How often a folder's changes were asked for: links carry the number."""
    root: str = ROOT
    sent: list[bytes] = field(default_factory=list)
    after_list: list[Item] = field(default_factory=list)
    """Arrive while the next mail is fetched."""

    def put(self, mime: bytes, *, folder: str = "AQMkInbox", age: timedelta = timedelta(hours=1)) -> str:
        number = len(self.items) + 1
        item = Item(f"AAkALg{number:04}-immutable=", folder, mime, START - age + timedelta(seconds=number))
        self.add(item)
        return item.id

    def add(self, item: Item) -> None:
        self.items[item.id] = item
        self._note(item.folder, item.id)

    def move(self, item_id: str, folder: str) -> None:
        item = self.items[item_id]
        self._note(item.folder, item_id)
        item.folder = folder
        self._note(folder, item_id)

    def change(self, item_id: str) -> None:
        self._note(self.items[item_id].folder, item_id)

    def fail(self, pattern: str, *answers: httpx.Response | None) -> None:
        """Answer requests whose `METHOD address` match with these, in turn; None answers as usual."""
        self.faults.append((re.compile(pattern), list(answers)))

    def called(self, pattern: str) -> int:
        return sum(bool(re.search(pattern, call)) for call in self.calls)

    def lying_in(self, folder: str) -> list[str]:
        return [item.id for item in self.items.values() if item.folder == folder]

    def answer(self, request: httpx.Request) -> httpx.Response:
        url = unquote(str(request.url))
        self.calls.append(f"{request.method} {url}")
        if url.endswith("/oauth2/v2.0/token"):
            return self._token()
        if self._is_stranger(request):
            return error(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
        for pattern, answers in self.faults:
            if answers and pattern.search(self.calls[-1]):
                given = answers.pop(0)
                if given is not None:
                    return given
                break
        path = re.sub(r"mailfolders\('([^']+)'\)", r"mailFolders/\1", urlsplit(url).path)
        return self._route(request, path.removeprefix("/v1.0/").split("/"))

    def _token(self) -> httpx.Response:
        self.tokens_given += 1
        token = f"eyJ0eXAi-{self.tokens_given}"
        self.good_tokens = {token}
        return httpx.Response(200, json={"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    def _is_stranger(self, request: httpx.Request) -> bool:
        return request.headers.get("authorization", "").removeprefix("Bearer ") not in self.good_tokens

    def _route(self, request: httpx.Request, path: list[str]) -> httpx.Response:
        match [request.method, *path]:
            case ["GET", "users", str(owner)] if owner == MAILBOX:
                return httpx.Response(200, json={"mail": MAILBOX})
            case [_, "users", str(owner), *_] if owner != MAILBOX:
                return error(404, "ErrorInvalidUser", f"The requested user '{owner}' is invalid.")
            case ["GET", "users", _, "mailFolders"]:
                return self._folders("", request)
            case ["GET", "users", _, "mailFolders", folder]:
                return self._folder(folder)
            case ["GET", "users", _, "mailFolders", folder, "childFolders"]:
                return self._folders(folder, request)
            case ["GET", "users", _, "mailFolders", folder, "messages", "delta"]:
                return self._delta(folder, request)
            case [_, "users", _, "messages", item, *rest]:
                return self._message(item, rest, request)
            case ["POST", "users", _, "sendMail"]:
                assert request.headers["content-type"] == "text/plain"
                self.sent.append(base64.b64decode(request.content, validate=True))
                return httpx.Response(202)
            case [_, "subscriptions", *rest]:
                return self._subscription(rest, request)
        return error(405, "ErrorInvalidRequest", "The OData request is not supported.")

    def _folder(self, name: str) -> httpx.Response:
        folder = self.well_known.get(name, name)
        if folder not in self.folders:
            return error(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        return httpx.Response(200, json=self._shown(folder))

    def _shown(self, folder: str) -> dict[str, Any]:
        lying = [item for item in self.items.values() if item.folder == folder]
        unread = sum(not item.is_read for item in lying)
        return {
            "id": folder,
            "displayName": self.folders[folder][1],
            "totalItemCount": len(lying),
            "unreadItemCount": unread,
        }

    def _folders(self, parent: str, request: httpx.Request) -> httpx.Response:
        """Two to a page, so that there is a next one."""
        inside = [folder for folder, (above, _) in self.folders.items() if above == parent]
        skip = int(parse_qs(urlsplit(str(request.url)).query).get("$skip", ["0"])[0])
        body: dict[str, Any] = {"value": [self._shown(folder) for folder in inside[skip : skip + 2]]}
        if skip + 2 < len(inside):
            body["@odata.nextLink"] = f"{str(request.url).partition('?')[0]}?$skip={skip + 2}"
        return httpx.Response(200, json=body)

    def _delta(self, folder: str, request: httpx.Request) -> httpx.Response:
        if folder not in self.folders:
            return error(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        assert 'IdType="ImmutableId"' in request.headers["prefer"]
        asked = re.search(r"maxpagesize=(\d+)", request.headers["prefer"])
        size = min(int(asked[1]) if asked else 10, self.most_per_page)
        query = parse_qs(urlsplit(unquote(str(request.url))).query)
        token = (query.get("$skiptoken") or query.get("$deltatoken") or ["0.0.0.0"])[0]
        generation, since, skip, upto = (int(part) for part in token.split("."))
        newest = self.states.get(folder, 0)
        if generation and generation <= newest - GENERATIONS:
            text = f"The sync state generation is not found; generation={generation};[highest={newest}]"
            return error(410, "SyncStateNotFound", text)
        self.states[folder] = newest + 1
        upto = upto or len(self.log)
        changed = self._changed(folder, since, upto)
        base = f"{self.root}/users/{MAILBOX}/mailfolders('{folder}')/messages/delta"  # as Graph writes it
        body: dict[str, Any] = {"@odata.context": f"{ROOT}/$metadata#Collection(message)"}
        body["value"] = changed[skip : skip + size]
        if skip + size < len(changed):
            body["@odata.nextLink"] = f"{base}?$skiptoken={newest + 1}.{since}.{skip + size}.{upto}"
        else:
            body["@odata.deltaLink"] = f"{base}?$deltatoken={newest + 1}.{upto}.0.0"
        return httpx.Response(200, json=body)

    def _changed(self, folder: str, since: int, upto: int) -> list[dict[str, Any]]:
        """In no order that means anything, each item once; a round shows the folder as it was when it began."""
        ids = {item: sequence for sequence, where, item in self.log[since:upto] if where == folder}
        changes: list[dict[str, Any]] = []
        for item_id in sorted(ids, reverse=True):
            item = self.items.get(item_id)
            if item is not None and item.folder == folder:
                changes.append(
                    {
                        "@odata.type": "#microsoft.graph.message",
                        "@odata.etag": f'W/"CQAAABYAAA{ids[item_id]}"',
                        "id": item_id,
                        "receivedDateTime": item.received_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    }
                )
            elif since:
                changes.append({"id": item_id, "@removed": {"reason": "deleted"}})
        return changes

    def _message(self, item_id: str, rest: list[str], request: httpx.Request) -> httpx.Response:
        item = self.items.get(item_id)
        if item is None or item.removed:
            return error(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        match [request.method, *rest]:
            case ["GET", "$value"]:
                for late in self.after_list:
                    self.add(late)
                self.after_list = []
                return httpx.Response(200, content=item.mime, headers={"content-type": "text/plain"})
            case ["GET"]:
                shown: dict[str, Any] = {"id": item_id, "parentFolderId": item.folder}
                received = item.received_at.strftime("%Y-%m-%dT%H:%M:%SZ")
                return httpx.Response(200, json=shown | {"receivedDateTime": received})
            case ["PATCH"]:
                item.is_read = bool(json.loads(request.content)["isRead"])
                self.change(item_id)
                return httpx.Response(200, json={"id": item_id, "isRead": item.is_read})
            case ["POST", "move"]:
                target = json.loads(request.content)["destinationId"]
                self.move(item_id, self.well_known.get(target, target))
                return httpx.Response(201, json={"id": item_id, "parentFolderId": item.folder})
        return error(405, "ErrorInvalidRequest")

    def _subscription(self, rest: list[str], request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        match [request.method, *rest]:
            case ["POST"]:
                made = f"7f105c7d-2dc5-4530-97cd-{len(self.subscriptions):012}"
                self.subscriptions[made] = body
                return httpx.Response(201, json={"id": made, **body, "clientState": None})
            case ["PATCH", name] if name in self.subscriptions:
                self.subscriptions[name] |= body
                return httpx.Response(200, json={"id": name, **self.subscriptions[name]})
        return error(404, "ResourceNotFound", "The object was not found.")

    def _note(self, folder: str, item_id: str) -> None:
        self.log.append((len(self.log) + 1, folder, item_id))


def make_mail(text: str | bytes, *, number: int = 0, subject: str = "屏幕碎了") -> bytes:
    body = text.encode() if isinstance(text, str) else text
    header = (
        f"Received: from mail.example.cn by contoso.com; Sun, 22 Nov 2026 03:00:00 +0000\r\n"
        f"Message-ID: <{number or abs(hash(body))}@mail.example.cn>\r\nFrom: 王芳 <wangfang@example.cn>\r\n"
        f"To: kefu@contoso.com\r\nSubject: {subject}\r\n"
    )
    return header.encode() + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + body + b"\r\n"
