"""A post → a Message. Pure.

Whoever answers one of our posts has a matter of their own, and so has whoever joins another's: a conversation goes by
post *and* person. `POST/PERSON` is what the person says under that post.
"""

from __future__ import annotations

from collections.abc import Sequence

from allears_sdk.codec import decode
from allears_sdk.errors import BadMessage
from allears_sdk.message import Author, Kind, Message, Raw, Role, Visibility
from connectors.mastodon.content import files_of, text_of
from connectors.mastodon.payload import Account, Notification, Status
from connectors.mastodon.raws import ANSWER, DELETED, Deleted
from connectors.mastodon.settings import MastodonSettings

_OPEN = frozenset({"public", "unlisted"})


def parse(raw: Raw, settings: MastodonSettings) -> Sequence[Message]:
    """Raises BadMessage. Nothing for a mention whose post is gone."""
    what = raw.context.get("what")
    try:
        if what == DELETED:
            return (_withdrawn(decode(raw.body, Deleted)),)
        if what == ANSWER:
            return (_read(decode(raw.body, Status), raw, settings),)
        status = decode(raw.body, Notification).status
        return () if status is None else (_read(status, raw, settings),)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"{raw.key}: {error}") from None


def _withdrawn(deleted: Deleted) -> Message:
    return Message(text="", external_id=deleted.deleted, revision="deleted", kind=Kind.WITHDRAWN)


def _read(status: Status, raw: Raw, settings: MastodonSettings) -> Message:
    me = str(raw.context.get("me", ""))
    is_ours = status.account.id == me
    person = _answered(status, me) if is_ours else status.account.id
    answered = status.in_reply_to_id
    is_robot = status.account.bot and not is_ours
    return Message(
        text=text_of(status),
        subject=status.spoiler_text,
        external_id=status.id,
        known_as=(f"{status.id}/{person}",),
        kind=Kind.EDITED if raw.ordinal > 1 else Kind.SAID,
        thread=(f"{answered}/{person}",) if answered else (),
        author=_author(status.account, settings, is_ours=is_ours),
        participants=(person,) if is_ours and person else (),
        posted_at=status.edited_at or status.created_at,
        attachments=files_of(status),
        permalink=status.url or status.uri,
        visibility=Visibility.PUBLIC if status.visibility in _OPEN else Visibility.PRIVATE,
        language=status.language or "",
        is_automatic=is_robot,
        automatic_reason="the account is marked as automated" if is_robot else "",
    )


def _answered(status: Status, me: str) -> str:
    """Whom one of our posts speaks to; who goes on with a post of our own speaks to whom that one spoke."""
    if status.in_reply_to_account_id and status.in_reply_to_account_id != me:
        return status.in_reply_to_account_id
    return next((one.id for one in status.mentions if one.id != me), "")


def _author(account: Account, settings: MastodonSettings, *, is_ours: bool) -> Author:
    acct = account.acct if "@" in account.acct else f"{account.acct}@{settings.host}"
    return Author(
        role=Role.COMPANY if is_ours else Role.CUSTOMER,
        id=account.id,
        name=account.display_name.strip(),
        handle=f"@{acct}" if account.acct else "",
    )
