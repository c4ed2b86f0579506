"""What an admin says about a Douyin account and the app that listens for it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from allears_sdk.settings import ChannelSettings

_URL = r"^https://[^\s@?#]+[^\s@?#/]$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$"


class DouyinSettings(ChannelSettings):
    example_name: ClassVar[str] = "douyin"

    connector: Literal["douyin"] = Field(default="douyin", description="Which connector listens here.")
    open_id: str = Field(
        pattern=r"^[\w-]{1,100}$",
        description="The account as this app knows it: what it says itself is context.",
        examples=["_000bfeGRgbkwDMMksxyg4auRqXAPGIZk1pl"],
    )
    client_key: str = Field(
        pattern=r"^\w{1,60}$",
        description="Client Key of the app, AppID of a mini-app.",
        examples=["ttddf8ab4542c7d76601"],
    )
    client_secret: SecretStr = Field(
        min_length=1, description="Client Secret, or AppSecret.", examples=["env:DOUYIN_CLIENT_SECRET"]
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        description="What pushes are signed with, where the console has a secret of its own for that (mini-apps).",
        examples=["env:DOUYIN_WEBHOOK_SECRET"],
    )
    read_comments: bool = Field(
        default=False,
        description="Read the comments under the account's videos: needs a mini-app with ma.item.comment and "
        "video.list.bind, and somebody who logs in as the account.",
    )
    scopes: tuple[str, ...] = Field(
        default=("ma.item.comment", "video.list.bind"), description="Rights that logging in asks for."
    )
    may_renew: bool = Field(
        default=False,
        description="The app may renew a login (renew_refresh_token): it then lasts half a year instead of 30 days.",
    )
    redirect_url: str = Field(
        default="",
        pattern=r"^$|^https://\S+$",
        description="授权回调域 page of a web app. Empty for a mini-app, which gets its code inside Douyin.",
    )
    posts_days: float = Field(
        default=30, gt=0, le=3650, description="Comments under videos that are younger than this are read."
    )
    sweep_hours: float = Field(
        default=24,
        ge=1,
        le=720,
        description="How often all comments under those videos are read again, for late replies to old comments.",
    )
    interval_seconds: float = Field(default=600, ge=30, le=86_400, description="Time between polls of comments.")
    url: str = Field(default="https://open.douyin.com", pattern=_URL, description="Where the open platform is.")
    timeout_seconds: float = Field(default=20, ge=1, le=300, description="How long one call may take.")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Those that may sign a push."""
        given = (self.webhook_secret, self.client_secret)
        return tuple(one.get_secret_value() for one in given if one is not None)
