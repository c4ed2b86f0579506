"""The sections every file may have, and the configuration as a whole."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from allears.settings.faults import Fault
from allears.settings.knowledge import CatalogueSection, CustomersSection
from allears.settings.model_section import ModelSection
from allears.settings.retention_section import RetentionSection
from allears.settings.routes import RouteSettings, RoutingSection
from allears.settings.rules_section import RulesSection
from allears.settings.understanding_section import UnderstandingSection
from allears_sdk.settings import ChannelSettings, DestinationSettings, Settings
from normalizer.own_rules import OwnRules

LOOPBACK = "127.0.0.1"


def default_language() -> Literal["zh", "en"]:
    """What LC_ALL, LC_MESSAGES or LANG asks for: `zh` for any Chinese, else `en`."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    return "zh" if next(filter(None, map(os.environ.get, names)), "").lower().startswith("zh") else "en"


def default_data_folder() -> Path:
    """systemd's StateDirectory, else /var/lib/allears for root, else the user's data folder."""
    if given := os.environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(given)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/allears")
    return Path(os.environ.get("XDG_DATA_HOME") or Path("~/.local/share").expanduser()) / "allears"


class DaemonSection(Settings):
    """The daemon itself."""

    data_folder: Path = Field(
        default_factory=default_data_folder,
        description="Where the journal and all attachments lie; relative to this file. Unset: systemd's "
        "StateDirectory, /var/lib/allears for root, else ~/.local/share/allears.",
        examples=["/var/lib/allears"],
    )
    language: Literal["zh", "en"] = Field(
        default_factory=default_language, description="Language of console, form and commands. Unset: as LANG says."
    )
    log_format: Literal["console", "json"] = Field(default="console", description="For people, or for a log collector.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Message bodies and contacts appear at debug only, masked."
    )
    workers: int = Field(
        default=0, ge=0, le=64, description="Processes that read and normalise messages; 0: one less than the cores."
    )
    credential_warning_days: float = Field(
        default=14,
        ge=0,
        le=365,
        description="How many days before a token, key or certificate ends the log and the console say so, each day "
        "again; 0: only once it has ended.",
    )
    stop_seconds: float = Field(
        default=10,
        ge=1,
        le=300,
        description="How long a stop waits for running calls to end; nothing is lost after it.",
    )

    @field_validator("data_folder")
    @classmethod
    def _is_absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()


class PublicSection(Settings):
    """The public room: webhooks, complaint form, attachment links."""

    host: str = Field(default=LOOPBACK, description="Address to listen on; keep loopback behind a reverse proxy.")
    port: int = Field(default=8780, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    base_url: str = Field(
        default="",
        pattern=r"^$|^https?://[^\s?#]+$",
        description="How customers and platforms reach this room; used in links and QR codes.",
        examples=["https://complaints.example.com"],
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(),
        description="Addresses or networks whose X-Forwarded-For is believed.",
        examples=[["127.0.0.1", "10.0.0.0/8"]],
    )
    max_body_bytes: int = Field(
        default=26_214_400, ge=1024, le=1 << 30, description="Largest request; a channel may allow less."
    )
    rate_limit_per_minute: int = Field(
        default=6000, ge=0, description="Requests a minute from one address before it gets 429; 0: no limit."
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file with certificate and chain, relative to this file; empty: plain HTTP.",
        examples=["tls/fullchain.pem"],
    )
    tls_key: Path | None = Field(
        default=None, description="PEM file with the certificate's key.", examples=["tls/key.pem"]
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise PydanticCustomError("network", "must be an IP address or network") from None
        return value

    @model_validator(mode="after")
    def _has_both_tls_files(self) -> PublicSection:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise PydanticCustomError("tls_pair", "tls_certificate and tls_key belong together")
        return self


class AdminSection(Settings):
    """The admin room: console, JSON API, metrics, health."""

    host: str = Field(
        default=LOOPBACK, description="Address to listen on; any but loopback asks for a token or password."
    )
    port: int = Field(default=8781, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    token: SecretStr | None = Field(
        default=None,
        description="Bearer token for the API, and for signing in to the console.",
        examples=["env:ALLEARS_ADMIN_TOKEN"],
    )
    username: str = Field(default="", description="Basic auth: the name.", examples=["admin"])
    password: SecretStr | None = Field(
        default=None, description="Basic auth: the password.", examples=["env:ALLEARS_ADMIN_PASSWORD"]
    )

    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="Names under which a reverse proxy reaches this room; any other Host header is refused.",
        examples=[["allears.example.com"]],
    )

    @model_validator(mode="after")
    def _is_guarded(self) -> AdminSection:
        if bool(self.username) != bool(self.password and self.password.get_secret_value()):
            raise PydanticCustomError("password_pair", "username and password belong together")
        if not is_loopback(self.host) and not self.guarded:
            raise PydanticCustomError(
                "unguarded", "a host that is not loopback needs a token, or a username and password"
            )
        return self

    @property
    def guarded(self) -> bool:
        """Whether visitors must show who they are."""
        return any(secret and secret.get_secret_value() for secret in (self.token, self.password))


@dataclass(frozen=True, slots=True, kw_only=True)
class Disabled:
    """A configured channel or destination whose kind cannot be used here."""

    section: str
    """`channels` or `destinations`."""
    name: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A valid file as a value. Secrets in it are resolved, and wrapped so that no repr shows them."""

    daemon: DaemonSection
    public: PublicSection
    admin: AdminSection
    routing: RoutingSection
    customers: CustomersSection = field(default_factory=CustomersSection)
    catalogue: CatalogueSection = field(default_factory=CatalogueSection)
    routes: tuple[RouteSettings, ...] = ()
    """In file order."""
    channels: Mapping[str, ChannelSettings]
    destinations: Mapping[str, DestinationSettings]
    disabled: tuple[Disabled, ...] = ()
    """Configured, but of a kind that does not load; all others go on without it."""
    warnings: tuple[Fault, ...] = ()
    faults: tuple[Fault, ...] = ()
    """Only where the file was read leniently (`glance`); whatever is at fault is missing here."""
    source: Path | None = None
    """The file; None: the built-in defaults."""
    environment: frozenset[str] = field(default=frozenset())
    """Names of the variables that override the file."""
    model: ModelSection = field(default_factory=ModelSection)
    rules: RulesSection = field(default_factory=RulesSection)
    retention: RetentionSection = field(default_factory=RetentionSection)
    understanding: UnderstandingSection = field(default_factory=UnderstandingSection)
    own_rules: OwnRules = field(default_factory=OwnRules)
    """What stands in the files that `rules` names."""

    @property
    def enabled_channels(self) -> Mapping[str, ChannelSettings]:
        return _enabled(self.channels)

    @property
    def enabled_destinations(self) -> Mapping[str, DestinationSettings]:
        return _enabled(self.destinations)

    @property
    def default_destinations(self) -> tuple[str, ...]:
        """Names of the enabled destinations a complaint goes to when nothing else is said, in file order."""
        wanted = self.routing.destinations or tuple(self.destinations)
        return tuple(name for name in wanted if name in self.enabled_destinations)


def _enabled(components: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: settings for name, settings in components.items() if settings.enabled}


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


SECTIONS: Mapping[str, type[Settings]] = MappingProxyType(
    {
        "allears": DaemonSection,
        "public": PublicSection,
        "admin": AdminSection,
        "routing": RoutingSection,
        "customers": CustomersSection,
        "catalogue": CatalogueSection,
        "model": ModelSection,
        "rules": RulesSection,
        "retention": RetentionSection,
        "understanding": UnderstandingSection,
    }
)
"""Section names as they stand in the file."""
