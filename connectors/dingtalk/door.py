"""One request → what is posted in it, verified (page "Robots receive messages", HTTP mode)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from allears_sdk.connector import Request
from allears_sdk.signing import check_window, hmac_base64, same
from connectors.dingtalk.settings import DingTalkSettings


class Refused(ValueError):
    """This is not from DingTalk; the text never changes with what was sent."""


class Door:
    def __init__(self, settings: DingTalkSettings) -> None:
        self._secret = settings.client_secret.get_secret_value()
        self._path = settings.path_secret.get_secret_value() if settings.path_secret else ""
        self._window = timedelta(seconds=settings.replay_window_seconds)

    def admit(self, request: Request) -> None:
        """Raises Refused, and OutsideWindow for what is DingTalk's own, but old: the core looks after clocks. The
        signature covers time and secret only, never the body."""
        if not same(request.path.strip("/"), self._path):
            raise Refused("not the address with the path_secret")
        timestamp = request.header("timestamp")
        expected = hmac_base64(self._secret, f"{timestamp}\n{self._secret}")
        if not same(expected, request.header("sign")):
            raise Refused("bad signature")
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 14):
            raise Refused("the signature's time is none")
        check_window(datetime.fromtimestamp(int(timestamp) / 1000, UTC), request.received_at, self._window)
