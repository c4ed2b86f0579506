"""What is asked for after a message: files, names, merged messages; and our answer to it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from allears_sdk.codec import decode, encode
from allears_sdk.connector import Address, Identity, Media, Words
from allears_sdk.errors import AllearsError, InDoubt, Rejected, Void
from allears_sdk.feishu import Told
from allears_sdk.message import Author, Ref
from connectors.feishu.api import FeishuApi
from connectors.feishu.codes import TOO_LATE
from connectors.feishu.content import Frame, read_content
from connectors.feishu.parse import read_moment

_MAX_UUID = 50


async def find_self(api: FeishuApi) -> Identity:
    """Raises AuthError, ConfigError."""
    bot = (await api.whole("/open-apis/bot/v3/info")).get("bot")
    found = bot if isinstance(bot, dict) else {}
    details = [f"bot_open_id {found.get('open_id', 'unknown')}", await _describe_groups(api)]
    name = str(found.get("app_name") or api.settings.app_id)
    return Identity(account=f"{name} ({api.settings.app_id})", details=tuple(details))


async def _describe_groups(api: FeishuApi) -> Words:
    try:
        page = await api.get("/open-apis/im/v1/chats", page_size=100)
    except AllearsError as error:
        return Words(f"groups cannot be read back: {error}", zh=f"群消息无法补读：{error}")
    items = page.get("items")
    count = len(items) if isinstance(items, list) else 0
    if page.get("has_more"):
        return Words(f"in {count} or more groups", zh=f"在至少 {count} 个群里")
    return Words(f"in {count} groups", zh=f"在 {count} 个群里")


async def fetch(api: FeishuApi, ref: Ref) -> Media | Author:
    """Raises Rejected and as `FeishuApi`."""
    locator = ref.locator
    if "user" in locator:
        return await _profile(api, str(locator["user"]))
    if "merged" in locator:
        return await _merged(api, str(locator["merged"]))
    message, key, type_ = (quote(str(locator[name]), safe="") for name in ("message", "key", "type"))
    path = f"/open-apis/im/v1/messages/{message}/resources/{key}"
    response = await api.download(path, type=type_, max_bytes=max(api.settings.max_attachment_bytes, 1))
    media_type = response.header("content-type").partition(";")[0].strip().lower()
    return Media(content=response.content, media_type=media_type or "application/octet-stream")


async def _profile(api: FeishuApi, user: str) -> Author:
    path = f"/open-apis/contact/v3/users/{quote(user, safe='')}"
    found = (await api.get(path, user_id_type="open_id")).get("user")
    if not isinstance(found, dict):
        raise Rejected("Feishu tells nothing of this person")
    email = _string(found, "enterprise_email") or _string(found, "email")
    return Author(
        id=user,
        name=_string(found, "name") or _string(found, "en_name"),
        email=email.lower(),
        phone=_string(found, "mobile"),
    )


async def _merged(api: FeishuApi, message: str) -> Media:
    """The messages that were forwarded together, a line each; their files are not handed out (code 234043)."""
    items = (await api.get(f"/open-apis/im/v1/messages/{quote(message, safe='')}")).get("items")
    inner = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    lines = [_line(item, api) for item in inner if item.get("message_id") != message]
    return Media(content="\n".join(lines).encode(), media_type="text/plain")


def _line(item: dict[str, Any], api: FeishuApi) -> str:
    body = item.get("body")
    content = body.get("content") if isinstance(body, dict) else None
    try:
        fields = decode(str(content or "{}"), dict[str, Any])
    except ValueError:
        fields = {}
    mentions = item.get("mentions")
    names = {one["key"]: f"@{one.get('name', '')}" for one in mentions or () if isinstance(one, dict) and "key" in one}
    frame = Frame(message_id="", mentions=names, is_chinese=api.settings.is_chinese)
    read = read_content(str(item.get("msg_type", "")), fields, frame)
    words = " ".join([read.text, *(one.shown_name for one in read.attachments)]).strip()
    sender = item.get("sender")
    who = sender.get("id", "") if isinstance(sender, dict) else ""
    return f"{' '.join(filter(None, (_time(item.get('create_time')), who)))}: {words}".rstrip()


def _time(value: Any) -> str:
    moment = read_moment(value)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""


async def reply(api: FeishuApi, address: Address, text: str, key: str) -> None:
    """Raises Void, Rejected, InDoubt. Of requests with one `uuid` Feishu sends one within an hour ("Reply to a
    message"): where an answer was lost, asking again at once is safe, and later is not."""
    path = f"/open-apis/im/v1/messages/{quote(address.message, safe='')}/reply"
    body = {"msg_type": "text", "content": encode({"text": text}).decode(), "uuid": key[-_MAX_UUID:]}
    try:
        try:
            await api.post(path, body, repeatable=False)
        except InDoubt:
            await _ask_again(api, path, body)
    except Told as error:
        if error.code in TOO_LATE:
            raise Void(str(error), detail=error.detail) from None
        raise


async def _ask_again(api: FeishuApi, path: str, body: dict[str, str]) -> None:
    try:
        await api.post(path, body, repeatable=True)
    except AllearsError as error:
        raise InDoubt(f"the answer was lost, and asking again: {error}") from None


def _string(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""
