"""What is said in the answer to a callback itself: the reference, or that the platform's own agents take over.

"被动回复用户消息"; "将消息转发到客服"; 小程序 "转发客服消息"; 企业微信 "被动回复消息格式".
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from allears_sdk.codec import encode
from allears_sdk.connector import Accepted, Answer
from allears_sdk.message import Raw
from allears_sdk.settings import Settings
from allears_sdk.signing import sha256_hex
from connectors._wechat.callback import Door
from connectors._wechat.fields import Fields, write_xml
from connectors._wechat.said import speaker_of

_XML = "text/xml; charset=utf-8"
_JSON = "application/json"
_TEXTS = {
    "zh": "已收到，编号：{reference}。工作人员会尽快查看；如需补充，请直接在此发送。",
    "en": "We have received your message. Its reference is {reference}. To add anything, simply write here.",
}
_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]{2}")


class PassiveReplySettings(Settings):
    """The reference, told in the answer to the message that opens a conversation."""

    enabled: bool = Field(default=True, description="False keeps the settings but answers nobody.")
    language: Literal["auto", "zh", "en"] = Field(
        default="auto", description='Which text is sent; "auto": English to who writes in Latin letters only.'
    )
    text_zh: str = Field(
        default="", max_length=600, description="Chinese text; {reference} is filled in. Empty: a built-in one."
    )
    text_en: str = Field(
        default="", max_length=600, description="English text; {reference} is filled in. Empty: a built-in one."
    )

    @field_validator("text_zh", "text_en")
    @classmethod
    def _has_reference(cls, text: str) -> str:
        if text and "{reference}" not in text:
            raise ValueError("the text does not say the {reference}")
        return text

    def words(self, said: str, reference: str) -> str:
        language = self.language if self.language != "auto" else language_of(said)
        own = self.text_zh if language == "zh" else self.text_en
        return (own or _TEXTS[language]).replace("{reference}", reference)


def language_of(said: str) -> Literal["zh", "en"]:
    return "en" if _LATIN.search(said) and not _HAN.search(said) else "zh"


def reply(door: Door, settings: PassiveReplySettings, fields: Fields, raw: Raw, accepted: Accepted) -> Answer | None:
    """The reference, to whoever has just opened a conversation; None for all others: a raw without a thread (an
    event, a greeting) opens none."""
    if not (settings.enabled and accepted.opened and accepted.reference):
        return None
    words = settings.words(fields.text("Content") or fields.text("Recognition"), accepted.reference)
    return _answer(door, fields, raw, {"MsgType": "text", "Content": words})


def hand_over(door: Door, fields: Fields, raw: Raw) -> Answer | None:
    """The platform shows the message to its own agents as well; None for events, which say nothing to them."""
    if not speaker_of(fields):
        return None
    return _answer(door, fields, raw, {"MsgType": "transfer_customer_service"})


def _answer(door: Door, fields: Fields, raw: Raw, what: dict[str, str]) -> Answer:
    """Nothing in it depends on when it is made: a redelivery gets the very same bytes."""
    created = fields.word("CreateTime")
    at = int(created) if created.isascii() and created.isdecimal() else int(raw.received_at.timestamp())
    to, ours = fields.word("FromUserName"), fields.word("ToUserName")
    values: dict[str, str | int] = {"ToUserName": to, "FromUserName": ours, "CreateTime": at, **what}
    is_json = raw.media_type == _JSON
    nonce = str(int(sha256_hex(raw.key)[:8], 16))
    body = door.seal(encode(values) if is_json else write_xml(values), nonce=nonce, timestamp=at)
    return Answer(body=body, media_type=_JSON if is_json else _XML)
