"""What an admin can say about a form."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr

from allears_sdk.settings import ChannelSettings


class FormSettings(ChannelSettings):
    example_name: ClassVar[str] = "complaints"

    connector: Literal["form"] = Field(default="form", description="Which connector listens here.")
    language: Literal["zh", "en"] = Field(
        default="zh", description="Language of the page for browsers that ask for neither Chinese nor English."
    )
    heading_zh: str = Field(
        default="", max_length=60, description="Heading of the Chinese page; empty: a built-in one."
    )
    heading_en: str = Field(
        default="", max_length=90, description="Heading of the English page; empty: a built-in one."
    )
    intro_zh: str = Field(default="", max_length=600, description="Introduction in Chinese; empty: a built-in one.")
    intro_en: str = Field(default="", max_length=900, description="Introduction in English; empty: a built-in one.")
    privacy_url: str = Field(
        default="", pattern=r"^$|^https?://\S+$", description="Where your privacy notice is; linked above the button."
    )
    logo_url: str = Field(
        default="", pattern=r"^$|^https://[^\s;,'\"]+$", description="Your logo, shown about 40 pixels high."
    )
    accent: str = Field(
        default="#a8431c",
        pattern=r"^#[0-9a-fA-F]{6}$",
        description="Colour of button and links. Take a dark one: links stand on white.",
    )
    public_address: str = Field(
        default="",
        pattern=r"^$|^https?://[^\s?#]+$",
        description="Address of the page as customers reach it, for the QR code; empty: as the request came in.",
    )
    max_text_chars: int = Field(
        default=20_000, ge=100, le=60_000, description="Longest complaint text, in characters, of page and JSON."
    )
    max_files: int = Field(default=10, ge=0, le=50, description="Files one form may carry; 0 hides the file field.")
    token: SecretStr | None = Field(
        default=None,
        description="JSON posts must carry it as `Authorization: Bearer`; unset: anyone may post. The page needs none.",
    )
    allowed_origins: tuple[Annotated[str, Field(pattern=r"^https?://[^\s/;,'\"]+$")], ...] = Field(
        default=(),
        description="Sites whose pages may post JSON here and show the form in a frame.",
        examples=[["https://shop.example.com"]],
    )
