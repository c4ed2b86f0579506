"""Who complains, and about which order: identifiers in one spelling, so that the same one is known on every channel."""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from allears.journal.senders import identity as mailbox
from allears_sdk.complaint import Complaint
from normalizer.readers.automatic import is_no_reply

MOST_IDENTIFIERS = 8
_CHINESE_MOBILE = re.compile(r"(?:\+?86)?(1[3-9][0-9]{9})")
_SPACING = re.compile(r"[\s\-().·—/]+")
_ORDER_SPACING = re.compile(r"[\s#\-_]+")
_ORDER = re.compile(r"[A-Z0-9]{8,40}")
_DIGITS = re.compile(r"\d")
_MIN_ORDER_DIGITS = 6
_MIN_NAME = 3
_NOBODY = frozenset({"anonymous", "unknown", "none", "null", "guest", "user", "匿名", "匿名用户", "游客", "用户"})


@dataclass(frozen=True, slots=True)
class Identity:
    """Identifiers, each `kind:value`; the customer's strongest first."""

    customer: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()


def identity_of(record: Complaint, region: str, own: Collection[str] = ()) -> Identity:
    """`region`: ISO 3166 code in which a phone number without a country code is read. `own`: the channel's own mail
    addresses, which are nobody's."""
    contact, given = record.contact, record.customer_id
    found = [
        _account(record, given),
        email(contact.email or (given if "@" in given else ""), own),
        phone(contact.phone, region),
        name("wechat", contact.wechat),
        name(f"handle:{record.connector}", contact.handle),
    ]
    customer = tuple(dict.fromkeys(one for one in found if one))[:MOST_IDENTIFIERS]
    return Identity(customer, tuple(_orders(record)))


def phone(text: str, region: str) -> str:
    """As E.164; "" for what is no whole number of somebody's (a masked one, a hotline)."""
    text = _SPACING.sub("", text)
    if not text or not _DIGITS.search(text) or "*" in text:
        return ""
    if region == "CN" or text.startswith(("+86", "86")):  # nine of ten here, at a fraction of the cost
        mobile = _CHINESE_MOBILE.fullmatch(text)
        if mobile:
            return f"phone:+86{mobile[1]}"
    return _foreign(text, region)


def country(identifiers: Iterable[str]) -> str:
    """ISO 3166 code of the first phone's country, "" where nobody gave one."""
    number = next((one.partition(":")[2] for one in identifiers if one.startswith("phone:")), "")
    return _country(number) if number else ""


def email(text: str, own: Collection[str] = ()) -> str:
    """The mailbox, without tags; "" for addresses that are nobody's."""
    address = text.strip().lower()
    if "@" not in address or address in own or is_no_reply(address):
        return ""
    return f"email:{mailbox(address)}"


def name(kind: str, text: str) -> str:
    """An id or handle people choose; "" for one that many have."""
    text = text.strip().lstrip("@").casefold()
    return f"{kind}:{text}" if len(text) >= _MIN_NAME and text not in _NOBODY else ""


def account(channel: str, text: str) -> str:
    """Ids are the channel's: two shops may number their customers alike."""
    text = text.strip()
    return f"account:{channel}:{text}" if text and text.casefold() not in _NOBODY else ""


def order(text: str) -> str:
    """ "" for what is too short to be one order's alone."""
    text = _ORDER_SPACING.sub("", text).upper()
    is_one = _ORDER.fullmatch(text) and len(_DIGITS.findall(text)) >= _MIN_ORDER_DIGITS
    return f"order:{text}" if is_one else ""


class Seal:
    """Identifiers as numbers that say nothing to whoever has no key: what the journal keeps of them."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __call__(self, identifier: str) -> int:
        """64 bits, signed as SQLite has them."""
        digest = hmac.digest(self._secret, identifier.encode("utf-8", "surrogatepass"), sha256)
        return int.from_bytes(digest[:8], "big", signed=True)

    def all(self, identifiers: Iterable[str]) -> tuple[int, ...]:
        return tuple(map(self, identifiers))


def _account(record: Complaint, given: str) -> str:
    contact = record.contact
    if not given or "@" in given or given in (contact.phone, contact.handle, contact.wechat):
        return ""
    return account(record.channel, given)


def _orders(record: Complaint) -> Iterable[str]:
    """Those the customer names, and those the source hints at."""
    named = (*record.entities.order, *record.product_or_order.split(", "))
    products = set(record.entities.product)
    return dict.fromkeys(found for one in named if one not in products and (found := order(one)))


@lru_cache(4096)
def _foreign(text: str, region: str) -> str:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return ""
    kinds = phonenumbers.PhoneNumberType
    nobodys = (kinds.UNKNOWN, kinds.TOLL_FREE, kinds.SHARED_COST, kinds.PREMIUM_RATE, kinds.UAN)
    if phonenumbers.number_type(number) in nobodys:  # unknown: no valid number
        return ""
    return f"phone:{phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)}"


@lru_cache(4096)
def _country(number: str) -> str:
    if number.startswith("+86"):
        return "CN"
    import phonenumbers

    return phonenumbers.region_code_for_number(phonenumbers.parse(number)) or ""
