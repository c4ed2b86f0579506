"""What an admin says about an account on a Mastodon server."""

from __future__ import annotations

from typing import ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from allears_sdk.sweep import SweepSettings


class MastodonSettings(SweepSettings):
    example_name: ClassVar[str] = "fediverse"

    connector: Literal["mastodon"] = Field(default="mastodon", description="Which connector listens here.")
    url: str = Field(
        pattern=r"^https://[^\s@?#/]+$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$",
        description="Address of the server the account is on.",
        examples=["https://mastodon.example"],
    )
    access_token: SecretStr = Field(
        description="Token of an application of the account: Preferences → Development.",
        examples=["env:MASTODON_TOKEN"],
        min_length=1,
    )
    answer_privately: bool = Field(
        default=True,
        description="Answers are seen by whoever is answered alone, also under public posts. False: by the same people "
        "as the post.",
    )
    calls_per_minute: float = Field(
        default=50, gt=0, le=6000, description="Calls of this account, all channels together; servers allow 60."
    )
    timeout_seconds: float = Field(default=20, ge=1, le=300, description="How long one call may take.")

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc.lower()
