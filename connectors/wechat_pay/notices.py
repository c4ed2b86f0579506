"""Notifications: WeChat Pay tells that something happened to a complaint, and the poll finds out what.

WeChat Pay, "投诉通知回调", "创建投诉通知回调地址".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from allears_sdk.connector import Answer, Reception, Request, Wake
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError
from allears_sdk.signing import OutsideWindow
from connectors.wechat_pay.api import NOTIFICATIONS, Absent, Api
from connectors.wechat_pay.crypto import open_resource
from connectors.wechat_pay.keys import Forged, PlatformKeys, signature_of
from connectors.wechat_pay.settings import WechatPaySettings

COMPLAINT = "complaint"
"""In a wake's hint: the complaint to read."""
_EVENTS = "COMPLAINT."
_HEARD = Answer(status=204)


class Notices:
    def __init__(self, settings: WechatPaySettings, context: Context, keys: PlatformKeys) -> None:
        self._settings = settings
        self._context = context
        self._keys = keys
        self._is_registered = not settings.notification_url
        self._unknown: set[str] = set()

    def receive(self, request: Request, stream: str) -> Reception:
        """Signature first, over the bytes as they came. What is told without our being able to read it still wakes."""
        if request.method != "POST":
            return _refuse(405, "not a notification")
        try:
            self._keys.check(signature_of(request.header), request.body, request.received_at)
        except (Forged, OutsideWindow) as error:
            return _refuse(401, str(error))
        notice = _object(request.body)
        event = str(notice.get("event_type") or "")
        if not event.startswith(_EVENTS):
            self._note_unknown(event)
            return Reception(answer=lambda _: _HEARD)
        complaint = self._complaint(notice.get("resource"))
        hint = {COMPLAINT: complaint} if complaint else {}
        return Reception(wakes=(Wake(stream=stream, hint=hint),), answer=lambda _: _HEARD)

    def _complaint(self, resource: Any) -> str:
        try:
            opened = open_resource(
                self._settings.api_v3_key.get_secret_value(),
                nonce=str(resource["nonce"]),
                associated_data=str(resource.get("associated_data") or ""),
                ciphertext=str(resource["ciphertext"]),
            )
            return str(json.loads(opened)["complaint_id"])
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            reason = "api_v3_key is another one" if isinstance(error, ValueError) else "it is not as documented"
            self._context.log.warning("wechat_pay.notice_unreadable", reason=reason)
            return ""

    def _note_unknown(self, event: str) -> None:
        if event not in self._unknown and len(self._unknown) < 100:
            self._unknown.add(event)
            self._context.log.info("wechat_pay.unknown_event", event_type=event[:60])

    async def keep(self, api: Api) -> None:
        """See that WeChat Pay tells us, where we are to. What goes wrong here is logged, and stops no poll."""
        if self._is_registered:
            return
        self._is_registered = True
        try:
            await self._register(api)
        except AllearsError as error:
            self._context.log.warning("wechat_pay.not_notified", reason=str(error), detail=error.detail)

    async def _register(self, api: Api) -> None:
        wanted, there = self._settings.notification_url, await registered(api)
        if there != wanted:
            await api.send("PUT" if there else "POST", NOTIFICATIONS, {"url": wanted})
            self._context.log.info("wechat_pay.notified_from_now_on")


async def registered(api: Api) -> str:
    """Where WeChat Pay sends notifications now; "": nowhere."""
    try:
        answer = await api.get(NOTIFICATIONS)
    except Absent:
        return ""
    return str(answer.get("url") or "")


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _refuse(status: int, why: str) -> Reception:
    body = json.dumps({"code": "FAIL", "message": why}).encode()
    answer = Answer(status=status, body=body, media_type="application/json")
    return Reception(refused=why, answer=lambda _: answer)
