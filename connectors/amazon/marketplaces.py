"""Amazon's shops: their ids, the region whose address serves them, and how each writes a date."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, get_args

_Americas = Literal["BR", "CA", "MX", "US"]
_Europe = Literal["AE", "DE", "EG", "ES", "FR", "IN", "IT", "NL", "PL", "SA", "SE", "TR", "UK"]
_FarEast = Literal["AU", "JP", "SG"]
Code = Literal[_Americas, _Europe, _FarEast]
Region = Literal["na", "eu", "fe"]
_DATE = re.compile(r"(\d{1,4})[-/. ]+(\d{1,2})[-/. ]+(\d{1,4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marketplace:
    id: str
    region: Region
    domain: str
    dates: Literal["MDY", "DMY", "YMD"] = "DMY"


MARKETPLACES: Final[Mapping[Code, Marketplace]] = {
    "AE": Marketplace(id="A2VIGQ35RCS4UG", region="eu", domain="amazon.ae"),
    "AU": Marketplace(id="A39IBJ37TRP1C6", region="fe", domain="amazon.com.au"),
    "BR": Marketplace(id="A2Q3Y263D00KWC", region="na", domain="amazon.com.br"),
    "CA": Marketplace(id="A2EUQ1WTGCTBG2", region="na", domain="amazon.ca"),
    "DE": Marketplace(id="A1PA6795UKMFR9", region="eu", domain="amazon.de"),
    "EG": Marketplace(id="ARBP9OOSHTCHU", region="eu", domain="amazon.eg"),
    "ES": Marketplace(id="A1RKKUPIHCS9HS", region="eu", domain="amazon.es"),
    "FR": Marketplace(id="A13V1IB3VIYZZH", region="eu", domain="amazon.fr"),
    "IN": Marketplace(id="A21TJRUUN4KGV", region="eu", domain="amazon.in"),
    "IT": Marketplace(id="APJ6JRA9NG5V4", region="eu", domain="amazon.it"),
    "JP": Marketplace(id="A1VC38T7YXB528", region="fe", domain="amazon.co.jp", dates="YMD"),
    "MX": Marketplace(id="A1AM78C64UM0Y8", region="na", domain="amazon.com.mx"),
    "NL": Marketplace(id="A1805IZSGTT6HS", region="eu", domain="amazon.nl"),
    "PL": Marketplace(id="A1C3SOZRARQ6R3", region="eu", domain="amazon.pl"),
    "SA": Marketplace(id="A17E79C6D8DWNP", region="eu", domain="amazon.sa"),
    "SE": Marketplace(id="A2NODRKZP88ZB9", region="eu", domain="amazon.se", dates="YMD"),
    "SG": Marketplace(id="A19VAU5U5O7RUS", region="fe", domain="amazon.sg"),
    "TR": Marketplace(id="A33AVAJ2PDY3EV", region="eu", domain="amazon.com.tr"),
    "UK": Marketplace(id="A1F83G8C2ARO7P", region="eu", domain="amazon.co.uk"),
    "US": Marketplace(id="ATVPDKIKX0DER", region="na", domain="amazon.com", dates="MDY"),
}
CODES: Final[tuple[Code, ...]] = get_args(Code)


def read_date(text: str, market: Marketplace) -> datetime | None:
    """Midnight UTC of a date as this shop writes it; none for what is no date. Four digits first are a year."""
    found = _DATE.fullmatch(text.strip())
    if not found:
        return None
    parts = dict(zip("YMD" if len(found[1]) == 4 else market.dates, map(int, found.groups()), strict=True))
    try:
        return datetime(parts["Y"] + (2000 if parts["Y"] < 100 else 0), parts["M"], parts["D"], tzinfo=UTC)
    except ValueError:
        return None
