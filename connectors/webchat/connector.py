"""The chat on its public path: widget, demo page, and what is sent to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from allears_sdk.codec import convert, encode, encode_stable, plain
from allears_sdk.connector import (
    Accepted,
    Answer,
    Connector,
    ConnectorSpec,
    Hears,
    Identity,
    Reception,
    Request,
    Threading,
    Words,
)
from allears_sdk.context import Context
from allears_sdk.message import Message, Raw
from allears_sdk.signing import sha256_hex
from connectors._web.language import choose
from connectors._web.origins import address_of, cors
from connectors._web.problem import problem, refuse
from connectors.webchat import protocol
from connectors.webchat.door import Caller, Door, Refused
from connectors.webchat.page import Pages
from connectors.webchat.parse import parse
from connectors.webchat.protocol import FILE, MESSAGE, TRANSCRIPT, Post, Topic, Transcript
from connectors.webchat.settings import MAX_FILE_BYTES, WebchatSettings

_ALLOWED = "GET, HEAD, POST, PUT, OPTIONS"
_HEADERS = "Authorization, Content-Type, X-User, X-User-Signature"
_MAX_BYTES = {"/messages": protocol.MAX_MESSAGE_BYTES, "/transcripts": protocol.MAX_TRANSCRIPT_BYTES}
_LARGE_BYTES = 64 << 10
"""From here on a body is read in a thread."""
_ID = re.compile(protocol.ID)
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,100}", re.ASCII)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


class WebchatConnector(Connector[WebchatSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="webchat",
        title_en="Web chat",
        title_zh="网页聊天",
        hears=frozenset({Hears.RECEIVE}),
        threading=Threading.CHAT,
        answer_within_seconds=15.0,
        max_body_bytes=MAX_FILE_BYTES,
        verified="headless Chromium: desktop, phone, dark pages, strict policies",
        verified_zh="无界面 Chromium：桌面、手机、深色页面、严格的安全策略",
    )
    Settings = WebchatSettings

    def __init__(self, settings: WebchatSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._door = Door(settings)
        self._pages = Pages(settings, context.name)
        self._has_warned = False

    async def check(self) -> Identity:
        settings = self.settings
        details = []
        if settings.visitors:
            own, own_zh = "nowhere: set allowed_origins", "无处：请设置 allowed_origins"
            if settings.demo_page:
                own, own_zh = "its own page", "它自己的页面"
            origins = ", ".join(settings.allowed_origins)
            details.append(Words(f"visitors write from {origins or own}", zh=f"访客来自 {origins or own_zh}"))
        if settings.api_key or settings.signing_secret:
            details.append(Words("programs write with a key", zh="程序凭密钥写入"))
        return Identity(account=settings.public_address or f"/in/{self.context.name}", details=tuple(details))

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return parse(raw)

    async def receive(self, request: Request) -> Reception:
        if request.method in ("GET", "HEAD"):
            return _say(await self._get(request))
        if request.method == "OPTIONS":
            return _say(Answer(status=204, headers={"Allow": _ALLOWED, **self._cors(request)}))
        try:
            _check_body(request)
            if request.method == "POST" and len(request.body) > _LARGE_BYTES:
                return await self.context.blocking(self._take, request)
            return self._take(request)
        except Refused as error:
            return refuse(error.status, error.detail, self._cors(request))

    def _take(self, request: Request) -> Reception:
        """Raises Refused."""
        caller = self._door.admit(request)
        if caller.is_disbelieved:
            self._warn()
        if request.method == "PUT" and request.path.startswith("/files/"):
            return self._file(request, caller)
        if request.method == "POST" and request.path == "/messages":
            return self._message(request, caller)
        if request.method == "POST" and request.path == "/transcripts":
            return self._transcript(request, caller)
        raise Refused(404, "POST /messages, POST /transcripts or PUT /files/ID")

    def _message(self, request: Request, caller: Caller) -> Reception:
        post = _read(request.body, Post)
        self._check(post, caller)
        thread = _thread(caller, post)
        raw = _raw(request, caller, post, key=f"{thread}:{post.id}", thread=thread, media_type=MESSAGE)
        return Reception(raws=(raw,), answer=self._answer(request, {"id": post.id}, caller))

    def _check(self, post: Post, caller: Caller) -> None:
        if not caller.is_program and (post.role != "customer" or post.visitor):
            raise Refused(403, "only programs with a key may say who speaks")
        if not (post.text.strip() or any(plain(post.contact).values()) or post.withdrawn):
            raise Refused(400, "the message is empty")
        if len(post.text) > self.settings.max_text_chars:
            limit = self.settings.max_text_chars
            raise Refused(400, f"`text` has {len(post.text)} characters; at most {limit} are taken")

    def _transcript(self, request: Request, caller: Caller) -> Reception:
        if not caller.is_program:
            raise Refused(403, "only programs with a key may hand over a transcript")
        transcript = _read(request.body, Transcript)
        thread = _thread(caller, transcript)
        raw = _raw(request, caller, transcript, key=f"transcript:{thread}", thread=thread, media_type=TRANSCRIPT)
        return Reception(raws=(raw,), answer=self._answer(request, {}, caller))

    def _file(self, request: Request, caller: Caller) -> Reception:
        file = request.path.removeprefix("/files/")
        topic = Topic(conversation=request.parameter("conversation"), visitor=request.parameter("visitor")[:300])
        message = request.parameter("message")
        if not all(_ID.match(one) for one in (file, topic.conversation or "-", message or "-")):
            raise Refused(400, "ids have 1 to 100 letters, digits and . _ ~ -")
        if topic.visitor and not caller.is_program:
            raise Refused(403, "only programs with a key may say who speaks")
        self._check_size(request.body)
        thread = _thread(caller, topic)
        raw = Raw(
            key=f"file:{thread}:{file}",
            body=request.body,
            media_type=FILE,
            received_at=request.received_at,
            thread=thread,
            context={**_context(caller, thread, topic.visitor), **_facts(request, message)},
        )
        return Reception(raws=(raw,), answer=self._answer(request, {"id": file}, caller))

    def _check_size(self, content: bytes) -> None:
        limit = self.settings.max_file_bytes
        if not limit:
            raise Refused(403, "no files are taken here")
        if not content:
            raise Refused(400, "the file is empty")
        if len(content) > limit:
            raise Refused(413, f"the file has {len(content)} bytes; at most {limit} are taken")

    def _answer(
        self, request: Request, names: Mapping[str, str], caller: Caller
    ) -> Callable[[Sequence[Accepted]], Answer]:
        """Says nothing of what is new: a redelivery is answered word for word."""
        headers = self._cors(request)
        doubt = {"user": "not verified"} if caller.is_disbelieved else {}

        def answer(accepted: Sequence[Accepted]) -> Answer:
            body = encode({**names, "reference": accepted[0].reference, **doubt})
            return Answer(body=body, media_type="application/json", headers=headers)

        return answer

    async def _get(self, request: Request) -> Answer:
        if request.path == "/widget.js":
            script = await self.context.blocking(self._pages.widget)
            return self._pages.fresh(script, request.header("if-none-match"), request.header("accept-encoding"))
        if not self.settings.demo_page:
            return problem(404, "there is no such page")
        if request.path == "/":  # links on the page are relative to the address without the slash
            return Answer(status=308, headers={"Location": f"../{self._pages.folder}"})
        if request.path in ("/demo.css", "/demo.js"):
            return await self.context.blocking(self._pages.asset, request.path[1:])
        if request.path:
            return problem(404, "there is no such page")
        address = address_of(request, self.context.name, self.settings.public_address)
        language = choose(request.parameter("lang"), request.header("accept-language"), self.settings.language)
        return await self.context.blocking(self._pages.demo, language, address)

    def _cors(self, request: Request) -> dict[str, str]:
        return cors(request, self.settings.allowed_origins, methods="POST, PUT", headers=_HEADERS)

    def _warn(self) -> None:
        if not self._has_warned:
            advice = "sign the user's id with identity_secret on your server; until then users count as strangers"
            self.context.log.warning("user_not_verified", advice=advice)
        self._has_warned = True


def _say(answer: Answer) -> Reception:
    return Reception(answer=lambda accepted: answer)


def _check_body(request: Request) -> None:
    """Before its signature: a stranger's large body costs nothing."""
    limit = _MAX_BYTES.get(request.path, MAX_FILE_BYTES)
    if len(request.body) > limit:
        raise Refused(413, f"the body has {len(request.body)} bytes; at most {limit} are taken")


