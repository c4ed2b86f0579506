"""Microsoft Graph: how it is asked, and what its errors mean.

"Microsoft Graph error responses", "Obtain immutable identifiers for Outlook resources".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.oauth import OAuth
from allears_sdk.remote import Response
from connectors._mail.authorised import Authorised
from connectors._mail.source import Gone, Void
from connectors.graph_mail.settings import GraphMailSettings

PAGE_ITEMS = 200
IMMUTABLE = 'IdType="ImmutableId"'
_NO_MAILBOX = frozenset(
    {
        "errorinvaliduser",
        "errornonexistentmailbox",
        "mailboxnotenabledforrestapi",
        "mailboxnotsupportedforrestapi",
        "request_resourcenotfound",
        "resourcenotfound",
    }
)
_RESYNC = ("resync", "syncstate")
_LATER = frozenset({423, 509})
"""The mailbox is being moved; bandwidth is used up."""


class GraphApi:
    """One mailbox. Ids of mails are immutable ones throughout."""

    def __init__(self, settings: GraphMailSettings, context: Context) -> None:
        self.settings = settings
        self.oauth = OAuth(context, settings.oauth, settings.scopes, account=settings.mailbox)
        self._calls = Authorised(context, self.oauth, timeout_seconds=settings.timeout_seconds)
        self.root = f"{settings.url}/v1.0"
        self.mailbox = f"{self.root}/{_owner(settings.mailbox)}"

    async def get(self, url: str) -> Mapping[str, Any]:
        """Also of a link that Graph itself gave; the token never goes elsewhere."""
        if not url.startswith(f"{self.settings.url}/"):
            raise Unavailable("Graph's answer leads to another host")
        headers = {"Prefer": f"{IMMUTABLE}, odata.maxpagesize={PAGE_ITEMS}"}
        return self._read(await self._calls.call("GET", url, headers=headers))

    async def bytes_of(self, message_id: str, cut_at: int) -> Response:
        """The mail as MIME, cut where it is larger. Only this path hands it over; the one by folder does not."""
        url = f"{self.message_url(message_id)}/$value"
        response = await self._calls.call("GET", url, headers={"Prefer": IMMUTABLE}, cut_at=cut_at)
        self._check(response)
        return response

    async def send(self, method: str, url: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._read(await self._calls.call(method, url, headers={"Prefer": IMMUTABLE}, json=body))

    async def send_mail(self, mail: bytes) -> None:
        """As MIME ("Send messages with MIME content"). Raises InDoubt when it may have been sent."""
        headers = {"Content-Type": "text/plain"}
        self._check(await self._calls.once(f"{self.mailbox}/sendMail", headers=headers, content=base64.b64encode(mail)))

    def message_url(self, message_id: str) -> str:
        return f"{self.mailbox}/messages/{quote(message_id, safe='')}"

    def folder_url(self, folder_id: str) -> str:
        return f"{self.mailbox}/mailFolders/{quote(folder_id, safe='')}"

    def _read(self, response: Response) -> Mapping[str, Any]:
        self._check(response)
        body = response.json() if response.content else {}
        if not isinstance(body, dict):
            raise Unavailable(f"{response.call.place}: the answer is not what Graph documents")
        return body

    def _check(self, response: Response) -> None:
        if 200 <= response.status < 300:
            return
        code, detail = _error(response)
        what = f"{response.call.place}: {response.status} {code}".rstrip()
        is_mailbox = response.call.url.startswith(self.mailbox)
        named = self._named(response.status, code.lower() if is_mailbox else "", what, detail)
        if named is not None:
            raise named
        self._calls.check(response)

    def _named(self, status: int, code: str, what: str, detail: str) -> Exception | None:
        mailbox = self.settings.mailbox
        if status == 410 or any(word in code for word in _RESYNC):
            return Void(what)
        if status == 401:
            return AuthError(f"Microsoft refuses the access token ({what})", detail=detail)
        if status == 403:
            advice = _advice(self.settings)
            return ConfigError(f"the application may not do this in {mailbox}: {advice} ({what})", detail=detail)
        if status == 404 and code in _NO_MAILBOX:
            return ConfigError(f"there is no mailbox {mailbox} in Exchange Online ({what})", detail=detail)
        if status == 404:
            return Gone(what, detail=detail)
        return RetryLater(what, detail=detail) if status in _LATER else None


def _owner(mailbox: str) -> str:
    return "me" if mailbox == "me" else f"users/{quote(mailbox, safe='@')}"


def _error(response: Response) -> tuple[str, str]:
    """Graph's code and its own words."""
    try:
        error = response.json()["error"]
        return str(error["code"])[:80], str(error.get("message", ""))[:300]
    except (AllearsError, KeyError, TypeError, AttributeError):
        return "", response.text()[:300]


def _advice(settings: GraphMailSettings) -> str:
    permission = settings.scopes[0].rpartition("/")[2]
    return f"grant {permission} with admin consent, and see that the access policy covers this mailbox"
