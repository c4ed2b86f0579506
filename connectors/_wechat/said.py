"""What a customer said in a callback → Message: the types that 公众号, 小程序 and 企业微信 have in common.

"接收普通消息", "接收事件推送"; 小程序 "接收消息和事件"; 企业微信 "消息格式", "事件格式".
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Message, Raw, Ref, Role
from allears_sdk.signing import sha256_hex
from connectors._wechat.fields import Fields, read

MEDIA_LIFE = timedelta(days=3)
OUT_OF_REACH = "the file is still at the platform: fetching it needs the app's secret in the settings"
_TYPES = {"image": "image/jpeg", "voice": "audio/amr", "video": "video/mp4", "shortvideo": "video/mp4"}
_EVENT_KEY = ("FromUserName", "CreateTime", "Event", "EventKey", "MsgID", "ChangeType", "UserID")
_NOISE = frozenset({"location", "view", "view_miniprogram", "masssendjobfinish", "templatesendjobfinish"})
_LATEST = 253_402_300_799
_GREETING = re.compile(
    r"(?:你好|您好|在吗|在不在|有人吗|哈[喽啰罗]|嗨|(?:早上|上午|中午|下午|晚上)好|早安|晚安|亲|客服|人工|请问|谢谢|多谢|好的|嗯|哦|[呀啊哦呢吧哈嘛]"
    r"|hi|hello|hey|thanks?|thankyou|ok|okay|goodmorning|goodafternoon|goodevening)*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What the channel can ask the platform for: with the app's secret, files and profiles."""

    files: bool
    profile: bool = False


def key_of(fields: Fields, body: bytes) -> str:
    """What tells one callback from another; a redelivery has the same. Events have no id of their own."""
    if message := fields.word("MsgId"):
        return message
    if fields.word("MsgType") == "event" and fields.word("FromUserName") and fields.word("CreateTime"):
        parts = [*map(fields.word, _EVENT_KEY), fields.inner("result").word("comment_id")]
        return "event:" + ":".join(parts).rstrip(":")
    return f"sha256:{sha256_hex(body)}"


def is_noise(fields: Fields) -> bool:
    """Where a phone is, which page it shows, how our own mass message went: answered, not stored."""
    return fields.word("MsgType") == "event" and fields.word("Event").lower() in _NOISE


def speaker_of(fields: Fields) -> str:
    """Who says something a person could mean as a complaint; "" for events."""
    return "" if fields.word("MsgType") in ("", "event") else fields.word("FromUserName")


def thread_of(fields: Fields) -> str:
    """The chat that a callback goes on with, so that its answer can carry the reference; "" for events and for
    somebody who only calls: nobody is to get a number for "hello", but for what follows."""
    is_call = fields.word("MsgType") == "text" and is_greeting(fields.text("Content"))
    return "" if is_call else speaker_of(fields)


def is_greeting(said: str) -> bool:
    folded = unicodedata.normalize("NFKC", said[:200]).lower()
    return _GREETING.fullmatch("".join(letter for letter in folded if letter.isalnum())) is not None


def read_raw(raw: Raw) -> Fields:
    """Raises BadMessage."""
    try:
        return read(raw.body)
    except ValueError as error:
        raise BadMessage(f"callback {raw.key}: {error}") from None


def read_message(raw: Raw, fields: Fields, reach: Reach) -> Message:
    """Raises BadMessage for what has neither a sender nor a type."""
    sender, kind = fields.word("FromUserName"), fields.word("MsgType")
    if not sender or not kind:
        raise BadMessage(f"callback {raw.key}: neither sender nor type")
    if kind == "event":
        return _event(raw, fields, sender)
    profile = Ref(locator={"user": sender}) if reach.profile else None
    return Message(
        text=_text(kind, fields),
        external_id=raw.key,
        thread=(sender,),
        author=Author(id=sender, profile=profile),
        posted_at=moment(fields.word("CreateTime")),
        attachments=_attachments(kind, fields, raw.received_at, reach),
    )


def _event(raw: Raw, fields: Fields, sender: str) -> Message:
    """Something a customer did, not said: the platform tells it, as context in the chat it falls into."""
    event = fields.word("Event")
    told = (event, fields.word("EventKey"), fields.text("SessionFrom").strip())
    return Message(
        text=" ".join(part for part in told if part),
        external_id=raw.key,
        thread=(sender,),
        author=Author(role=Role.BOT),
        posted_at=moment(fields.word("CreateTime")),
        is_automatic=True,
        automatic_reason=f"event {event}",
    )


def moment(seconds: str) -> datetime | None:
    """Unix seconds; none for what is no time."""
    if not (seconds.isascii() and seconds.isdecimal() and len(seconds) <= 12 and 0 < int(seconds) <= _LATEST):
        return None
    return datetime.fromtimestamp(int(seconds), UTC)


def _text(kind: str, fields: Fields) -> str:
    match kind:
        case "text":
            return fields.text("Content")
        case "voice":
            return fields.text("Recognition")
        case "image" | "video" | "shortvideo":
            return ""
        case "location":
            place = f"({fields.word('Location_X')}, {fields.word('Location_Y')})"
            return " ".join(part for part in ("[位置]", fields.text("Label").strip(), place) if part)
        case "link":
            return _lines("[链接]", fields, "Title", "Description", "Url")
        case "miniprogrampage":
            return _lines("[小程序]", fields, "Title", "PagePath")
    return _lines(f"[{kind}]", fields, "Title", "Content", "Description", "Url")


def _lines(head: str, fields: Fields, *names: str) -> str:
    told = [text for name in names if (text := fields.text(name).strip())]
    return "\n".join([f"{head} {told[0]}", *told[1:]]) if told else head


def _attachments(kind: str, fields: Fields, received_at: datetime, reach: Reach) -> tuple[Attachment, ...]:
    media, picture = fields.word("MediaId"), fields.word("PicUrl")
    if not media and not picture:
        return ()
    locator = {name: value for name, value in (("media_id", media), ("url", picture)) if value}
    before = (moment(fields.word("CreateTime")) or received_at) + MEDIA_LIFE
    is_within_reach = reach.files or bool(picture)
    file = Attachment(
        name=fields.word("FileName") or fields.word("Title") if kind == "file" else "",
        title=kind,
        media_type=_media_type(kind, fields),
        ref=Ref(locator=locator, fetch_before=before) if is_within_reach else None,
        skipped="" if is_within_reach else OUT_OF_REACH,
    )
    return (file,)


def _media_type(kind: str, fields: Fields) -> str:
    if kind == "voice" and (form := fields.word("Format").lower()) and form != "amr":
        return f"audio/{form}"
    return _TYPES.get(kind, "application/octet-stream")