def _read(body: bytes, kind: type[protocol.T]) -> protocol.T:
    try:
        return protocol.read(body, kind)
    except ValueError as error:
        raise Refused(400, str(error)) from None


def _raw(request: Request, caller: Caller, said: Post | Transcript, *, key: str, thread: str, media_type: str) -> Raw:
    return Raw(
        key=key,
        body=request.body,
        media_type=media_type,
        received_at=request.received_at,
        digest=sha256_hex(encode_stable(plain(said))),
        thread=thread,
        context=_context(caller, thread, said.visitor),
    )


def _thread(caller: Caller, topic: Topic) -> str:
    """A visitor's conversations are out of reach for everybody without that visitor's token."""
    if not caller.is_program:
        return f"visitor:{caller.visitor}:{topic.conversation}"
    if not (topic.conversation or topic.visitor):
        raise Refused(400, "say which `conversation`, or whose (`visitor`)")
    return f"program:{topic.conversation or sha256_hex(topic.visitor)[:32]}"


def _context(caller: Caller, thread: str, visitor: str) -> dict[str, str]:
    user = visitor if caller.is_program else caller.user
    known = {"visitor": caller.visitor, "user": user}
    return {"thread": thread, **{name: value for name, value in known.items() if value}}


def _facts(request: Request, message: str) -> dict[str, str]:
    """Of a file: what it is called and claims to be."""
    name = _UNPRINTABLE.sub("", request.parameter("name").replace("\\", "/").rpartition("/")[2]).strip()
    media_type = request.header("content-type").partition(";")[0].strip().lower()
    facts = {
        "name": name[-200:],
        "media_type": media_type if _MEDIA_TYPE.fullmatch(media_type) else "",
        "message": message,
        "said_at": _moment(request.parameter("said_at")),
    }
    return {key: value for key, value in facts.items() if value}


def _moment(text: str) -> str:
    try:
        return convert(text, protocol.Moment).isoformat() if text else ""
    except ValueError as error:
        raise Refused(400, f"said_at: {error}") from None
