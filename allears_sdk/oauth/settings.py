"""What an admin says about an application that is registered at Microsoft, Google or elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import Field, model_validator

from allears_sdk.settings import SecretStr, Settings

Grant = Literal["device", "browser", "client_credentials", "service_account"]

_MICROSOFT = "https://login.microsoftonline.com"
_GOOGLE_AUTHORIZE = "https://accounts.google.com/o/oauth2/v2/auth"
_GOOGLE_TOKEN = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, no secret
_MANY_TENANTS = frozenset({"common", "organizations", "consumers"})
_URL = "^$|^https://|^http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:\\d+)?(/|$)"


class OAuthSettings(Settings):
    """An application's registration, and the way it gets its tokens."""

    provider: Literal["microsoft", "google", "custom"] = Field(
        description='Who grants access; "custom" needs the addresses below.', examples=["microsoft"]
    )
    grant: Grant | None = Field(
        default=None,
        description='How: "device" (a code typed on any device) or "browser" (a page that leads back here), once, by '
        '`allears channels login`; "client_credentials" or "service_account" without a person. '
        "Empty: device at Microsoft, browser elsewhere.",
    )
    client_id: str = Field(
        default="", description="The application's (client) id.", examples=["11111111-2222-3333-4444-555555555555"]
    )
    client_secret: SecretStr | None = Field(
        default=None,
        description="Its secret, where it has one. Microsoft: for client_credentials only; Google: always.",
    )
    tenant: str = Field(
        default="",
        pattern=r"^[\w.-]*$",
        description='Microsoft: the directory (tenant) id or domain; "consumers" for personal accounts.',
        examples=["contoso.onmicrosoft.com"],
    )
    service_account: SecretStr | None = Field(
        default=None,
        description="Google: the service account's JSON key, which acts for the mailbox (domain-wide delegation).",
        examples=["file:/etc/allears/google-service-account.json"],
    )
    subject: str = Field(
        default="", description="Google: the account that the service account acts for; empty: the channel's own."
    )
    scopes: tuple[str, ...] = Field(default=(), description="Permissions asked for; empty: what the channel needs.")
    authorize_url: str = Field(default="", pattern=_URL, description="Page for logging in; empty: the provider's.")
    token_url: str = Field(default="", pattern=_URL, description="Where tokens come from; empty: the provider's.")
    device_url: str = Field(
        default="", pattern=_URL, description="Where device codes come from; empty: the provider's."
    )
    redirect_port: int = Field(
        default=0, ge=0, le=65_535, description="Local port the browser is led back to; 0: any free one."
    )

    @model_validator(mode="after")
    def _agree(self) -> OAuthSettings:
        check = {"microsoft": self._microsoft, "google": self._google, "custom": self._custom}[self.provider]
        _refuse(check())
        _refuse(self._anywhere())
        return self

    def _microsoft(self) -> Iterable[tuple[bool, str]]:
        machine = self.effective_grant == "client_credentials"
        yield not self.tenant, "Microsoft needs a tenant: the directory (tenant) id, or its domain"
        yield machine and self.tenant in _MANY_TENANTS, f'client_credentials need one tenant, not "{self.tenant}"'
        yield self.effective_grant == "service_account", "service accounts are Google's: use client_credentials"

    def _google(self) -> Iterable[tuple[bool, str]]:
        grant = self.effective_grant
        yield grant == "device", 'Google grants no access to mail by device code: use "browser" or "service_account"'
        yield grant == "client_credentials", 'at Google that is "service_account"'
        yield grant == "browser" and not self.client_secret, "Google needs the client_secret too"

    def _custom(self) -> Iterable[tuple[bool, str]]:
        grant = self.effective_grant
        yield grant == "service_account", "service accounts are Google's"
        yield not self.token_url, 'provider = "custom" needs token_url'
        yield grant == "device" and not self.device_url, 'grant = "device" needs device_url'
        yield grant == "browser" and not self.authorize_url, 'grant = "browser" needs authorize_url'

    def _anywhere(self) -> Iterable[tuple[bool, str]]:
        grant = self.effective_grant
        robot = grant == "service_account"
        yield robot and not self.service_account, "service_account is missing: the JSON key"
        yield bool(self.service_account) and not robot, 'service_account and grant = "service_account" go together'
        yield not robot and not self.client_id, "client_id is missing"
        yield grant == "client_credentials" and not self.client_secret, "client_credentials need a client_secret"

    @property
    def effective_grant(self) -> Grant:
        return self.grant or ("device" if self.provider == "microsoft" else "browser")

    @property
    def is_personal(self) -> bool:
        """Somebody has to log in once."""
        return self.effective_grant in ("device", "browser")

    @property
    def effective_authorize_url(self) -> str:
        google = _GOOGLE_AUTHORIZE if self.provider == "google" else ""
        return self.authorize_url or google or self._microsoft_url("authorize")

    @property
    def effective_token_url(self) -> str:
        google = _GOOGLE_TOKEN if self.provider == "google" else ""
        return self.token_url or google or self._microsoft_url("token")

    @property
    def effective_device_url(self) -> str:
        return self.device_url or self._microsoft_url("devicecode")

    def _microsoft_url(self, page: str) -> str:
        return f"{_MICROSOFT}/{self.tenant}/oauth2/v2.0/{page}"

    def effective_scopes(self, needed: Sequence[str]) -> tuple[str, ...]:
        """`needed` as this provider and grant want to be asked: Microsoft has `RESOURCE/.default` for applications,
        and gives a refresh token for `offline_access` only."""
        if self.scopes:
            return self.scopes
        if self.provider != "microsoft":
            return tuple(needed)
        if self.effective_grant == "client_credentials":
            named = [scope for scope in needed if "/" in scope]
            return tuple(dict.fromkeys(scope.rpartition("/")[0] + "/.default" for scope in named))
        return tuple(dict.fromkeys((*needed, "offline_access")))


def _refuse(faults: Iterable[tuple[bool, str]]) -> None:
    for is_so, text in faults:
        if is_so:
            raise ValueError(text)
