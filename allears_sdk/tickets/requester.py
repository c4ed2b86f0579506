"""Who asks, in stores that want a requester with an address for each ticket."""

from __future__ import annotations

import re
from collections.abc import Collection

from allears_sdk.complaint import Complaint

ADDRESS = r"[^\s@<>,;]+@[^\s@<>,;]+\.[^\s@<>,;]+"
"""An address that such stores take, as a pattern."""


def email_of(record: Complaint, mask: Collection[str]) -> str:
    """The customer's, as it can be written to; "" where there is none, and where it would be masked: a masked address
    is nobody's."""
    email = record.contact.email
    return email if "email" not in mask and re.fullmatch(ADDRESS, email) else ""


def name_of(record: Complaint) -> str:
    """What to call the customer, by what is known; "" where nothing is."""
    contact = record.contact
    names = (contact.name, record.customer.name, contact.handle, contact.email, contact.phone, contact.wechat)
    return next((name for name in names if name), "")[:200]
