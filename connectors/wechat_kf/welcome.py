"""Greeting who enters: the platform gives a code with the event, good once and for 20 seconds (企业微信 95122)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from allears_sdk.context import Log
from allears_sdk.errors import AllearsError
from allears_sdk.message import Raw
from connectors._wechat.fields import read_json
from connectors._wechat.said import moment
from connectors.wechat_kf.api import KfApi

CODE_LIFE = timedelta(seconds=20)


async def greet(api: KfApi, raws: Iterable[Raw], text: str, now: datetime, log: Log) -> None:
    """Those who have just entered. A greeting that fails is not worth holding up what customers say."""
    for code in codes(raws, now):
        try:
            await api.post_once(
                "/cgi-bin/kf/send_msg_on_event", {"code": code, "msgtype": "text", "text": {"content": text}}
            )
        except AllearsError as error:
            log.info("wechat_kf.not_greeted", reason=str(error))


def codes(raws: Iterable[Raw], now: datetime) -> Iterator[str]:
    """Of events that are young enough. The platform gives none to whoever was greeted or wrote within 48 hours."""
    for raw in raws:
        if b'"welcome_code"' not in raw.body:
            continue
        fields = read_json(raw.body)
        sent, code = moment(fields.text("send_time")), fields.inner("event").word("welcome_code")
        if code and sent is not None and now - sent < CODE_LIFE:
            yield code
