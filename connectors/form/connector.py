"""The form on its public path: page, QR code, poster, and what is posted to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

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
from allears_sdk.message import FORM_DATA, MESSAGE_JSON, Message, Raw
from connectors._web.language import Language, choose
from connectors._web.origins import address_of, cors
from connectors._web.problem import problem, refuse
from connectors._web.templates import templates
from connectors.form import page, submission, twin
from connectors.form.parse import parse
from connectors.form.settings import FormSettings
from connectors.form.submission import Fault, Submission

_ALLOWED = "GET, HEAD, POST, OPTIONS"
_LARGE_BYTES = 256 << 10
"""From here on a body is looked through in a thread."""


class FormConnector(Connector[FormSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="form",
        title_en="Complaint form",
        title_zh="投诉表单",
        hears=frozenset({Hears.RECEIVE}),
        threading=Threading.ITEM,
        answer_within_seconds=15.0,
        max_body_bytes=page.MAX_BODY_BYTES,
        verified="headless Chromium, with and without JavaScript",
        verified_zh="无界面 Chromium，启用和禁用 JavaScript",
    )
    Settings = FormSettings

    def __init__(self, settings: FormSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._pages = page.Pages(settings, context.name)
        token = settings.token.get_secret_value() if settings.token else ""
        self._token = f"Bearer {token}".encode() if token else b""
        has_zone = "timezone" in settings.model_fields_set
        self._has_templates = False
        self._json_context = {"timezone": settings.timezone} if has_zone else {}
        self._gets: dict[str, Callable[[Request], Awaitable[Answer]]] = {
            "": self._form,
            "/poster": self._poster,
            "/qr.svg": self._qr_code,
            "/form.css": self._asset,
            "/form.js": self._asset,
        }

    async def check(self) -> Identity:
        address = self.settings.public_address or f"/in/{self.context.name}"
        posts = Words("JSON posts are open", zh="JSON 接口对所有人开放")
        if self._token:
            posts = Words("JSON posts need the token", zh="JSON 接口需要令牌")
        return Identity(account=address, details=(posts,))

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return (parse(raw),)

    async def receive(self, request: Request) -> Reception:
        if request.method == "POST" and request.path in ("", "/"):
            return await self._post(request)
        if request.method in ("GET", "HEAD"):
            return _say(await self._get(request))
        if request.method == "OPTIONS":
            return _say(Answer(status=204, headers={"Allow": _ALLOWED, **self._cors(request)}))
        return refuse(405, f"allowed here: {_ALLOWED}", {"Allow": _ALLOWED})

    async def _post(self, request: Request) -> Reception:
        content_type = request.header("content-type")
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type in ("application/json", MESSAGE_JSON):
            return twin.receive(
                request,
                token=self._token,
                max_text_chars=self.settings.max_text_chars,
                context=self._json_context,
                cors=self._cors(request) if self.settings.allowed_origins else {},
            )
        if media_type in (FORM_DATA, submission.URLENCODED):
            return await self._submitted(request, content_type)
        return refuse(415, f"send application/json, {FORM_DATA} or {submission.URLENCODED}", self._cors(request))

    async def _submitted(self, request: Request, content_type: str) -> Reception:
        sent = await self._read(content_type, request.body)
        language = self._language(request)
        faults = submission.check(sent, max_text_chars=self.settings.max_text_chars, max_files=self.settings.max_files)
        if faults:
            return await self._turn_back(request, sent, faults, language)
        await self._ready()
        key = f"form:{sent.id or sent.digest}"
        raw = Raw(
            key=key,
            body=request.body,
            media_type=content_type,
            received_at=request.received_at,
            digest=sent.digest,
            thread=key,
            context={"page_language": language} | ({"honeypot": True} if sent.is_trapped else {}),
        )
        return Reception(raws=(raw,), answer=self._thanks(request, language))

    async def _read(self, content_type: str, body: bytes) -> Submission:
        if len(body) < _LARGE_BYTES:
            return submission.read(content_type, body)
        return await self.context.blocking(submission.read, content_type, body)

    async def _turn_back(self, request: Request, sent: Submission, faults: Sequence[Fault], language: str) -> Reception:
        """Nothing typed is lost: the page comes back as it was filled in, with what to mend."""
        if _wants_json(request):
            return refuse(400, " ".join(page.explain(fault, "en") for fault in faults), self._cors(request))
        await self._ready()
        values = {name: sent.fields.get(name, "") for name in submission.FIELDS} | {"submission": sent.id}
        back = self._pages.form(language, values=values, faults=faults, status=400)
        return Reception(refused=faults[0].code, answer=lambda accepted: back)

    def _thanks(self, request: Request, language: str) -> Callable[[Sequence[Accepted]], Answer]:
        if _wants_json(request):
            cors = self._cors(request)
            return lambda accepted: twin.answer(accepted, cors)
        return lambda accepted: self._pages.thanks(language, accepted[0].reference)

    async def _get(self, request: Request) -> Answer:
        if request.path == "/":  # links on the page are relative to the address without the slash
            return Answer(status=308, headers={"Location": f"../{quote(self.context.name)}"})
        handler = self._gets.get(request.path)
        return await handler(request) if handler else problem(404, "there is no such page")

    async def _form(self, request: Request) -> Answer:
        await self._ready()
        return self._pages.form(self._language(request))

    async def _poster(self, request: Request) -> Answer:
        await self._ready()
        return self._pages.poster(self._language(request), self._address(request))

    async def _qr_code(self, request: Request) -> Answer:
        picture = await self.context.blocking(page.qr_code, self._address(request))
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return Answer(body=picture, media_type="image/svg+xml", headers=headers)

    async def _asset(self, request: Request) -> Answer:
        return self._pages.asset(request.path.removeprefix("/"))

    async def _ready(self) -> None:
        """Templates load off the loop, before the first answer needs them."""
        if not self._has_templates:
            await self.context.blocking(templates, page.PAGES)
            self._has_templates = True

    def _language(self, request: Request) -> Language:
        return choose(request.parameter("lang"), request.header("accept-language"), self.settings.language)

    def _address(self, request: Request) -> str:
        return address_of(request, self.context.name, self.settings.public_address)

    def _cors(self, request: Request) -> dict[str, str]:
        headers = "Content-Type, Authorization, Idempotency-Key"
        return cors(request, self.settings.allowed_origins, methods="POST", headers=headers)


def _say(answer: Answer) -> Reception:
    return Reception(answer=lambda accepted: answer)


def _wants_json(request: Request) -> bool:
    accept = request.header("accept")
    return "application/json" in accept and "text/html" not in accept
