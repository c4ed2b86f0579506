"""What Meta tells of a Page ("Webhooks for Pages", "Comment"): the fields that are used, in both shapes."""

from __future__ import annotations

import msgspec


class Person(msgspec.Struct, frozen=True, kw_only=True):
    id: str | int = ""
    name: str | None = None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    permalink_url: str | None = None


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A change of `feed` or `ratings`, as it is delivered."""

    item: str = ""
    verb: str = ""
    comment_id: str = ""
    post_id: str = ""
    parent_id: str | None = None
    from_: Person | None = msgspec.field(default=None, name="from")
    message: str | None = None
    created_time: int | str = 0
    photo: str | None = None
    photos: list[str] = []
    video: str | None = None
    link: str | None = None
    post: Shown | None = None
    open_graph_story_id: str | int = ""
    recommendation_type: str | None = None
    rating: float | None = None
    review_text: str | None = None
    reviewer_id: str | int = ""
    reviewer_name: str | None = None


class Image(msgspec.Struct, frozen=True, kw_only=True):
    src: str | None = None


class Media(msgspec.Struct, frozen=True, kw_only=True):
    image: Image | None = None


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    type: str = ""
    media: Media | None = None


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    id: str = ""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A comment or a visitor's post, as it is read."""

    id: str
    created_time: str = ""
    from_: Person | None = msgspec.field(default=None, name="from")
    message: str | None = None
    parent: Parent | None = None
    permalink_url: str | None = None
    attachment: Attachment | None = None


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a raw that was read back."""

    page: str
    post: str
    comment: Listed
