"""The session resource (RFC 8620 §2): where a server's endpoints are, whose mail is there, and how much it takes."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from allears_sdk.codec import decode
from allears_sdk.errors import ConfigError, Unavailable
from allears_sdk.settings import nearest

CORE = "urn:ietf:params:jmap:core"
MAIL = "urn:ietf:params:jmap:mail"
MAX_OBJECTS = 500
"""Objects asked for at once, where the server would take more: an answer stays below some hundred KB."""
MAX_REQUESTS = 3


class Account(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    is_read_only: bool = False
    account_capabilities: dict[str, Any] = {}


class Session(msgspec.Struct, frozen=True, rename="camel"):
    """Only the fields that are used."""

    api_url: str
    download_url: str
    event_source_url: str = ""
    username: str = ""
    state: str = ""
    capabilities: dict[str, Any] = {}
    accounts: dict[str, Account] = {}
    primary_accounts: dict[str, str] = {}
    base: str = ""
    """Where it was found: its addresses may be relative to it."""

    def limit(self, name: str, most: int) -> int:
        """A limit of the core capability, `most` at most."""
        core = self.capabilities.get(CORE)
        told = core.get(name) if isinstance(core, dict) else None
        return max(1, min(told, most)) if isinstance(told, int) else most

    def account(self, wanted: str) -> str:
        """The id of the account of that id or name, "" for the login's own. Raises ConfigError."""
        with_mail = {key: one for key, one in self.accounts.items() if MAIL in one.account_capabilities}
        if not wanted:
            primary = self.primary_accounts.get(MAIL, "")
            if primary in self.accounts:
                return primary
            if len(with_mail) == 1:
                return next(iter(with_mail))
            raise ConfigError(f"this login has no mail of its own: set account{nearest('', self._names())}")
        for key, one in self.accounts.items():
            if wanted in (key, one.name):
                return key
        raise ConfigError(f'there is no account "{wanted}"{nearest(wanted, self._names())}')

    def _names(self) -> list[str]:
        return [one.name or key for key, one in self.accounts.items()]

    def endpoint(self, template: str, **values: str) -> str:
        """A URI template (RFC 6570 level 1) filled in. Raises Unavailable for one that would leave TLS."""
        for name, value in values.items():
            template = template.replace(f"{{{name}}}", quote(value, safe=""))
        url = urljoin(self.base, template)
        if urlsplit(url).scheme not in ("https", urlsplit(self.base).scheme):
            raise Unavailable("the session names an address without TLS")
        return url


def read_session(content: bytes, url: str) -> Session:
    """Raises Unavailable for what is none, ConfigError for a server without mail."""
    try:
        session = decode(content, Session)
    except ValueError as error:
        raise Unavailable(
            f"what lies at {urlsplit(url).netloc} is no JMAP session; is url right?", detail=str(error)
        ) from None
    if MAIL not in session.capabilities:
        raise ConfigError(f"{urlsplit(url).netloc} speaks JMAP, but not for mail")
    return msgspec.structs.replace(session, base=url)
