"""An update → Messages. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Author, Kind, Message, Raw, Role, Visibility
from connectors.telegram.content import files_of, text_of
from connectors.telegram.payload import Chat, Deleted, Origin, Post, Update, User
from connectors.telegram.place import Place
from connectors.telegram.settings import TelegramSettings

_COMMAND = re.compile(r"/start(?:@\w+)?(?:\s+\S+)?|/\w+(?:@\w+)?")
"""A button pressed rather than something said; `/start` brings along where the customer came from."""
_SUPERGROUP = "-100"


def parse(raw: Raw, settings: TelegramSettings) -> Sequence[Message]:
    """Raises BadMessage. Nothing for what is no message: pins, joins, new titles, a live location that moves."""
    try:
        update = decode(raw.body, Update)
        if update.deleted_business_messages is not None:
            return _withdrawn(update.deleted_business_messages, update.update_id)
        post = update.said or update.edited
        return () if post is None else _said(post, update, settings)
    except (ValueError, RecursionError, OverflowError, OSError) as error:  # the last two: a date that is none
        raise BadMessage(f"update {raw.key}: {error}") from None


def _said(post: Post, update: Update, settings: TelegramSettings) -> tuple[Message, ...]:
    is_edit = update.said is None
    text, files = text_of(post), files_of(post, settings.max_file_bytes)
    is_heard = post.chat.is_private or not settings.groups or post.chat.id in settings.groups
    if not (text or files) or not is_heard or (is_edit and post.location is not None):
        return ()
    place, author = Place.of(post), _author(post, settings.staff)
    is_command = bool(_COMMAND.fullmatch(text))
    message = Message(
        text=text,
        external_id=place.name,
        revision=f"{post.edit_date}-{update.update_id}" if is_edit else "",
        kind=Kind.EDITED if is_edit else Kind.SAID,
        thread=_thread(post, place, author),
        author=author,
        posted_at=post.posted_at,
        attachments=files,
        permalink=_permalink(post),
        visibility=Visibility.PUBLIC if post.chat.is_public else Visibility.PRIVATE,
        language=post.from_.language_code if post.from_ else "",
        is_automatic=is_command,
        automatic_reason=f"bot command {text.split()[0]}" if is_command else "",
    )
    return (message if post.forward_origin is None else _forwarded(message, post.forward_origin, place),)


def _forwarded(message: Message, origin: Origin, place: Place) -> Message:
    """What your own people forward is the customer's; what customers forward is their evidence, and says whose words
    those are."""
    if message.author.role is not Role.COMPANY:
        is_own = origin.id == message.author.id or not origin.name
        return message if is_own else replace(message, text=f"↪ {origin.name}:\n{message.text}".rstrip())
    original = Message(
        text=message.text,
        author=_origin_author(origin),
        posted_at=datetime.fromtimestamp(origin.date, UTC),
        attachments=message.attachments,
    )
    return replace(
        message,
        text="",
        author=replace(message.author, role=Role.CUSTOMER),
        thread=(f"{place.chat_name}/forwarded/{origin.id or origin.name}",),
        original=original,
        visibility=Visibility.PRIVATE,
        language=origin.sender_user.language_code if origin.sender_user else "",
    )


def _origin_author(origin: Origin) -> Author:
    handle = origin.sender_user.username if origin.sender_user else ""
    return Author(id=origin.id, name=origin.name, handle=f"@{handle}" if handle else "")


def _withdrawn(deleted: Deleted, update_id: int) -> tuple[Message, ...]:
    """Nobody says who deleted it: it may have been either side."""
    chat = deleted.chat
    return tuple(
        Message(
            text="",
            external_id=place.name,
            revision=f"deleted-{update_id}",
            kind=Kind.WITHDRAWN,
            thread=(place.chat_name,),
            author=Author(id=str(chat.id), name=chat.name, handle=f"@{chat.username}" if chat.username else ""),
        )
        for place in (Place(deleted.business_connection_id, chat.id, one) for one in deleted.message_ids)
    )


def _author(post: Post, staff: Collection[str]) -> Author:
    if post.sender_chat is not None:  # `from` is a stand-in then
        return _chat_author(post.sender_chat, post)
    user = post.from_
    if user is None:
        return Author(role=Role.COMPANY if post.chat.type == "channel" else Role.CUSTOMER)
    contact = post.contact
    return Author(
        role=_role(user, post, staff),
        id=str(user.id),
        name=user.name,
        handle=f"@{user.username}" if user.username else "",
        phone=contact.phone_number if contact is not None and contact.user_id == user.id else "",
    )


def _chat_author(chat: Chat, post: Post) -> Author:
    """An anonymous administrator, the group's own channel, or a customer who speaks as a channel."""
    is_ours = chat.id == post.chat.id or post.is_automatic_forward
    handle = f"@{chat.username}" if chat.username else ""
    return Author(role=Role.COMPANY if is_ours else Role.CUSTOMER, id=str(chat.id), name=chat.name, handle=handle)


def _role(user: User, post: Post, staff: Collection[str]) -> Role:
    if user.is_bot:
        return Role.BOT
    is_owner = bool(post.business_connection_id) and user.id != post.chat.id
    known = {one.lower() for one in staff}
    is_staff = str(user.id) in known or (bool(user.username) and f"@{user.username}".lower() in known)
    return Role.COMPANY if is_owner or is_staff else Role.CUSTOMER


def _thread(post: Post, place: Place, author: Author) -> tuple[str, ...]:
    """A private chat is one line of talk. In a group everybody has their own; an answer of your people belongs to whom
    they answer."""
    answered = post.reply_to_message
    if post.chat.is_private:
        return (place.chat_name,)
    room = f"{place.chat_name}/topic/{post.message_thread_id}" if post.is_topic_message else place.chat_name
    if author.role is Role.CUSTOMER:
        return (f"{room}/{author.id}",)
    if answered is None or answered.from_ is None:
        return (room,)
    return (replace(place, message=answered.message_id).name, f"{room}/{answered.from_.id}")


def _permalink(post: Post) -> str:
    if post.chat.is_private:
        return ""
    if post.chat.username:
        return f"https://t.me/{post.chat.username}/{post.message_id}"
    number = str(post.chat.id)
    return (
        f"https://t.me/c/{number.removeprefix(_SUPERGROUP)}/{post.message_id}" if number.startswith(_SUPERGROUP) else ""
    )
