"""Which column of a sheet means what, in the headers that store desks and platforms export."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

Aliases = Mapping[str, tuple[str, ...]]
ALIASES: Final[Aliases] = {
    "text": (
        *(
            "投诉内容",
            "问题描述",
            "问题详细描述",
            "反馈内容",
            "评价内容",
            "评论内容",
            "留言内容",
            "顾客原话",
            "客户原话",
        ),
        *("详细描述", "内容", "评价", "评论", "留言", "描述", "反馈", "意见", "投诉", "complaint text", "review text"),
        *("review body", "complaint", "comment", "comments", "feedback", "description", "message", "content", "review"),
        *("text", "body", "details"),
    ),
    "subject": ("标题", "主题", "投诉标题", "评价标题", "subject", "title", "headline", "summary"),
    "external_id": (
        *(
            "投诉编号",
            "投诉单号",
            "工单号",
            "工单编号",
            "反馈编号",
            "评价编号",
            "评论编号",
            "评价id",
            "评论id",
            "流水号",
        ),
        *("external id", "complaint id", "complaint number", "review id", "ticket id", "ticket number", "case id"),
        *("case number", "message id", "feedback id", "uuid"),
    ),
    "posted_at": (
        *("投诉时间", "评价时间", "评论时间", "反馈时间", "提交时间", "创建时间", "留言时间", "投诉日期", "评价日期"),
        *("反馈日期", "时间", "日期", "posted at", "created at", "submitted at", "received at", "timestamp"),
        *("date time", "datetime", "time", "date"),
    ),
    "rating": ("评分", "星级", "打分", "满意度", "评价星级", "评价等级", "rating", "stars", "score", "star rating"),
    "product": (
        *("商品名称", "产品名称", "商品", "产品", "涉及产品", "菜品", "product name", "product", "item name", "item"),
    ),
    "order": ("订单号", "订单编号", "订单id", "订单", "单号", "order number", "order id", "order no", "order"),
    "permalink": ("链接", "网址", "评价链接", "permalink", "url", "link"),
    "name": (
        *("姓名", "客户姓名", "顾客姓名", "客户名称", "客户", "顾客", "称呼", "联系人", "昵称", "用户名", "买家昵称"),
        *("customer name", "full name", "contact name", "name", "customer", "user name", "reviewer"),
    ),
    "phone": (
        *("电话", "手机", "手机号", "手机号码", "联系电话", "电话号码", "客户电话", "顾客电话", "phone number"),
        *("phone", "mobile", "mobile number", "telephone", "tel"),
    ),
    "email": ("邮箱", "电子邮箱", "电子邮件", "邮件", "email", "email address", "mail"),
    "wechat": ("微信", "微信号", "wechat", "wechat id", "weixin"),
    "customer_id": (
        "客户编号",
        "客户id",
        "会员号",
        "会员编号",
        "会员id",
        "用户id",
        "customer id",
        "member id",
        "user id",
    ),
    "level": ("会员等级", "客户等级", "等级", "level", "tier", "customer level"),
}
"""Best first. A bare "id" or "编号" is not among them: in many exports it counts rows, anew in each file."""

_COUNTERS = frozenset({"序号", "行号", "no", "no.", "#", "row", "rownumber"})
"""Columns that count rows: the same row has another number in the next export."""

_HEADER_ROWS = 10
"""Exports put titles and dates above their header; it is looked for in this many rows."""


class Header:
    """A sheet's header row: which column fills which field, and what the other columns are called."""

    def __init__(self, cells: Sequence[str], chosen: Mapping[str, str], aliases: Aliases = ALIASES) -> None:
        self.names = tuple(cell.strip() for cell in cells)
        places: dict[str, int] = {}
        for place, name in enumerate(self.names):
            places.setdefault(fold(name), place)
        known = {**aliases, **{field: (header,) for field, header in chosen.items()}}
        found = {field: _place(headers, places) for field, headers in known.items()}
        self.fields = {field: place for field, place in found.items() if place is not None}
        mapped = frozenset(self.fields.values())
        self.others = {
            place: name
            for place, name in enumerate(self.names)
            if name and place not in mapped and not is_counter(name)
        }


def find_header(
    rows: Sequence[Sequence[str]], chosen: Mapping[str, str], aliases: Aliases = ALIASES
) -> tuple[int, Header] | None:
    """Index and meaning of the first row that has a column for the text (or, failing that, the rating)."""
    headers = [Header(row, chosen, aliases) for row in rows[:_HEADER_ROWS]]
    widest = max((sum(map(bool, header.names)) for header in headers), default=0)
    for wanted in ("text", "rating"):
        for index, header in enumerate(headers):
            if wanted in header.fields and sum(map(bool, header.names)) >= min(2, widest):
                return index, header
    return None


def is_counter(name: str) -> bool:
    return fold(name) in _COUNTERS


def fold(name: str) -> str:
    """ " 评价内容（必填）*" → "评价内容"; "Order_No." → "orderno."."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"\([^)]*\)|[\s_\-*:\"'\ufeff]", "", folded)


def _place(headers: Sequence[str], places: Mapping[str, int]) -> int | None:
    return next((places[header] for header in map(fold, headers) if header in places), None)
