"""微信客服 in miniature: accounts whose messages are read by `sync_msg`, over real HTTP.

企业微信 "接收消息和事件" (94670), "获取客服账号列表", "获取客户基础信息", "发送消息"; limits as its
staff tell them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from allears_sdk.testing.clock import START
from tests.connectors._wechat.platform import OK, Platform, fault

KF, OTHER_KF = "wkAJ2GCAAAZSfhHCt7IFSvLKtMPxyJTw", "wkAJ2GCAAASSm4_FhToWMFea0xAFfd3Q"
CUSTOMER = "wmAJ2GCAAAme1XQRC-NI-q0_ZM9ukoAw"
HISTORY = timedelta(days=3)
TOKEN_LIFE = timedelta(minutes=10)
FREE_CALLS = 10


@dataclass
class KfPlatform(Platform):
    now: Callable[[], datetime] = lambda: START
    accounts: dict[str, str] = field(default_factory=lambda: {KF: "售后客服"})
    log: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    tokens: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    per_page: int = 1000
    is_stuttering: bool = False
    """Every other page is empty, and says that there is more."""
    free_calls: list[datetime] = field(default_factory=list)
    oldest_cursor: int = 0
    """Cursors before this one are refused."""
    pages: int = 0
    _count: int = 0

    # What people do

    def say(self, text: Any, *, account: str = KF, **more: Any) -> str:
        return self.add({"origin": 3, "msgtype": "text", "text": {"content": text}, **more}, account=account)

    def add(self, fields: dict[str, Any], *, account: str = KF) -> str:
        self._count += 1
        message = {
            "msgid": f"4sdfDlZFcBHtmYwYKAkhBVeGFLsq{self._count:06d}",
            "open_kfid": account,
            "external_userid": CUSTOMER,
            "send_time": int(self.now().timestamp()),
            **fields,
        }
        self.log[account].append(message)
        return str(message["msgid"])

    def happen(self, kind: str, *, account: str = KF, **event: Any) -> str:
        """In an event the ids stand inside it, not beside it."""
        inner = {"event_type": kind, "open_kfid": account, "external_userid": CUSTOMER, **event}
        return self.add({"origin": 4, "msgtype": "event", "event": inner, "open_kfid": None, "external_userid": None},
                        account=account)  # fmt: skip

    def signal(self, account: str = KF) -> str:
        """The token of a callback."""
        token = f"ENCApHxnGDNAVNY4AaSJKj4Tb5mwsEMzxhFmHVGcra996NR{len(self.tokens)}"
        self.tokens[token] = (account, self.now())
        return token

    # What it answers

    @property
    def _calls(self) -> dict[str, Callable[[dict[str, str], Any], dict[str, Any]]]:
        return {
            "/cgi-bin/kf/sync_msg": self._sync,
            "/cgi-bin/kf/account/list": self._accounts,
            "/cgi-bin/kf/customer/batchget": self._customers,
            "/cgi-bin/kf/send_msg": self._send_once,
            "/cgi-bin/kf/send_msg_on_event": self._greet,
        }

    def _sync(self, query: dict[str, str], body: Any) -> dict[str, Any]:
        account = body["open_kfid"]
        if account not in self.accounts:
            return fault(95004, "open_kfid not exist")
        if refused := self._refused(body.get("token"), account):
            return refused
        assert len(body["cursor"]) <= 64
        assert 0 < body["limit"] <= 1000
        start = self._position(account, body["cursor"])
        if start is None:
            return fault(40058, "invalid cursor")
        self.pages += 1
        if self.is_stuttering and self.pages % 2:
            return {**OK, "next_cursor": f"{account[-6:]}:{start}:{self.pages}", "has_more": 1, "msg_list": []}
        end = min(start + min(self.per_page, body["limit"]), len(self.log[account]))
        return {
            **OK,
            "next_cursor": f"{account[-6:]}:{end}",
            "has_more": int(end < len(self.log[account])),
            "msg_list": [_told(one) for one in self.log[account][start:end]],
        }

    def _refused(self, token: str | None, account: str) -> dict[str, Any] | None:
        known, at = self.tokens.get(token or "", ("", START))
        if token and known == account and self.now() - at <= TOKEN_LIFE:
            return None
        recent = [call for call in self.free_calls if self.now() - call < timedelta(minutes=1)]
        self.free_calls = [*recent, self.now()]
        if len(recent) >= FREE_CALLS:
            return fault(45009, "api freq out of limit")
        return fault(95007, "invalid msg token") if token else None

    def _position(self, account: str, cursor: str) -> int | None:
        if not cursor:
            oldest = (self.now() - HISTORY).timestamp()
            ages = [
                int(one["send_time"]) if isinstance(one.get("send_time"), int) else oldest for one in self.log[account]
            ]
            return sum(age < oldest for age in ages)
        whose, _, rest = cursor.partition(":")
        position = int(rest.partition(":")[0])
        return None if whose != account[-6:] or position < self.oldest_cursor else position

    def _accounts(self, query: dict[str, str], body: Any) -> dict[str, Any]:
        listed = [{"open_kfid": one, "name": name, "avatar": ""} for one, name in self.accounts.items()]
        return {**OK, "account_list": listed[body["offset"] : body["offset"] + body["limit"]]}

    def _customers(self, query: dict[str, str], body: Any) -> dict[str, Any]:
        wanted = body["external_userid_list"]
        known = [{"external_userid": one, "nickname": "", **self.users[one]} for one in wanted if one in self.users]
        return {
            **OK,
            "customer_list": known,
            "invalid_external_userid": [one for one in wanted if one not in self.users],
        }

    def _greet(self, query: dict[str, str], body: Any) -> dict[str, Any]:
        given = [one["send_time"] for log in self.log.values() for one in log
                 if one.get("event", {}).get("welcome_code") == body["code"]]  # fmt: skip
        is_used = any(one.get("code") == body["code"] for one in self.sent)
        if not given or is_used or self.now().timestamp() - given[0] > 20:
            return fault(95018, "code is invalid")
        self.sent.append(body)
        return {**OK, "msgid": f"greeting{len(self.sent)}"}

    def _send_once(self, query: dict[str, str], body: Any) -> dict[str, Any]:
        self.sent.append(body)
        return {**OK, "msgid": body["msgid"]}


def _told(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if value is not None}
