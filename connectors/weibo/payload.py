"""What is used of posts, comments and private messages; fields as Weibo names them."""

from __future__ import annotations

from typing import Any

import msgspec

Number = int | str


class User(msgspec.Struct, frozen=True, kw_only=True):
    id: Number = ""
    idstr: str = ""
    screen_name: str | None = None

    @property
    def number(self) -> str:
        return self.idstr or str(self.id)


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    thumbnail_pic: str = ""


class Post(msgspec.Struct, frozen=True, kw_only=True):
    id: Number = ""
    idstr: str = ""
    text: str | None = None
    created_at: str = ""
    user: User | None = None
    deleted: int | str | bool = False
    pic_urls: list[Picture] = []
    pic_ids: list[str] = []
    retweeted_status: Post | None = None

    @property
    def number(self) -> str:
        return self.idstr or str(self.id)


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    id: Number = ""
    idstr: str = ""
    text: str | None = None
    created_at: str = ""
    user: User | None = None
    status: Post | None = None
    reply_comment: Comment | None = None

    @property
    def number(self) -> str:
        return self.idstr or str(self.id)


class Data(msgspec.Struct, frozen=True, kw_only=True):
    subtype: str = ""
    key: Number | None = None
    longitude: Number | float | None = None
    latitude: Number | float | None = None
    vfid: Number | None = None
    tovfid: Number | None = None


class Talk(msgspec.Struct, frozen=True, kw_only=True):
    """A private message. It has no number."""

    type: str
    sender_id: Number
    receiver_id: Number = ""
    created_at: str = ""
    text: str | None = None
    data: Data | list[Any] | str | None = None

    @property
    def more(self) -> Data:
        return self.data if isinstance(self.data, Data) else Data()
