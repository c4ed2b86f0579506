"""What a Page's raw says. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Rating, Raw, Ref, Role, Visibility
from connectors._meta.envelope import Item, moment, only_item
from connectors._meta.talk import read as read_event
from connectors._meta.times import read_time
from connectors.facebook.items import EDITS, POSTS, READ_BACK
from connectors.facebook.payload import Feed, Person, Read
from connectors.facebook.settings import FacebookSettings

_RECOMMENDED = {"POSITIVE": 5.0, "NEGATIVE": 1.0}
_LINK = "https://www.facebook.com/"


def parse(raw: Raw, settings: FacebookSettings) -> Sequence[Message]:
    """Raises BadMessage."""
    try:
        if raw.context.get(READ_BACK):
            message = _listed(decode(raw.body, Read), raw)
        else:
            item = only_item(raw)
            message = (
                read_event(item, names=settings.access_token is not None) if item.is_event else _delivered(item, raw)
            )
    except (ValueError, RecursionError, OverflowError) as error:
        raise BadMessage(f"{raw.key}: {error}") from None
    return (message,) if message is not None else ()


def _delivered(item: Item, raw: Raw) -> Message | None:
    feed = decode(item.value, Feed)
    if raw.key.startswith("rating:"):
        return _rating(feed, raw)
    is_post = feed.item in POSTS
    name = feed.post_id if is_post else feed.comment_id
    if not name:
        raise ValueError("neither a comment nor a post")
    parent = feed.parent_id if feed.parent_id not in (None, "", feed.post_id) else ""
    is_removed = feed.verb == "remove"
    is_changed = feed.verb in EDITS or raw.ordinal > 1
    message = _said(
        name,
        text=feed.message or "",
        author=_author(feed.from_, item.account),
        thread=() if is_post else _thread(feed.from_, item.account, str(parent), feed.post_id),
        at=item.sent_at if is_changed or is_removed else moment(feed.created_time) or item.sent_at,
        kind=Kind.WITHDRAWN if is_removed else Kind.EDITED if is_changed else Kind.SAID,
        files=tuple(one for one in (feed.photo, *feed.photos) if one),
        permalink=(feed.post.permalink_url if feed.post and is_post else None) or f"{_LINK}{name}",
    )
    return message if _is_heard(message) else None


def _listed(read: Read, raw: Raw) -> Message | None:
    comment = read.comment
    is_post = comment.id == read.post
    image = comment.attachment.media.image if comment.attachment and comment.attachment.media else None
    message = _said(
        comment.id,
        text=comment.message or "",
        author=_author(comment.from_, read.page),
        thread=()
        if is_post
        else _thread(comment.from_, read.page, comment.parent.id if comment.parent else "", read.post),
        at=raw.received_at if raw.ordinal > 1 else read_time(comment.created_time),
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        files=(image.src,) if image and image.src else (),
        permalink=comment.permalink_url or f"{_LINK}{comment.id}",
    )
    return message if _is_heard(message) else None


def _said(
    name: str,
    *,
    text: str,
    author: Author,
    thread: tuple[str, ...],
    at: datetime | None,
    kind: Kind,
    files: tuple[str, ...],
    permalink: str,
) -> Message:
    withdrawn = kind is Kind.WITHDRAWN
    return Message(
        text="" if withdrawn else text or ("[picture]" if files else "[no words]"),
        external_id=name,
        kind=kind,
        thread=thread,
        author=author,
        posted_at=at,
        attachments=() if withdrawn else tuple(_picture(url) for url in files),
        permalink=permalink,
        visibility=Visibility.PUBLIC,
    )


def _rating(feed: Feed, raw: Raw) -> Message:
    """Since 2018 people recommend a Page or do not; the stars of before are gone."""
    value = feed.rating if feed.rating else _RECOMMENDED.get((feed.recommendation_type or "").upper())
    reviewer = str(feed.reviewer_id) or (str(feed.from_.id) if feed.from_ else "")
    name = feed.reviewer_name or (feed.from_.name if feed.from_ else "") or ""
    is_removed = feed.verb == "remove"
    is_changed = feed.verb in EDITS or raw.ordinal > 1
    return Message(
        text="" if is_removed else feed.review_text or feed.message or "",
        external_id=raw.key,
        known_as=tuple(one for one in (feed.post_id, str(feed.open_graph_story_id)) if one),
        kind=Kind.WITHDRAWN if is_removed else Kind.EDITED if is_changed else Kind.SAID,
        author=Author(id=reviewer, name=name),
        posted_at=moment(feed.created_time),
        rating=None if value is None or is_removed else Rating(value=value),
        visibility=Visibility.PUBLIC,
    )


def _thread(who: Person | None, page: str, parent: str, post: str) -> tuple[str, ...]:
    """Who comments has a matter of their own under each post, with what is answered in it. Where Meta hides who it
    was, each stands alone: two strangers are not one."""
    name = str(who.id) if who else ""
    answered = (parent,) if parent and parent != post else ()
    if not name or (name == page and not answered):
        return answered
    return (*answered, post)


def _author(who: Person | None, page: str) -> Author:
    if who is None or not who.id:
        return Author()
    role = Role.COMPANY if str(who.id) == page else Role.CUSTOMER
    return Author(role=role, id=str(who.id), name=(who.name or "").strip())


def _is_heard(message: Message) -> bool:
    """What the Page says to nobody in particular is no answer to anybody."""
    return message.author.role is not Role.COMPANY or bool(message.thread)


def _picture(url: str) -> Attachment:
    return Attachment(name="", title="picture", media_type="image/jpeg", ref=Ref(locator={"url": url}))
