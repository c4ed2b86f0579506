"""What an admin says about Reddit: the application, the account, and where to listen."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr, StringConstraints, model_validator

from allears_sdk.settings import FILL_IN
from allears_sdk.sweep import SweepSettings

Community = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{2,21}$")]
Query = Annotated[str, StringConstraints(min_length=2, max_length=512, strip_whitespace=True)]
_URL = r"^https://[^\s@?#]+[^\s@?#/]$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$"


class RedditSettings(SweepSettings):
    example_name: ClassVar[str] = "community"

    connector: Literal["reddit"] = Field(default="reddit", description="Which connector listens here.")
    client_id: str = Field(
        min_length=5,
        description="Of the application: it stands under its name on reddit.com/prefs/apps.",
        examples=["p-jcoLKBynTLew"],
    )
    client_secret: SecretStr = Field(description="Its secret.", examples=["env:REDDIT_CLIENT_SECRET"], min_length=1)
    username: str = Field(
        pattern=r"^[\w-]{3,20}$",
        description="The company's account, without u/: what it says is our answer. Each call tells Reddit of it.",
        examples=["example_support"],
    )
    password: SecretStr | None = Field(
        default=None,
        description='Of the account, for an application of the type "script". Without it, and without refresh_token, '
        "only what everybody can read is read.",
        examples=["env:REDDIT_PASSWORD"],
        json_schema_extra=dict(FILL_IN),
    )
    refresh_token: SecretStr | None = Field(
        default=None, description="Instead of a password, where the account has allowed the application for good."
    )
    subreddits: tuple[Community, ...] = Field(
        default=(),
        max_length=50,
        description="Communities, without r/, of which all posts and comments are read: those about your company.",
        examples=[["examplebrand"]],
        json_schema_extra=dict(FILL_IN),
    )
    searches: tuple[Query, ...] = Field(
        default=(),
        max_length=20,
        description="Searches for posts in all of Reddit, in the words of its search field.",
        examples=[['"example brand" OR examplebrand']],
    )
    read_inbox: bool = Field(
        default=True,
        description="Read messages to the account, answers to what it said, and mentions of it; needs its login.",
    )
    calls_per_minute: float = Field(
        default=60, gt=0, le=6000, description="Calls with this application, all channels together."
    )
    url: str = Field(default="https://oauth.reddit.com", pattern=_URL, description="Where the API is.")
    login_url: str = Field(default="https://www.reddit.com", pattern=_URL, description="Where access tokens come from.")
    images_url: str = Field(default="https://i.redd.it", pattern=_URL, description="Where pictures of posts are.")
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")

    @model_validator(mode="after")
    def _agree(self) -> RedditSettings:
        if self.password and self.refresh_token:
            raise ValueError("either password or refresh_token, not both")
        if not (self.subreddits or self.searches or self.reads_inbox):
            raise ValueError("nothing to read: name subreddits or searches, or log in to read the inbox")
        return self

    @property
    def has_login(self) -> bool:
        return bool(self.password or self.refresh_token)

    @property
    def reads_inbox(self) -> bool:
        return self.read_inbox and self.has_login
