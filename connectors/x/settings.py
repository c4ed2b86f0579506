"""What an admin says about X: the account, the login, and what it may cost."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr, StringConstraints, model_validator

from allears_sdk.oauth import OAuthSettings
from allears_sdk.settings import FILL_IN, ChannelSettings, Settings

Query = Annotated[str, StringConstraints(min_length=2, max_length=512, strip_whitespace=True)]
_URL = r"^https://[^\s@?#]+[^\s@?#/]$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$"


class XPrices(Settings):
    """What X charges for each thing it hands over. Its console shows today's."""

    found_post: float = Field(default=0.005, ge=0, le=100, description="A post that a search finds.")
    mention: float = Field(
        default=0.005,
        ge=0,
        le=100,
        description="A post that mentions the account. 0.001 where the account itself owns the application and is "
        "logged in.",
    )
    own_post: float = Field(default=0.005, ge=0, le=100, description="A post of the account itself; as for mentions.")
    message: float = Field(default=0.010, ge=0, le=100, description="A private message.")
    user: float = Field(default=0.010, ge=0, le=100, description="Who wrote it: their name and handle.")
    media: float = Field(default=0.005, ge=0, le=100, description="A picture or video that belongs to a post.")


class XSettings(ChannelSettings):
    example_name: ClassVar[str] = "x-brand"

    connector: Literal["x"] = Field(default="x", description="Which connector listens here.")
    username: str = Field(
        pattern=r"^[A-Za-z0-9_]{1,15}$", description="The company's account, without @.", examples=["examplebrand"]
    )
    monthly_budget: float = Field(
        ge=0,
        le=1_000_000,
        description="What reading may cost in a calendar month, in the currency of the prices; all channels of this "
        "account together. Reading stops before it is exceeded.",
        examples=[25.0],
    )
    bearer_token: SecretStr | None = Field(
        default=None,
        description="The application's Bearer Token: enough for what is public.",
        examples=["env:X_BEARER_TOKEN"],
        json_schema_extra=dict(FILL_IN),
    )
    client_id: str = Field(
        default="",
        max_length=100,
        description="Instead: OAuth 2.0 client ID of an application of the type Native App; the account logs in "
        "(`allears channels login`).",
    )
    redirect_port: int = Field(
        default=8779, ge=1024, le=65_535, description="Local port that the login leads back to, as X was told."
    )
    read_mentions: bool = Field(default=True, description="Read posts that mention the account, and answers to it.")
    searches: tuple[Query, ...] = Field(
        default=(),
        max_length=20,
        description="Searches for posts of the last seven days, in X's query language.",
        examples=[['"example brand" -is:retweet -from:examplebrand']],
    )
    read_own: bool = Field(default=True, description="Read what the account says, as context of what it answers.")
    read_messages: bool = Field(
        default=False,
        description="Read the account's private messages, and nothing else: posts have a channel of their own. Takes a "
        "login (`client_id`).",
    )
    read_media: bool = Field(default=True, description="Have posts bring their pictures along; each costs.")
    prices: XPrices = Field(default=XPrices(), description="What X charges.")
    currency: str = Field(default="USD", pattern="^[A-Z]{3}$", description="Of the prices and the budget.")
    interval_seconds: float = Field(
        default=300, ge=1, le=86_400, description="Time between polls; one that finds nothing costs nothing."
    )
    calls_per_minute: float = Field(
        default=20, gt=0, le=6000, description="Calls of this login, all channels together; X allows 300 in 15 minutes."
    )
    url: str = Field(default="https://api.x.com", pattern=_URL, description="Where the API is.")
    login_url: str = Field(
        default="https://x.com/i/oauth2/authorize", pattern=r"^https?://\S+$", description="The page for logging in."
    )
    media_url: str = Field(default="https://pbs.twimg.com", pattern=_URL, description="Where pictures are.")
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")

    @model_validator(mode="after")
    def _agree(self) -> XSettings:
        if (self.bearer_token is None) == (not self.client_id):
            raise ValueError("set bearer_token, or client_id: one of them")
        if self.read_messages and not self.client_id:
            raise ValueError("read_messages takes a login: set client_id")
        if not (self.read_mentions or self.searches or self.read_messages):
            raise ValueError("nothing to read: set read_mentions or read_messages, or name searches")
        return self

    @property
    def oauth(self) -> OAuthSettings | None:
        if not self.client_id:
            return None
        return OAuthSettings(
            provider="custom",
            grant="browser",
            client_id=self.client_id,
            authorize_url=self.login_url,
            token_url=f"{self.url}/2/oauth2/token",
            redirect_port=self.redirect_port,
        )
