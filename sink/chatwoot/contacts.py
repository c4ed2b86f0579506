"""Whose conversation it is: the contact of Chatwoot that has the customer's identifier, address or number."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping

from allears_sdk.complaint import Complaint
from allears_sdk.errors import Rejected, Unavailable
from allears_sdk.reference import seed
from allears_sdk.remote import Response
from allears_sdk.tickets import answered

UNIQUE = ("identifier", "email", "phone_number")
"""No two contacts of an account have the same; the first says most."""
PER_PAGE = 15
MAX_PAGES = 20
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_FORMS: Mapping[str, re.Pattern[str]] = {"email": _EMAIL, "phone_number": _E164}


class Refused(Rejected):
    """Chatwoot names what it does not take."""

    def __init__(self, message: str, *, detail: str, attributes: tuple[str, ...]) -> None:
        super().__init__(message, detail=detail)
        self.attributes = attributes


def contact_of(record: Complaint) -> dict[str, str]:
    """By an identifier of ours, the same for the same customer on every channel where that is known."""
    known_by = (record.customer.key,) if record.customer.key else (record.connector, record.customer_id or record.id)
    return {
        "identifier": f"allears-{seed('chatwoot', *known_by).hex()[:16]}",
        "name": record.contact.name or record.customer.name or record.contact.handle,
        "email": record.contact.email,
        "phone_number": record.contact.phone,
    }


class Contacts:
    def __init__(self, call: Callable[..., Awaitable[Response]]) -> None:
        self._call = call

    async def number(self, wanted: Mapping[str, str]) -> int:
        """Of the contact, made where there is none. Sending it again makes no second one: identifiers are unique.
        Searching is throttled more than making (100 a minute), so that comes first."""
        given = {name: value for name, value in wanted.items() if value and _fits(name, value)}
        for _ in UNIQUE:
            try:
                answer = await self._call("POST", "/contacts", json=given, repeatable=True)
                return int(answered(answer, "payload", "contact", "id"))
            except Refused as refused:
                blamed = [name for name in UNIQUE if name in refused.attributes and name in given]
                if not blamed:
                    raise
            for name in blamed:
                if number := await self._find(name, given[name]):
                    return number
            given = {name: value for name, value in given.items() if name not in blamed}
        raise Rejected("Chatwoot takes no contact for this customer")

    async def _find(self, name: str, value: str) -> int | None:
        """Search finds parts too: only the whole counts. Addresses have no case."""
        for page in range(1, MAX_PAGES + 1):
            query = {"q": value, "page": page, "include_contact_inboxes": "false"}
            found = answered(await self._call("GET", "/contacts/search", params=query), "payload")
            if not isinstance(found, list):
                raise Unavailable("the search for contacts makes no sense")
            for one in found:
                if str(one.get(name) or "").lower() == value.lower():
                    return int(one["id"])
            if len(found) < PER_PAGE:
                return None
        return None


def _fits(name: str, value: str) -> bool:
    """What is masked, or of another form, is not sent: Chatwoot would refuse it."""
    return name not in _FORMS or _FORMS[name].fullmatch(value) is not None
