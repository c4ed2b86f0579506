"""What an admin says about an app at Meta, whichever of its products it is for."""

from __future__ import annotations

from pydantic import Field, SecretStr

from allears_sdk.settings import ChannelSettings


class MetaSettings(ChannelSettings):
    app_secret: SecretStr = Field(
        description="App secret, from App settings → Basic: it signs all that Meta delivers.",
        examples=["env:META_APP_SECRET"],
        min_length=1,
    )
    more_app_secrets: tuple[SecretStr, ...] = Field(
        default=(),
        description="Secrets that are good beside it: the new one while it is replaced, the Instagram app secret.",
    )
    verify_token: SecretStr = Field(
        description="Any words of yours, entered in the console beside the callback address.",
        examples=["env:META_VERIFY_TOKEN"],
        min_length=1,
    )
    access_token: SecretStr | None = Field(
        default=None,
        description="Token that may read and answer, best that of a system user. Without it messages are heard, but "
        "files, names, answers and what was missed are not.",
        examples=["env:META_ACCESS_TOKEN"],
    )
    send_proof: bool = Field(
        default=False, description='Sign each call (appsecret_proof): needed where the app says "Require App Secret".'
    )
    graph_version: str = Field(
        default="v25.0",
        pattern=r"^v\d{1,3}\.\d{1,2}$",
        description="Version of the Graph API. One lives for about two years.",
    )
    url: str = Field(
        default="https://graph.facebook.com",
        pattern=r"^https://[^\s@?#/]+$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$",
        description='The Graph API; "https://graph.instagram.com" for apps with Instagram Login.',
    )
    max_usage_percent: float = Field(
        default=80,
        gt=0,
        le=100,
        description="Reading back rests while more than this of Meta's hourly limit is used.",
    )
    timeout_seconds: float = Field(default=20, ge=1, le=300, description="How long one call may take.")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Those that may sign a delivery."""
        return tuple(one.get_secret_value() for one in (self.app_secret, *self.more_app_secrets))

    @property
    def token(self) -> str:
        """ "" where there is none."""
        return self.access_token.get_secret_value() if self.access_token else ""
