"""Who may post to a channel: the table `auth`."""

from __future__ import annotations

import base64
import binascii
import re
from ipaddress import ip_network
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from allears_sdk.settings import Settings
from allears_sdk.signing import standard_key
from connectors.webhook.paths import compile_path

Method = Literal["standard", "hmac", "digest", "twilio", "secret", "bearer", "basic", "none"]
_PLACES = ("header", "parameter", "field")
MARK = re.compile(r"\{([^{}]*)\}")
_NEEDS_SECRETS = frozenset({"standard", "hmac", "digest", "twilio", "secret", "bearer", "basic"})


class AuthSettings(Settings):
    """How senders prove who they are. There is no default: `method = "none"` must be said."""

    method: Method = Field(
        description='"standard" (Standard Webhooks), "hmac", "digest" (a hash over text that holds the secret), '
        '"twilio", "secret" (at `place`), "bearer", "basic", or "none": anyone may post.',
        examples=["hmac"],
    )
    secrets: tuple[SecretStr, ...] = Field(
        default=(), description="Secrets or tokens; two while one is being replaced by the other."
    )
    username: str = Field(default="", description="basic: the name that goes with the secret.")
    place: str = Field(
        default="",
        description='Where the signature or the secret stands: "header:X-Signature", "parameter:token" (of the '
        'address), "field:$.sign" (of the body), or "path": the address ends with /SECRET.',
        examples=["header:X-Signature"],
    )
    algorithm: Literal["sha256", "sha512", "sha1", "md5"] = Field(default="sha256", description="Of the hash.")
    encoding: Literal["hex", "base64"] = Field(default="hex", description="How the signature is written.")
    prefix: str = Field(default="", description='What stands before it: "sha256=".')
    key_encoding: Literal["text", "base64"] = Field(
        default="text", description='"base64": the secret is decoded before it is used as key.'
    )
    signed: str = Field(
        default="{body}",
        description="What is signed: {body}, {timestamp}, {secret}, {header:NAME}, {parameter:NAME}, {field:$.path}, "
        "with whatever stands between them.",
        examples=["{timestamp}.{body}"],
    )
    timestamp: str = Field(
        default="",
        description='Where the signed time stands, in Unix seconds or milliseconds: "header:X-Timestamp". Unset: a '
        "request may be sent again by whoever caught it; it is then stored once all the same.",
    )
    tolerance_seconds: float = Field(
        default=300, ge=1, le=86_400, description="How far the signed time may lie from now, either way."
    )
    url: str = Field(
        default="", pattern=r"^$|^https?://\S+$", description="twilio: the callback address exactly as entered there."
    )
    networks: tuple[str, ...] = Field(
        default=(),
        description="Addresses or networks that may post; empty: all. Behind a proxy set `public.trusted_proxies`.",
        examples=[["192.0.2.0/24"]],
    )

    @field_validator("place", "timestamp")
    @classmethod
    def _is_place(cls, text: str) -> str:
        if text and text != "path":
            _split(text)
        return text

    @field_validator("signed")
    @classmethod
    def _is_template(cls, text: str) -> str:
        for mark in MARK.findall(text):
            if mark not in ("body", "timestamp", "secret"):
                _split(mark)
        return text

    @field_validator("networks")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ip_network(network)
        return networks

    @model_validator(mode="after")
    def _agree(self) -> AuthSettings:
        if bool(self.secrets) != (self.method in _NEEDS_SECRETS):
            raise ValueError(f'method "{self.method}" {"needs" if not self.secrets else "has no use for"} secrets')
        if any(len(secret.get_secret_value()) < 6 for secret in self.secrets):
            raise ValueError("a secret has at least 6 characters")
        if self.method in ("hmac", "digest", "secret") and not self.place:
            raise ValueError(f'method "{self.method}" needs a place')
        if self.method == "basic" and not self.username:
            raise ValueError('method "basic" needs a username')
        if self.method == "standard":
            for secret in self.secrets:
                standard_key(secret.get_secret_value())
        if self.method == "digest" and "{secret}" not in self.signed:
            raise ValueError('method "digest": nothing is proved without {secret} in `signed`')
        return self._check_signed()

    def _check_signed(self) -> AuthSettings:
        if ("{timestamp}" in self.signed) != bool(self.timestamp) and self.method in ("hmac", "digest"):
            raise ValueError("timestamp and {timestamp} in `signed` go together: an unsigned time proves nothing")
        if self.key_encoding == "base64":
            for secret in self.secrets:
                decoded_key(secret.get_secret_value())
        return self


def _split(place: str) -> tuple[str, str]:
    kind, _, name = place.partition(":")
    if kind not in _PLACES or not name:
        raise ValueError('a place is "header:NAME", "parameter:NAME" or "field:$.path"')
    if kind == "field":
        compile_path(name)
    return kind, name


def decoded_key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a secret is not base64") from None
