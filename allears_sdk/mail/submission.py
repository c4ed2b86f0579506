"""What an admin says about the server that sends our mails (SMTP submission)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from allears_sdk.mail.composition import Mailbox, is_address
from allears_sdk.mail.presets import SERVICES
from allears_sdk.mail.wire import Endpoint, Tls, is_loopback
from allears_sdk.settings import ChannelSettings, Settings

PORTS: Mapping[Tls, int] = {"implicit": 465, "starttls": 587, "none": 25}


class SubmissionSettings(Settings):
    """The server that sends our mails. What is empty is the mailbox's own, or its preset's."""

    host: str = Field(default="", description="SMTP server; not needed with a preset.", examples=["smtp.example.com"])
    port: int | None = Field(
        default=None, ge=1, le=65_535, description="Port; empty: 465 with implicit TLS, 587 with STARTTLS, else 25."
    )
    tls: Tls | None = Field(
        default=None,
        description='How the connection is encrypted: "implicit" (the default), "starttls", or "none" (loopback only).',
    )
    ca_file: Path | None = Field(
        default=None, description="PEM file of the authority that signed the server's certificate; empty: the system's."
    )
    username: str = Field(default="", description="Login name; empty: the mailbox's, if the server asks for one.")
    password: SecretStr | None = Field(default=None, description="Password that belongs to `username`.")
    sender: str = Field(
        default="",
        description="Address our mails come from; empty: the mailbox's login name.",
        examples=["support@example.com"],
    )
    sender_name: str = Field(
        default="", max_length=60, description="Name beside that address.", examples=["Example 客服"]
    )
    bounces: Literal["nobody", "sender"] | None = Field(
        default=None,
        description='Who hears of a mail that cannot be delivered: "nobody" (no bounce can start a loop; where the '
        'server refuses that, the sender) or "sender". Empty: nobody; with a preset the sender.',
    )
    timeout_seconds: float = Field(
        default=30, ge=1, le=60, description="How long the server may be silent in the middle of an answer."
    )
    connect_timeout_seconds: float = Field(default=10, ge=1, le=60, description="How long connecting may take.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """All that is known about sending."""

    endpoint: Endpoint
    username: str
    password: str = field(repr=False)
    must_log_in: bool
    """A login was set for this server; else the mailbox's is used where the server wants one."""
    sender: Mailbox
    bounces_to_sender: bool


def outgoing(
    settings: SubmissionSettings | None, *, preset: str | None = None, username: str = "", password: str = ""
) -> Outgoing:
    """The settings with what the mailbox (its login) and its preset know. Raises ValueError saying what is missing."""
    given = settings or SubmissionSettings()
    known = SERVICES.get(preset or "")
    service = known.smtp if known and not given.host else None
    host = given.host or (service.host if service else "")
    sender = given.sender or next(filter(is_address, (username, given.username)), "")
    tls = given.tls or (service.tls if service else "implicit")
    if bool(given.username) != bool(given.password):
        raise ValueError("smtp.username and smtp.password go together")
    if not host:
        raise ValueError("the table smtp is missing, or its host: the server that sends our mails")
    if not is_address(sender):
        raise ValueError("smtp.sender is missing: the address our mails come from")
    if tls == "none" and not is_loopback(host):
        raise ValueError('smtp.tls = "none" is for this machine only: use "implicit" or "starttls"')
    own = given.password.get_secret_value() if given.password else ""
    return Outgoing(
        endpoint=Endpoint(
            host=host,
            port=given.port or (service.port if service and given.tls is None else PORTS[tls]),
            tls=tls,
            ca_file=given.ca_file,
            connect_timeout_seconds=given.connect_timeout_seconds,
            timeout_seconds=given.timeout_seconds,
        ),
        username=given.username or username,
        password=own or password,
        must_log_in=bool(given.username),
        sender=Mailbox(sender, given.sender_name),
        bounces_to_sender=(given.bounces or ("sender" if service else "nobody")) == "sender",
    )


def answering(
    channel: ChannelSettings,
    settings: SubmissionSettings | None,
    *,
    preset: str | None = None,
    username: str = "",
    password: str = "",
) -> Outgoing | None:
    """As `outgoing`; None where the channel answers nobody."""
    if channel.acknowledges is None:
        return None
    return outgoing(settings, preset=preset, username=username, password=password)
