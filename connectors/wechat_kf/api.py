"""Calls of 微信客服 (企业微信 documents 94670, 94677, 95122, 95159)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allears_sdk.codec import encode
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, Rejected, Unavailable
from allears_sdk.message import Author
from connectors._wechat.api import WorkApi
from connectors._wechat.codes import WORK, Codes, Meaning, Reaction
from connectors._wechat.fields import Fields
from connectors.wechat_kf.settings import WechatKfSettings

PAGE_MESSAGES = 1000
PAGE_ACCOUNTS = 100
MAX_ACCOUNTS = 5000
_BAD_TOKEN = 95007
_FREE_BURST = 4
_FREE_PER_SECOND = 0.1
"""Ten calls of `sync_msg` without a callback's token within a minute get the company blocked for a minute."""

KF: Codes = {
    **WORK,
    95000: Meaning(reaction=Reaction.CONFIG, text="there is no such customer service account (open_kfid)"),
    95004: Meaning(reaction=Reaction.CONFIG, text="there is no such customer service account (open_kfid)"),
    95011: Meaning(reaction=Reaction.CONFIG, text="customer service is used inside 企业微信: hand it over to the API"),
    95012: Meaning(reaction=Reaction.CONFIG, text="customer service is not switched on in 企业微信"),
    95017: Meaning(reaction=Reaction.CONFIG, text="the API of customer service is switched off in the console"),
    95001: Meaning(reaction=Reaction.VOID, text="the five messages after the customer's last word are used up"),
    95002: Meaning(reaction=Reaction.VOID, text="the customer wrote more than 48 hours ago"),
    95013: Meaning(reaction=Reaction.VOID, text="the session has ended"),
    95016: Meaning(reaction=Reaction.VOID, text="the session's state does not allow it"),
    95018: Meaning(reaction=Reaction.VOID, text="an agent has the session: the API may not speak in it"),
}
"""From the clients' source, not from trying."""


class BadToken(Rejected):
    """The callback's token is older than ten minutes, or another account's."""


class KfApi(WorkApi):
    """One company's customer service, by one app's secret."""

    def __init__(self, settings: WechatKfSettings, context: Context) -> None:
        super().__init__(
            context,
            url=settings.url,
            account=settings.corp_id,
            secret=settings.secret.get_secret_value(),
            timeout_seconds=settings.timeout_seconds,
        )
        self._free_calls = f"wechat_kf:{settings.corp_id}"
        context.remote.limit(self._free_calls, per_second=_FREE_PER_SECOND, burst=_FREE_BURST)

    def codes(self) -> Codes:
        return KF

    def error(self, code: int, message: str, path: str) -> AllearsError:
        if code == _BAD_TOKEN:
            return BadToken("the callback's token is no longer good")
        return super().error(code, message, path)

    async def sync(self, open_kfid: str, cursor: str, token: str) -> Mapping[str, Any]:
        """A page of messages after `cursor`; "" is the oldest of three days. With the token of a callback as often as
        needed, without one seldom: those calls wait for each other."""
        body = {"cursor": cursor, "limit": PAGE_MESSAGES, "voice_format": 0, "open_kfid": open_kfid}
        given = {"token": token} if token else {}
        return await self._call(
            "POST",
            "/cgi-bin/kf/sync_msg",
            content=encode({**body, **given}),
            repeatable=True,
            account="" if token else self._free_calls,
        )

    async def accounts(self) -> dict[str, str]:
        """open_kfid → name, of the accounts the app may manage."""
        found: dict[str, str] = {}
        for offset in range(0, MAX_ACCOUNTS, PAGE_ACCOUNTS):
            answer = await self.post("/cgi-bin/kf/account/list", {"offset": offset, "limit": PAGE_ACCOUNTS})
            page = Fields(answer).each("account_list")
            found |= {one.word("open_kfid"): one.text("name") for one in page if one.word("open_kfid")}
            if len(page) < PAGE_ACCOUNTS:
                return found
        raise Unavailable("the list of customer service accounts does not end")

    async def customer(self, user: str) -> Author:
        """ "获取客户基础信息". Raises Rejected for a customer nobody knows."""
        body = {"external_userid_list": [user], "need_enter_session_context": 0}
        answer = Fields(await self.post("/cgi-bin/kf/customer/batchget", body))
        for one in answer.each("customer_list"):
            if one.word("external_userid") == user:
                return Author(id=user, name=one.text("nickname").strip())
        raise Rejected("the platform tells nothing of this customer")
