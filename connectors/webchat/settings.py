"""What an admin says about a web chat."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from allears_sdk.settings import ChannelSettings
from allears_sdk.signing import standard_key
from connectors._web.colour import HEX

MAX_FILE_BYTES = 20 << 20
_ORIGIN = r"^(\*|[a-z][a-z0-9+.-]*://[^\s/;,'\"*]+)$"


class WebchatSettings(ChannelSettings):
    """A chat on your pages and in your apps."""

    example_name: ClassVar[str] = "web-chat"

    connector: Literal["webchat"] = Field(default="webchat", description="Which connector listens here.")
    allowed_origins: tuple[Annotated[str, Field(pattern=_ORIGIN)], ...] = Field(
        default=(),
        description='Sites whose pages may carry the widget, as scheme and host; "*" for every site.',
        examples=[["https://www.example.com", "https://m.example.com"]],
    )
    visitors: bool = Field(
        default=True,
        description="Anyone may write, as with a form. False: only programs with `api_key` or `signing_secret`.",
    )
    api_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Key of your servers and chatbots, sent as `Authorization: Bearer`. They may say who speaks.",
        examples=["env:CHAT_API_KEY"],
    )
    signing_secret: SecretStr | None = Field(
        default=None,
        description="Secret (whsec_ and base64) with which your servers sign requests by Standard Webhooks instead.",
        examples=["env:CHAT_SIGNING_SECRET"],
    )
    identity_secret: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Secret with which your website signs the ids of its logged-in users; unset: such ids are not "
        "believed.",
        examples=["env:CHAT_IDENTITY_SECRET"],
    )
    language: Literal["zh", "en"] = Field(
        default="zh", description="Language where neither page nor browser asks for Chinese or English."
    )
    heading_zh: str = Field(
        default="", max_length=30, description="Name of the chat in Chinese; empty: a built-in one."
    )
    heading_en: str = Field(
        default="", max_length=40, description="Name of the chat in English; empty: a built-in one."
    )
    intro_zh: str = Field(default="", max_length=300, description="Greeting in Chinese; empty: a built-in one.")
    intro_en: str = Field(default="", max_length=450, description="Greeting in English; empty: a built-in one.")
    privacy_url: str = Field(
        default="",
        pattern=r"^$|^https?://\S+$",
        description="Where your privacy notice is; linked below the contact details.",
    )
    accent: str = Field(
        default="#a8431c", pattern=HEX, description="Colour of button, links and the customer's own messages."
    )
    position: Literal["right", "left"] = Field(
        default="right", description="Lower corner of the page where the button is."
    )
    public_address: str = Field(
        default="",
        pattern=r"^$|^https?://[^\s?#]+$",
        description="Address of the chat as browsers reach it, for the snippet; empty: as the request came in.",
    )
    demo_page: bool = Field(default=True, description="Show the widget and its snippet at the channel's own address.")
    max_text_chars: int = Field(default=5000, ge=100, le=60_000, description="Longest text of one message.")
    max_file_bytes: int = Field(
        default=10 << 20, ge=0, le=MAX_FILE_BYTES, description="Largest file that can be sent; 0: no files."
    )

    @field_validator("signing_secret")
    @classmethod
    def _is_key(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            standard_key(secret.get_secret_value())
        return secret

    @model_validator(mode="after")
    def _somebody_may_write(self) -> WebchatSettings:
        if not (self.visitors or self.api_key or self.signing_secret):
            raise ValueError("nobody could write: set visitors = true, an api_key or a signing_secret")
        return self
