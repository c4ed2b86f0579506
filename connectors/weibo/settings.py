"""What an admin says about a Weibo account and the app that reads for it."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from allears_sdk.settings import FILL_IN
from allears_sdk.sweep import SweepSettings

_URL = r"^https://[^\s@?#]+[^\s@?#/]$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$"
ListName = Literal["mentions", "comments", "comment_mentions", "answers"]
PATHS: dict[ListName, str] = {
    "mentions": "/2/statuses/mentions.json",
    "comments": "/2/comments/to_me.json",
    "comment_mentions": "/2/comments/mentions.json",
    "answers": "/2/comments/by_me.json",
}


class WeiboSettings(SweepSettings):
    example_name: ClassVar[str] = "weibo"

    connector: Literal["weibo"] = Field(default="weibo", description="Which connector listens here.")
    uid: str = Field(
        pattern=r"^\d{1,20}$",
        description="Number of the account that is listened to: weibo.com/u/NUMBER.",
        examples=["1902500000"],
    )
    staff: frozenset[str] = Field(
        default=frozenset(),
        description="Numbers of other accounts of yours: what they say is context.",
        examples=[["5601234567"]],
    )
    app_key: str = Field(
        pattern=r"^\d{1,20}$", description="App Key, from open.weibo.com → the app.", examples=["1352222456"]
    )
    app_secret: SecretStr = Field(
        min_length=1,
        description="App Secret: private messages are signed with it, and logging in needs it.",
        examples=["env:WEIBO_APP_SECRET"],
    )
    access_token: SecretStr | None = Field(
        default=None,
        description="A token of the account, if you have one from elsewhere. Otherwise somebody logs in: `allears "
        "channels login NAME`.",
    )
    message_token: SecretStr | None = Field(
        default=None,
        description="Token of 粉丝服务平台, shown there once developer mode is on: pictures in private messages and "
        "answers to them need it.",
        examples=["env:WEIBO_MESSAGE_TOKEN"],
        json_schema_extra=dict(FILL_IN),
    )
    lists: tuple[ListName, ...] = Field(
        default=("mentions", "comments", "comment_mentions", "answers"),
        description="What is polled: posts that mention the account, comments it gets, comments that mention it, and "
        "its own comments (as context). Empty: private messages alone.",
    )
    paths: dict[ListName, str] = Field(
        default_factory=dict,
        description="Where a list is read instead, as the commercial API wants it.",
        examples=[{"comments": "/2/comments/to_me/biz.json"}],
    )
    replay_window_seconds: float = Field(
        default=600, ge=60, le=86_400, description="How old the signature of a private message may be, either way."
    )
    redirect_url: str = Field(
        default="https://api.weibo.com/oauth2/default.html",
        pattern=r"^https?://\S+$",
        description="授权回调页, exactly as it is entered at the app.",
    )
    interval_seconds: float = Field(
        default=300, ge=30, le=86_400, description="Time between polls: a call or more for each list."
    )
    sweep_pages: int = Field(
        default=20, ge=1, le=10_000, description="Pages of 50 looked through then; Weibo gives 1000 to 2000 items."
    )
    url: str = Field(
        default="https://api.weibo.com", pattern=_URL, description='The API; "https://c.api.weibo.com" by contract.'
    )
    login_url: str = Field(default="https://api.weibo.com", pattern=_URL, description="Where tokens come from.")
    message_url: str = Field(
        default="https://m.api.weibo.com", pattern=_URL, description="Where private messages are answered."
    )
    upload_url: str = Field(
        default="https://upload.api.weibo.com", pattern=_URL, description="Where files in private messages lie."
    )
    picture_url: str = Field(
        default="https://wx1.sinaimg.cn/large", pattern=_URL, description="Where pictures in posts lie."
    )
    timeout_seconds: float = Field(default=20, ge=1, le=300, description="How long one call may take.")

    @property
    def tolerance(self) -> timedelta:
        return timedelta(seconds=self.replay_window_seconds)

    @property
    def own(self) -> frozenset[str]:
        """Who speaks for the company."""
        return self.staff | {self.uid}

    def path_of(self, name: ListName) -> str:
        return self.paths.get(name, PATHS[name])
