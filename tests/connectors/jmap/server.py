"""A small JMAP server after RFC 8620 and RFC 8621, over real HTTP, whose manners a test can spoil. Cyrus is asked the
same questions where it is installed."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from aiohttp import web

from allears_sdk.testing.clock import START
from connectors.jmap import JmapSettings

USER, PASSWORD, TOKEN, ACCOUNT = "kefu@example.com", "kefu-Pa55-word", "fmu1-7f3a9c-token", "u7a1"
COUNT = iter(range(1, 1_000_000))
INBOX, ARCHIVE, SUPPORT, ISSUES = "P-F", "P-a", "P-s", "P-i"


def make_mail(text: str, *, subject: str = "屏幕碎了") -> bytes:
    return make_mail_bytes(text.encode(), subject=subject)


def make_mail_bytes(text: bytes, *, subject: str = "屏幕碎了") -> bytes:
    number = next(COUNT)
    header = f"Message-ID: <{number}@shop.example>\r\nFrom: 王芳 <wang{number}@example.cn>\r\nSubject: {subject}\r\n"
    return header.encode() + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text + b"\r\n"


@dataclass
class Mail:
    id: str
    body: bytes
    at: datetime
    folders: set[str]
    keywords: set[str] = field(default_factory=set)
    created: int = 0
    changed: int = 0

    @property
    def blob(self) -> str:
        return f"G{sha256(self.body).hexdigest()[:24]}"


Spoiler = Callable[[web.Request, Any], Any]
"""(request, decoded body or None) → a Response to answer with, or None to let it pass."""


@dataclass
class JmapServer:
    mails: dict[str, Mail] = field(default_factory=dict)
    gone: list[tuple[int, str]] = field(default_factory=list)
    state: int = 100
    oldest_state: int = 0
    limits: dict[str, int] = field(default_factory=lambda: {"maxObjectsInGet": 50, "maxObjectsInSet": 50})
    folders: dict[str, tuple[str, str | None, str | None]] = field(
        default_factory=lambda: {
            INBOX: ("收件箱", "inbox", None),
            ARCHIVE: ("Archive", "archive", None),
            SUPPORT: ("Support", None, None),
            ISSUES: ("投诉", None, SUPPORT),
        }
    )
    rights: dict[str, bool] = field(default_factory=dict)
    read_only: bool = False
    spoilers: list[Spoiler] = field(default_factory=list)
    method_errors: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refuse_set: dict[str, Any] | None = None
    push: str = "/jmap/eventsource/?types={types}&closeafter={closeafter}&ping={ping}"
    push_status: int = 200
    url: str = ""
    methods: list[str] = field(default_factory=list)
    downloads: int = 0
    listeners: set[asyncio.Queue[bytes]] = field(default_factory=set)
    session_state: str = "s1"
    _runner: web.AppRunner | None = None

    def put(self, *bodies: bytes, folder: str = INBOX, at: datetime | None = None) -> list[str]:
        ids = []
        for body in bodies:
            self.state += 1
            number = next(COUNT)
            at_ = at or START - timedelta(hours=1) + timedelta(seconds=number)
            mail = Mail(f"M{number:08}", body, at_, {folder}, created=self.state, changed=self.state)
            self.mails[mail.id] = mail
            ids.append(mail.id)
        self.tell()
        return ids

    def touch(self, mail: str) -> None:
        self.state += 1
        self.mails[mail].changed = self.state
        self.tell()

    def remove(self, mail: str) -> None:
        self.state += 1
        del self.mails[mail]
        self.gone.append((self.state, mail))

    def tell(self) -> None:
        change = {"@type": "StateChange", "changed": {ACCOUNT: {"Email": str(self.state)}}}
        for queue in self.listeners:
            queue.put_nowait(f"event: state\r\ndata: {json.dumps(change)}\r\n\r\n".encode())

    def ids(self, folder: str = INBOX) -> list[str]:
        return [mail.id for mail in self.mails.values() if folder in mail.folders]

    def settings(self, **more: Any) -> JmapSettings:
        login: dict[str, Any] = {} if "token" in more else {"username": USER, "password": PASSWORD}
        return JmapSettings.model_validate({"url": self.url, "timeout_seconds": 5, **login, **more})

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/.well-known/jmap", self._redirect)
        app.router.add_get("/jmap/session", self._session)
        app.router.add_post("/jmap/api/", self._api)
        app.router.add_get("/jmap/download/{account}/{blob}/{name}", self._download)
        app.router.add_get("/jmap/eventsource/", self._events)
        app.middlewares.append(self._guard)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def _guard(self) -> Any:
        @web.middleware
        async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
            basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if request.headers.get("Authorization") not in (f"Basic {basic}", f"Bearer {TOKEN}"):
                return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="mail"'})
            body = await request.json() if request.method == "POST" else None
            for spoiler in self.spoilers:
                answer = spoiler(request, body)
                if answer is not None:
                    return answer  # type: ignore[no-any-return]  # a spoiler makes responses
            return await handler(request)  # type: ignore[no-any-return]  # aiohttp's handlers are untyped here

        return guard

    async def _redirect(self, request: web.Request) -> web.Response:
        return web.Response(status=301, headers={"Location": "/jmap/session"})

    async def _session(self, request: web.Request) -> web.Response:
        core = {"maxSizeUpload": 50_000_000, "maxConcurrentRequests": 4, "maxCallsInRequest": 16, **self.limits}
        mail = "urn:ietf:params:jmap:mail"
        account = {"name": USER, "isPersonal": True, "isReadOnly": self.read_only, "accountCapabilities": {mail: {}}}
        shared = {**account, "name": "shared@example.com", "isPersonal": False}
        session = {
            "capabilities": {"urn:ietf:params:jmap:core": core, mail: {}},
            "accounts": {ACCOUNT: account, "u9": shared},
            "primaryAccounts": {mail: ACCOUNT},
            "username": USER,
            "apiUrl": "/jmap/api/",
            "downloadUrl": "/jmap/download/{accountId}/{blobId}/{name}?accept={type}",
            "uploadUrl": "/jmap/upload/{accountId}/",
            "state": self.session_state,
        }
        return web.json_response(session | ({"eventSourceUrl": self.push} if self.push else {}))

    async def _api(self, request: web.Request) -> web.Response:
        responses: list[list[Any]] = []
        for name, given, at in (await request.json())["methodCalls"]:
            self.methods.append(name)
            queue = self.method_errors.get(name)
            if queue:
                responses.append(["error", queue.pop(0), at])
                continue
            args = self._resolved(given, responses)
            if args is None:
                responses.append(["error", {"type": "invalidResultReference"}, at])
            elif args["accountId"] != ACCOUNT:
                responses.append(["error", {"type": "accountNotFound"}, at])
            else:
                answer = getattr(self, "_" + name.replace("/", "_").lower())(args)
                responses.append(["error" if "type" in answer else name, answer, at])
        return web.json_response({"methodResponses": responses, "sessionState": self.session_state})

    def _resolved(self, given: dict[str, Any], responses: list[list[Any]]) -> dict[str, Any] | None:
        args = dict(given)
        for key in [key for key in args if key.startswith("#")]:
            wanted = args.pop(key)
            for name, answer, at in responses:
                if (name, at) == (wanted["name"], wanted["resultOf"]):
                    args[key[1:]] = answer[wanted["path"].strip("/")]
                    break
            else:
                return None
        return args

    def _mailbox_get(self, args: dict[str, Any]) -> dict[str, Any]:
        rights = {"mayReadItems": True, "maySetSeen": True, "mayRemoveItems": True, "mayAddItems": True, **self.rights}
        listed = [
            {"id": key, "name": name, "role": role, "parentId": parent, "totalEmails": len(self.ids(key))}
            | {"unreadEmails": 0, "myRights": rights}
            for key, (name, role, parent) in self.folders.items()
            if args["ids"] is None or key in args["ids"]
        ]
        missing = [key for key in args["ids"] or [] if key not in self.folders]
        return {"accountId": ACCOUNT, "state": "m1", "list": listed, "notFound": missing}

    def _email_query(self, args: dict[str, Any]) -> dict[str, Any]:
        chosen = args["filter"]
        if chosen["inMailbox"] not in self.folders:
            return {"type": "invalidArguments", "arguments": ["filter/inMailbox"]}
        found = [mail for mail in self.mails.values() if chosen["inMailbox"] in mail.folders]
        if "after" in chosen:
            found = [mail for mail in found if mail.at >= datetime.fromisoformat(chosen["after"])]
        found.sort(key=lambda mail: (mail.at, mail.id))
        start = args.get("position", 0)
        ids = [mail.id for mail in found[start : start + args["limit"]]]
        return {"accountId": ACCOUNT, "queryState": str(self.state), "position": start, "ids": ids}

    def _email_get(self, args: dict[str, Any]) -> dict[str, Any]:
        if len(args["ids"]) > self.limits["maxObjectsInGet"]:
            return {"type": "requestTooLarge"}
        listed = [self._one(self.mails[key], args.get("properties")) for key in args["ids"] if key in self.mails]
        missing = [key for key in args["ids"] if key not in self.mails]
        return {"accountId": ACCOUNT, "state": str(self.state), "list": listed, "notFound": missing}

    def _one(self, mail: Mail, properties: list[str] | None) -> dict[str, Any]:
        header = mail.body.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n")
        fields = [line.partition(":") for line in header]
        whole: dict[str, Any] = {
            "id": mail.id,
            "blobId": mail.blob,
            "size": len(mail.body),
            "receivedAt": mail.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "mailboxIds": dict.fromkeys(mail.folders, True),
            "keywords": dict.fromkeys(mail.keywords, True),
            "headers": [{"name": name, "value": value} for name, _, value in fields],
        }
        return whole if properties is None else {key: whole[key] for key in {"id", *properties}}

    def _email_changes(self, args: dict[str, Any]) -> dict[str, Any]:
        since = int(args["sinceState"])
        if since < self.oldest_state:
            return {"type": "cannotCalculateChanges"}
        changed = sorted((one for one in self.mails.values() if one.changed > since), key=lambda one: one.changed)
        page = changed[: args["maxChanges"]]
        more = len(page) < len(changed)
        return {
            "accountId": ACCOUNT,
            "oldState": args["sinceState"],
            "newState": str(page[-1].changed if more else self.state),
            "hasMoreChanges": more,
            "created": [mail.id for mail in page if mail.created > since],
            "updated": [mail.id for mail in page if mail.created <= since],
            "destroyed": [key for at, key in self.gone if at > since],
        }

    def _email_set(self, args: dict[str, Any]) -> dict[str, Any]:
        old = str(self.state)
        refused: dict[str, dict[str, Any]] = {"notUpdated": {}, "notDestroyed": {}}
        for key, patch in (args.get("update") or {}).items():
            if self.refuse_set or key not in self.mails:
                refused["notUpdated"][key] = self.refuse_set or {"type": "notFound"}
                continue
            self._patch(self.mails[key], patch)
        for key in args.get("destroy") or []:
            if self.refuse_set or key not in self.mails:
                refused["notDestroyed"][key] = self.refuse_set or {"type": "notFound"}
                continue
            self.remove(key)
        self.tell()
        return {"accountId": ACCOUNT, "oldState": old, "newState": str(self.state), **refused}

    def _patch(self, mail: Mail, patch: dict[str, Any]) -> None:
        for path, value in patch.items():
            kind, _, name = path.partition("/")
            things = mail.keywords if kind == "keywords" else mail.folders
            (things.add if value else things.discard)(name)
        self.state += 1
        mail.changed = self.state

    async def _download(self, request: web.Request) -> web.Response:
        self.downloads += 1
        for mail in self.mails.values():
            if mail.blob == request.match_info["blob"]:
                return web.Response(body=mail.body, content_type=request.query["accept"])
        return web.Response(status=404)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self.push_status != 200:
            return web.Response(status=self.push_status)
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.listeners.add(queue)
        await answer.write(b": welcome\r\n\r\n")
        try:
            while said := await queue.get():
                await answer.write(said)
        finally:
            self.listeners.discard(queue)
        return answer
