"""What a message of each type says (page "Structure of received message content"). Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from allears_sdk.message import Attachment, Ref

_MENTION = re.compile(r"@_user_\d+|@_all")
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    text: str = ""
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What content is read in."""

    message_id: str
    mentions: Mapping[str, str]
    """Names by placeholder: `@_user_1`."""
    is_chinese: bool

    def say(self, chinese: str, english: str, *details: object) -> str:
        """What stands for something that is not text."""
        words = " ".join(str(detail) for detail in details if detail not in ("", None))
        return f"[{chinese if self.is_chinese else english}] {words}".rstrip()

    def named(self, text: str) -> str:
        """With people's names in the place of their numbers."""
        return _MENTION.sub(lambda found: self.mentions.get(found[0], found[0]), text)

    def file(self, key: Any, type_: str, name: str = "", title: str = "") -> Attachment:
        """`type_`: how the message's resources are asked for, `image` or `file`."""
        locator = {"message": self.message_id, "key": str(key), "type": type_}
        return Attachment(name=name, title=title, ref=Ref(locator=locator))


Fields = Mapping[str, Any]
Reader = Callable[[Fields, Frame], Content]


def read_content(kind: str, fields: Fields, frame: Frame) -> Content:
    """A type that nobody knows is named: the raw has the rest."""
    reader = _READERS.get(kind)
    return reader(fields, frame) if reader else Content(text=frame.say("消息", "message", kind))


def _text(fields: Fields, frame: Frame) -> Content:
    return Content(text=frame.named(str(fields.get("text", ""))))


def _post(fields: Fields, frame: Frame) -> Content:
    """Paragraphs of elements; in what people send the language layer is gone already."""
    if "content" not in fields:
        fields = next((inner for inner in fields.values() if isinstance(inner, dict)), fields)
    lines = [str(fields.get("title", ""))]
    attachments: list[Attachment] = []
    paragraphs = _lists(fields.get("content"))
    lines += ["".join(_element(element, frame, attachments) for element in paragraph) for paragraph in paragraphs]
    text = "\n".join(line for line in lines if line.strip())
    return Content(text=text, attachments=tuple(attachments))


def _element(element: Fields, frame: Frame, attachments: list[Attachment]) -> str:
    tag = element.get("tag")
    if tag == "img":
        attachments.append(frame.file(element.get("image_key"), "image", title=frame.say("图片", "picture")))
        return ""
    if tag == "media":
        attachments.append(frame.file(element.get("file_key"), "file", title=frame.say("视频", "video")))
        return ""
    if tag == "at":
        number = str(element.get("user_id", ""))
        return frame.mentions.get(number) or f"@{element.get('user_name') or number}"
    if tag == "a":
        return _link(str(element.get("text", "")), str(element.get("href", "")))
    if tag == "emotion":
        return f"[{element.get('emoji_type', '')}]"
    return frame.named(str(element.get("text", "")))


def _link(text: str, target: str) -> str:
    return text if not target or text == target else f"{text} ({target})"


def _image(fields: Fields, frame: Frame) -> Content:
    return Content(attachments=(frame.file(fields.get("image_key"), "image", title=frame.say("图片", "picture")),))


def _file(chinese: str, english: str) -> Reader:
    def read(fields: Fields, frame: Frame) -> Content:
        title = frame.say(chinese, english)
        return Content(
            attachments=(frame.file(fields.get("file_key"), "file", str(fields.get("file_name", "")), title),)
        )

    return read


def _folder(fields: Fields, frame: Frame) -> Content:
    name = str(fields.get("file_name", ""))
    lost = Attachment(name=name, title=frame.say("文件夹", "folder"), skipped="Feishu hands out no folders")
    return Content(text=frame.say("文件夹", "folder", name), attachments=(lost,))


def _location(fields: Fields, frame: Frame) -> Content:
    place = [str(fields[name]) for name in ("latitude", "longitude") if fields.get(name)]
    return Content(text=frame.say("位置", "location", fields.get("name", ""), ", ".join(place)))


def _card(fields: Fields, frame: Frame) -> Content:
    words = [str(fields.get("title") or ""), *_words(fields.get("elements"), frame, 0)]
    text = "\n".join(word for word in words if word.strip())
    return Content(text=text or frame.say("卡片", "card"))


def _words(value: Any, frame: Frame, depth: int) -> Iterator[str]:
    """What can be read in a card, whose structure is not documented to the end."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value:
            yield from _words(item, frame, depth + 1)
    elif isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield _link(frame.named(value["text"]), str(value.get("href", "")))
        yield from _words(value.get("elements"), frame, depth + 1)


def _merged(fields: Fields, frame: Frame) -> Content:
    """The messages inside have to be asked for; they come as one text."""
    name = "转发的聊天记录.txt" if frame.is_chinese else "forwarded messages.txt"
    ref = Ref(locator={"merged": frame.message_id})
    text = frame.say("转发的聊天记录", "forwarded messages")
    return Content(text=text, attachments=(Attachment(name=name, media_type="text/plain", ref=ref),))


def _labelled(chinese: str, english: str, *names: str) -> Reader:
    return lambda fields, frame: Content(text=frame.say(chinese, english, *(fields.get(name, "") for name in names)))


def _vote(fields: Fields, frame: Frame) -> Content:
    options = fields.get("options")
    choices = " / ".join(map(str, options)) if isinstance(options, list) else ""
    return Content(text=frame.say("投票", "vote", fields.get("topic", ""), choices))


def _todo(fields: Fields, frame: Frame) -> Content:
    summary = fields.get("summary")
    text = _post(summary, frame).text if isinstance(summary, dict) else ""
    return Content(text=frame.say("任务", "task", text))


def _lists(value: Any) -> Iterator[list[Fields]]:
    for paragraph in value if isinstance(value, list) else ():
        yield [element for element in paragraph if isinstance(element, dict)] if isinstance(paragraph, list) else []


_CALENDAR = _labelled("日程", "event", "summary")
_READERS: Mapping[str, Reader] = {
    "text": _text,
    "post": _post,
    "image": _image,
    "file": _file("文件", "file"),
    "audio": _file("语音", "voice message"),
    "media": _file("视频", "video"),
    "folder": _folder,
    "sticker": _labelled("表情", "sticker"),
    "interactive": _card,
    "location": _location,
    "share_chat": _labelled("群名片", "group card", "chat_id"),
    "share_user": _labelled("个人名片", "contact card", "user_id"),
    "share_calendar_event": _CALENDAR,
    "calendar": _CALENDAR,
    "general_calendar": _CALENDAR,
    "hongbao": _labelled("红包", "red packet"),
    "video_chat": _labelled("视频通话", "video call", "topic"),
    "todo": _todo,
    "vote": _vote,
    "merge_forward": _merged,
    "system": _labelled("系统消息", "system message"),
}
