"""The company's customers, by every identifier its file names: a hundred thousand of them in a few megabytes."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from allears.filing.identity import email, name, phone
from allears.filing.sheets import Sheet, open_sheet
from allears.settings.knowledge import CustomersSection

_USUAL: Mapping[str, Sequence[str]] = {
    "id": ("customer_id", "customer_no", "id", "crm_id", "客户编号", "客户号", "客户id", "会员号", "会员编号"),
    "level": ("level", "tier", "customer_level", "vip", "等级", "级别", "会员等级", "客户等级", "客户级别"),
    "region": ("region", "country", "province", "地区", "省份", "区域", "国家"),
    "phone": ("phone", "mobile", "telephone", "tel", "phone_number", "手机", "手机号", "手机号码", "电话", "联系电话",
              "电话号码"),
    "email": ("email", "e_mail", "mail", "邮箱", "电子邮箱", "电子邮件", "邮件"),
    "wechat": ("wechat", "wechat_id", "weixin", "微信", "微信号"),
    "account": ("account", "openid", "unionid", "user_id", "handle", "账号", "用户名"),
}  # fmt: skip
_SEVERAL = re.compile(r"[;,，；、|\n]\s*")


@dataclass(frozen=True, slots=True)
class Profile:
    """What the file says of one customer."""

    level: str
    region: str
    id: str


@dataclass(frozen=True, slots=True)
class Customers:
    """Sorted digests of identifiers, each with its row."""

    digests: array[int]
    rows: array[int]
    profiles: array[int]
    """Of each row, the place of its level and region in `kinds`."""
    kinds: tuple[tuple[str, str], ...]
    ids: str
    """One after the other; `ends` tells where each ends."""
    ends: array[int]

    def __len__(self) -> int:
        return len(self.profiles)

    def find(self, identifiers: Iterable[str]) -> Profile | None:
        """Whom the first known of these belongs to."""
        for identifier in identifiers:
            digest = _digest(_general(identifier))
            at = bisect_left(self.digests, digest)
            if at < len(self.digests) and self.digests[at] == digest:
                return self._profile(self.rows[at])
        return None

    def levels(self) -> set[str]:
        return {level for level, _ in self.kinds}

    def regions(self) -> set[str]:
        return {region for _, region in self.kinds}

    def _profile(self, row: int) -> Profile:
        level, region = self.kinds[self.profiles[row]]
        start = self.ends[row - 1] if row else 0
        return Profile(level, region, self.ids[start : self.ends[row]])


def read_customers(section: CustomersSection) -> Customers:
    """From its file, which must be given. Of two rows with one identifier the first counts. Raises SheetError."""
    assert section.file is not None
    sheet = open_sheet(section.file)
    columns = _Columns(sheet, section)
    digests: dict[int, int] = {}
    kinds: dict[tuple[str, str], int] = {}
    profiles, ids, ends, length = array("I"), [], array("I"), 0
    for at, row in enumerate(sheet.rows):
        kind = (columns.cell(row, columns.level), columns.cell(row, columns.region))
        profiles.append(kinds.setdefault(kind, len(kinds)))
        ids.append(columns.cell(row, columns.id))
        length += len(ids[-1])
        ends.append(length)
        for identifier in columns.identifiers(row, section.region):
            digests.setdefault(_digest(identifier), at)
    order = sorted(digests)
    return Customers(
        array("Q", order), array("I", map(digests.__getitem__, order)), profiles, tuple(kinds), "".join(ids), ends
    )


class _Columns:
    """Where in a row everything stands."""

    def __init__(self, sheet: Sheet, section: CustomersSection) -> None:
        self.id = sheet.column(section.id_column, _USUAL["id"])
        self.level = sheet.column(section.level_column, _USUAL["level"])
        self.region = sheet.column(section.region_column, _USUAL["region"])
        self.phones = sheet.columns(section.phone_columns, _USUAL["phone"])
        self.emails = sheet.columns(section.email_columns, _USUAL["email"])
        self.wechats = sheet.columns(section.wechat_columns, _USUAL["wechat"])
        self.accounts = sheet.columns(section.account_columns, _USUAL["account"])
        if not (self.phones or self.emails or self.wechats or self.accounts):
            raise sheet.error("no_usual", what="person", setting="phone_columns, email_columns, …")
        if self.id is None and self.level is None and self.region is None:
            raise sheet.error("no_usual", what="known", setting="level_column")

    def cell(self, row: Sequence[str], column: int | None) -> str:
        return row[column].strip() if column is not None and column < len(row) else ""

    def identifiers(self, row: Sequence[str], region: str) -> Iterator[str]:
        found = [phone(one, region) for one in self._several(row, self.phones)]
        found += [email(one) for one in self._several(row, self.emails)]
        found += [name("wechat", one) for one in self._several(row, self.wechats)]
        found += [name("account", one) for one in self._several(row, self.accounts)]
        return (one for one in found if one)

    def _several(self, row: Sequence[str], columns: Sequence[int]) -> Iterator[str]:
        for column in columns:
            if cell := self.cell(row, column):
                yield from _SEVERAL.split(cell) if _SEVERAL.search(cell) else (cell,)


def _general(identifier: str) -> str:
    """The file does not say on which channel an account is: `account:shop:42` and `handle:telegram:li` are any's."""
    kind, _, rest = identifier.partition(":")
    return name("account", rest.partition(":")[2]) if kind in ("account", "handle") else identifier


def _digest(identifier: str) -> int:
    return int.from_bytes(blake2b(identifier.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
