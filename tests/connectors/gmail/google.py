"""Gmail in miniature: one mailbox with labels and a history that is forgotten, as its reference documents.

"users.messages", "users.history.list", "users.labels", "users.watch", "Resolve errors".
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

ACCOUNT = "kefu@example.com"
SECRET = "GOCSPX-secret-of-the-client"
PUSH_TOKEN = "push-7f3a9c-word"
TOPIC = "projects/allears-mail/topics/kefu"
FIRST_HISTORY = 987_000


@dataclass
class Item:
    id: str
    mime: bytes
    received_at: datetime
    labels: set[str]


def error(
    status: int, reason: str, message: str = "", *, details: str = "", headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """As "Resolve errors" shows it; `details` is the newer style's reason."""
    body: dict[str, Any] = {
        "code": status,
        "message": message or reason,
        "errors": [{"domain": "global", "reason": reason, "message": message or reason}],
        "status": "PERMISSION_DENIED",
    }
    if details:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        body["details"] = [{"@type": kind, "reason": details, "domain": "googleapis.com"}]
    return httpx.Response(status, json={"error": body}, headers=dict(headers or {}))


@dataclass
class Google:
    """`answer` serves every request; `faults` are served first, by a pattern of method and address."""

    items: dict[str, Item] = field(default_factory=dict)
    names: dict[str, str] = field(
        default_factory=lambda: {
            "INBOX": "INBOX",
            "SPAM": "SPAM",
            "TRASH": "TRASH",
            "UNREAD": "UNREAD",
            "Label_12": "投诉",
            "Label_13": "Complaints/2026",
        }
    )
    history: list[dict[str, Any]] = field(default_factory=list)
    oldest: int = FIRST_HISTORY
    """What came before this is forgotten."""
    calls: list[str] = field(default_factory=list)
    faults: list[tuple[re.Pattern[str], list[httpx.Response | None]]] = field(default_factory=list)
    good_tokens: set[str] = field(default_factory=set)
    tokens_given: int = 0
    account: str = ACCOUNT
    most_per_page: int = 500
    sent: list[bytes] = field(default_factory=list)
    watches: list[dict[str, Any]] = field(default_factory=list)
    after_list: list[Item] = field(default_factory=list)
    """Arrive while the next mail is fetched."""

    def put(self, mime: bytes, *, label: str = "INBOX", age: timedelta = timedelta(hours=1)) -> str:
        number = len(self.items) + 1
        item = Item(f"193a5c{number:010x}", mime, START - age + timedelta(seconds=number), {label, "UNREAD"})
        self.add(item)
        return item.id

    def add(self, item: Item) -> None:
        self.items[item.id] = item
        self._note({"messagesAdded": [{"message": self._short(item, labels=True)}]})

    def label(self, item_id: str, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> None:
        item = self.items[item_id]
        item.labels |= {*add}
        item.labels -= {*remove}
        for kind, changed in (("labelsAdded", add), ("labelsRemoved", remove)):
            if changed:
                self._note({kind: [{"message": self._short(item, labels=True), "labelIds": list(changed)}]})

    def fail(self, pattern: str, *answers: httpx.Response | None) -> None:
        """Answer requests whose `METHOD address` match with these, in turn; None answers as usual."""
        self.faults.append((re.compile(pattern), list(answers)))

    def called(self, pattern: str) -> int:
        return sum(bool(re.search(pattern, call)) for call in self.calls)

    def labelled(self, label: str) -> list[str]:
        return [item.id for item in self.items.values() if label in item.labels]

    @property
    def newest(self) -> int:
        return FIRST_HISTORY + 10 * len(self.history)

    def answer(self, request: httpx.Request) -> httpx.Response:
        url = unquote(str(request.url))
        self.calls.append(f"{request.method} {url}")
        if url.endswith("/token"):
            return self._token()
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.good_tokens:
            return error(401, "authError", "Invalid Credentials")
        for pattern, answers in self.faults:
            if answers and pattern.search(self.calls[-1]):
                given = answers.pop(0)
                if given is not None:
                    return given
                break
        query = parse_qs(urlsplit(str(request.url)).query)
        return self._route(request, urlsplit(url).path.removeprefix("/gmail/v1/users/me/").split("/"), query)

    def _token(self) -> httpx.Response:
        self.tokens_given += 1
        token = f"ya29.a0-{self.tokens_given}"
        self.good_tokens = {token}
        return httpx.Response(200, json={"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    def _route(self, request: httpx.Request, path: list[str], query: dict[str, list[str]]) -> httpx.Response:
        match [request.method, *path]:
            case ["GET", "profile"]:
                shown = {"emailAddress": self.account, "messagesTotal": len(self.items), "historyId": str(self.newest)}
                return httpx.Response(200, json=shown)
            case ["GET", "labels"]:
                labels = [{"id": key, "name": name, "type": "system"} for key, name in self.names.items()]
                return httpx.Response(200, json={"labels": labels})
            case ["GET", "labels", key] if key in self.names:
                lying = [self.items[item] for item in self.labelled(key)]
                unread = sum("UNREAD" in item.labels for item in lying)
                return httpx.Response(200, json={"id": key, "messagesTotal": len(lying), "messagesUnread": unread})
            case ["GET", "messages"]:
                return self._list(query)
            case ["GET", "history"]:
                return self._changes(query)
            case ["POST", "messages", "batchModify"]:
                return self._modify_many(json.loads(request.content))
            case ["POST", "messages", "send"]:
                self.sent.append(base64.urlsafe_b64decode(json.loads(request.content)["raw"]))
                return httpx.Response(200, json={"id": "18c2f0", "threadId": "18c2f0", "labelIds": ["SENT"]})
            case ["POST", "watch"]:
                self.watches.append(json.loads(request.content))
                expires = int((START + timedelta(days=7)).timestamp() * 1000)
                return httpx.Response(200, json={"historyId": str(self.newest), "expiration": str(expires)})
            case [_, "messages", item_id, *rest] if item_id in self.items:
                return self._message(self.items[item_id], [request.method, *rest], query, request)
        return error(404, "notFound", "Requested entity was not found.")

    def _list(self, query: dict[str, list[str]]) -> httpx.Response:
        """Newest first; in pages."""
        [label] = query["labelIds"]
        after = re.search(r"after:(\d+)", query.get("q", [""])[0])
        since = int(after[1]) if after else 0
        hidden = {"SPAM", "TRASH"} if query.get("includeSpamTrash") != ["true"] else set()
        found = [
            item
            for item in reversed(self.items.values())
            if label in item.labels and item.received_at.timestamp() > since and not hidden & item.labels
        ]
        size = min(int(query["maxResults"][0]), self.most_per_page)
        skip = int(query.get("pageToken", ["0"])[0])
        body: dict[str, Any] = {"resultSizeEstimate": len(found)}
        if found[skip : skip + size]:
            body["messages"] = [self._short(item) for item in found[skip : skip + size]]
        if skip + size < len(found):
            body["nextPageToken"] = str(skip + size)
        return httpx.Response(200, json=body)

    def _changes(self, query: dict[str, list[str]]) -> httpx.Response:
        start = int(query["startHistoryId"][0])
        if start < self.oldest:
            return error(404, "notFound", "Requested entity was not found.")
        kinds = {"messageAdded": "messagesAdded", "labelAdded": "labelsAdded"}
        wanted = {kinds[kind] for kind in query["historyTypes"]}
        [label] = query["labelId"]
        found = [
            record
            for record in self.history
            if int(record["id"]) > start and wanted & record.keys() and label in _labels_of(record)
        ]
        size = min(int(query["maxResults"][0]), self.most_per_page)
        skip = int(query.get("pageToken", ["0"])[0])
        body: dict[str, Any] = {"historyId": str(self.newest)}
        if found[skip : skip + size]:
            body["history"] = found[skip : skip + size]
        if skip + size < len(found):
            body["nextPageToken"] = str(skip + size)
        return httpx.Response(200, json=body)

    def _message(
        self, item: Item, what: list[str], query: dict[str, list[str]], request: httpx.Request
    ) -> httpx.Response:
        match what:
            case ["GET"]:
                return self._get(item, query["format"][0])
            case ["POST", "modify"]:
                change = json.loads(request.content)
                self.label(item.id, add=tuple(change.get("addLabelIds", ())), remove=tuple(change["removeLabelIds"]))
                return httpx.Response(200, json=self._short(item, labels=True))
            case ["POST", "trash"]:
                self.label(item.id, add=("TRASH",), remove=("INBOX",))
                return httpx.Response(200, json=self._short(item, labels=True))
        return error(404, "notFound", "Requested entity was not found.")

    def _get(self, item: Item, form: str) -> httpx.Response:
        shown: dict[str, Any] = self._short(item, labels=True) | {
            "internalDate": str(int(item.received_at.timestamp() * 1000)),
            "sizeEstimate": len(item.mime),
            "historyId": str(self.newest),
            "snippet": "屏幕碎了",
        }
        if form == "raw":
            for late in self.after_list:
                self.add(late)
            self.after_list = []
            shown["raw"] = base64.urlsafe_b64encode(item.mime).decode()
        elif form == "metadata":
            lines = item.mime.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n")
            pairs = [line.partition(": ") for line in lines]
            shown["payload"] = {"headers": [{"name": name, "value": value} for name, _, value in pairs]}
        return httpx.Response(200, json=shown)

    def _modify_many(self, change: dict[str, Any]) -> httpx.Response:
        if any(item not in self.items for item in change["ids"]):
            return error(404, "notFound", "Requested entity was not found.")
        for item in change["ids"]:
            self.label(item, remove=tuple(change["removeLabelIds"]))
        return httpx.Response(204)

    def _short(self, item: Item, *, labels: bool = False) -> dict[str, Any]:
        short: dict[str, Any] = {"id": item.id, "threadId": item.id}
        return short | ({"labelIds": sorted(item.labels)} if labels else {})

    def _note(self, record: dict[str, Any]) -> None:
        self.history.append({"id": str(self.newest + 10), **record})


def _labels_of(record: dict[str, Any]) -> set[str]:
    entries = [entry for kind in ("messagesAdded", "labelsAdded") for entry in record.get(kind, ())]
    return {label for entry in entries for label in entry["message"]["labelIds"]}


def make_mail(text: str | bytes, *, subject: str = "屏幕碎了") -> bytes:
    body = text.encode() if isinstance(text, str) else text
    header = f"Delivered-To: {ACCOUNT}\r\nFrom: 李雷 <lilei@example.cn>\r\nTo: {ACCOUNT}\r\nSubject: {subject}\r\n"
    return header.encode() + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + body + b"\r\n"
