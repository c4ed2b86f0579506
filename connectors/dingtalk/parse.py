"""What a robot was told → Message (pages "Robots receive messages", "Message types"). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Message, Raw, Ref, Role
from connectors.dingtalk.notice import moment
from connectors.dingtalk.settings import DingTalkSettings

Fields = Mapping[str, Any]
_TITLES = {"picture": "[图片]", "audio": "[语音]", "video": "[视频]", "file": "[文件]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Where the files of a message are."""

    robot: str
    until: datetime

    def file(self, item: Fields, kind: str, name: str = "") -> Attachment:
        code = _string(item, "downloadCode") or _string(item, "pictureDownloadCode")
        if not code:
            return Attachment(name=name, title=_TITLES[kind], skipped="DingTalk gave no download code")
        ref = Ref(locator={"code": code, "robot": self.robot}, fetch_before=self.until)
        return Attachment(name=name, title=_TITLES[kind], ref=ref)


def parse(raw: Raw, settings: DingTalkSettings) -> Message:
    """Raises BadMessage."""
    try:
        told = decode(raw.body, dict[str, Any])
    except ValueError as error:
        raise BadMessage(f"message {raw.key}: {error}") from None
    message_id, conversation = _string(told, "msgId"), _string(told, "conversationId")
    if not message_id or not conversation:
        raise BadMessage(f"message {raw.key}: it has no msgId or conversationId")
    said_at = moment(told.get("createAt"))
    robot = settings.robot_code or _string(told, "robotCode") or settings.client_id
    shelf = Shelf(robot=robot, until=(said_at or raw.received_at) + timedelta(hours=settings.media_hours))
    text, attachments = _read(told, shelf)
    return Message(
        text=text.strip(),
        external_id=message_id,
        revision="said",
        thread=tuple(filter(None, (_string(told, "originalMsgId"), conversation))),
        author=_author(told, settings),
        posted_at=said_at,
        attachments=attachments,
    )


def _author(told: Fields, settings: DingTalkSettings) -> Author:
    """`senderStaffId` is absent for people outside the organisation; `senderId` is there for all."""
    ids = [_string(told, name) for name in ("senderStaffId", "senderId")]
    is_company = bool(settings.staff.intersection(ids))
    return Author(
        role=Role.COMPANY if is_company else Role.CUSTOMER,
        id=ids[0] or ids[1],
        name=_string(told, "senderNick"),
    )


def _read(told: Fields, shelf: Shelf) -> tuple[str, tuple[Attachment, ...]]:
    kind, content = _string(told, "msgtype"), _content(told)
    if kind == "text":
        return _string(_object(told, "text"), "content"), ()
    if kind == "richText":
        return _rich(content, shelf)
    if kind in _TITLES:
        name = _string(content, "fileName")
        return _string(content, "recognition"), (shelf.file(content, kind, name),)
    return f"[消息] {kind}", ()


def _rich(content: Fields, shelf: Shelf) -> tuple[str, tuple[Attachment, ...]]:
    parts = content.get("richText")
    items = [item for item in parts if isinstance(item, dict)] if isinstance(parts, list) else []
    files = [item for item in items if item.get("downloadCode") or item.get("pictureDownloadCode")]
    return "".join(_string(item, "text") for item in items), tuple(shelf.file(item, "picture") for item in files)


def _content(told: Fields) -> Fields:
    """An object, or one written as text."""
    content = told.get("content")
    if isinstance(content, str):
        try:
            return decode(content, dict[str, Any])
        except ValueError:
            return {}
    return content if isinstance(content, dict) else {}


def _object(value: Fields, name: str) -> Fields:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _string(value: Fields, name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""
