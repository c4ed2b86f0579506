"""What a raw of a Weibo account says. Pure.

Under a post everybody has a matter of their own; an answer of the company belongs to what it answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role, Visibility
from connectors.weibo.lists import COMMENT, POST
from connectors.weibo.payload import Comment, Post, User
from connectors.weibo.settings import WeiboSettings
from connectors.weibo.talk import TALK, message_of
from connectors.weibo.times import read_time

PAGE = "https://m.weibo.cn/detail"
PICTURE = re.compile(r"[\w-]{8,80}\.(?:jpg|jpeg|png|gif|webp)", re.ASCII)
_ICON = re.compile(r"<img\b[^<>]*?\balt=[\"']?(\[[^\"'<>\]]{1,20}\])[^<>]*>")
_BREAK = re.compile(r"<br\s*/?>")
_TAG = re.compile(r"</?(?:a|span|img|i|b)(?:\s[^<>]*)?/?>")


def parse(raw: Raw, settings: WeiboSettings) -> Sequence[Message]:
    """Raises BadMessage."""
    kind = raw.context.get("kind")
    try:
        if kind == POST:
            return _post(decode(raw.body, Post), raw, settings)
        if kind == COMMENT:
            return _comment(decode(raw.body, Comment), raw, settings)
        if kind == TALK:
            return (message_of(raw, settings),)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"{raw.key}: {error}") from None
    raise BadMessage(f"{raw.key}: neither a post nor a comment nor a private message")


def words(text: str) -> str:
    """Plain, of text in which names are links and emoji are pictures."""
    return _TAG.sub("", _BREAK.sub("\n", _ICON.sub(r"\1", text))).strip()


def _post(post: Post, raw: Raw, settings: WeiboSettings) -> Sequence[Message]:
    is_deleted = str(post.deleted) not in ("0", "False", "false", "")
    if is_deleted and raw.ordinal == 1:
        return ()  # nothing was heard of it before
    kind = Kind.WITHDRAWN if is_deleted else Kind.EDITED if raw.ordinal > 1 else Kind.SAID
    number = post.number
    return (
        Message(
            text="" if is_deleted else _with_repost(post, settings),
            external_id=f"{POST}:{number}",
            kind=kind,
            thread=(f"post:{number}",),
            author=_author(post.user, settings),
            posted_at=read_time(post.created_at),
            attachments=() if is_deleted else (*_pictures(post), *_reposted_pictures(post, settings)),
            permalink=f"{PAGE}/{number}",
            visibility=Visibility.PUBLIC,
        ),
    )


def _comment(comment: Comment, raw: Raw, settings: WeiboSettings) -> Sequence[Message]:
    author = _author(comment.user, settings)
    answered, to = _answered(comment, settings)
    if author.role is Role.COMPANY and not answered:
        return ()  # said to everybody: no answer to anybody
    post = comment.status.number if comment.status else ""
    return (
        Message(
            text=words(comment.text or "") or "[no words]",
            external_id=f"{COMMENT}:{comment.number}",
            kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
            thread=(*answered, *((f"post:{post}",) if post else ())),
            author=author,
            participants=to if author.role is Role.COMPANY else (),
            posted_at=read_time(comment.created_at),
            permalink=f"{PAGE}/{post}" if post else "",
            visibility=Visibility.PUBLIC,
        ),
    )


def _answered(comment: Comment, settings: WeiboSettings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which comment, or whose post, it answers; and who wrote that. A customer's under a post answers nobody."""
    reply, post = comment.reply_comment, comment.status
    if reply is not None and reply.number:
        return (f"{COMMENT}:{reply.number}",), _numbers(reply.user)
    is_ours = _author(comment.user, settings).role is Role.COMPANY
    if is_ours and post is not None and post.user is not None and post.user.number not in settings.own:
        return (f"{POST}:{post.number}",), _numbers(post.user)
    return (), ()


def _numbers(user: User | None) -> tuple[str, ...]:
    return (user.number,) if user is not None and user.number else ()


def _author(user: User | None, settings: WeiboSettings) -> Author:
    number, name = (user.number, (user.screen_name or "").strip()) if user is not None else ("", "")
    return Author(
        role=Role.COMPANY if number in settings.own else Role.CUSTOMER,
        id=number,
        name=name,
        handle=f"@{name}" if name else "",
    )


def _with_repost(post: Post, settings: WeiboSettings) -> str:
    """What is passed on stands behind it, the way Weibo itself writes that; our own posts do not."""
    own, passed = words(post.text or ""), _passed_on(post, settings)
    if passed is None:
        return own or "[no words]"
    name = (passed.user.screen_name if passed.user else "") or ""
    return f"{own}\n//@{name}: {words(passed.text or '')}".strip()


def _passed_on(post: Post, settings: WeiboSettings) -> Post | None:
    passed = post.retweeted_status
    is_ours = passed is not None and passed.user is not None and passed.user.number in settings.own
    return None if is_ours else passed


def _reposted_pictures(post: Post, settings: WeiboSettings) -> tuple[Attachment, ...]:
    passed = _passed_on(post, settings)
    return _pictures(passed) if passed is not None else ()


def _pictures(post: Post) -> tuple[Attachment, ...]:
    listed = [_file_of(one.thumbnail_pic) for one in post.pic_urls] or [f"{one}.jpg" for one in post.pic_ids]
    names = [name for name in dict.fromkeys(listed) if PICTURE.fullmatch(name)]
    return tuple(
        Attachment(name=name, title="picture", media_type="image/jpeg", ref=Ref(locator={"picture": name}))
        for name in names
    )


def _file_of(address: str) -> str:
    try:
        return urlsplit(address).path.rpartition("/")[2]
    except ValueError:
        return ""
