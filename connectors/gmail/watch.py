"""Push through Pub/Sub: Gmail tells at once that the mailbox has changed, and the poll finds out what.

"Push notifications" of the Gmail API guides; "Push subscriptions" of Pub/Sub.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from allears_sdk.connector import Answer, Reception, Request, Wake
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError
from allears_sdk.signing import same, sha256_hex
from connectors.gmail.api import GmailApi
from connectors.gmail.labels import Labels

RENEW_EVERY = timedelta(days=1)
"""A watch ends after seven days; Google recommends to renew it daily."""
RETRY_SECONDS = 600.0
_REFUSED = Answer(status=403)
_DONE = Answer(status=204)


class Watch:
    """One for the mailbox, kept alive by the polls. Where there is none, polls alone hear."""

    def __init__(self, api: GmailApi, labels: Labels, context: Context) -> None:
        self._api = api
        self._labels = labels
        self._context = context
        self._retry_at: float | None = None
        settings = api.settings
        watched = " ".join((settings.mailbox, settings.topic, *sorted(settings.labels)))
        self._name = f"watch-{sha256_hex(watched)[:24]}"

    async def keep(self) -> None:
        """See that Gmail tells of new mail. What goes wrong here is logged, and stops no poll."""
        now = self._context.clock.monotonic()
        if not self._api.settings.topic or (self._retry_at is not None and now < self._retry_at):
            return
        try:
            await self._keep()
        except AllearsError as error:
            self._retry_at = now + RETRY_SECONDS
            self._context.log.warning("not_notified", reason=str(error), detail=error.detail)

    async def _keep(self) -> None:
        now = self._context.clock.now().timestamp()
        async with self._context.tokens.lock(self._name):
            kept = await self._context.tokens.get(self._name) or {}
            if now - float(kept.get("made_at", 0)) < RENEW_EVERY.total_seconds():
                return
            labels = [await self._labels.find(name) for name in self._api.settings.labels]
            body = {"topicName": self._api.settings.topic, "labelIds": labels, "labelFilterBehavior": "INCLUDE"}
            await self._api.post("watch", body)
            await self._context.tokens.put(self._name, {"made_at": now})

    def receive(self, request: Request, streams: Sequence[str]) -> Reception:
        secret = self._api.settings.push_token
        if secret is None or not self._api.settings.topic:
            return Reception(refused="topic is not set", answer=lambda _: _REFUSED)
        if not same(request.parameter("token"), secret.get_secret_value()):
            return Reception(refused="a push without our push_token", answer=lambda _: _REFUSED)
        if not self._is_ours(request.body):
            return Reception(answer=lambda _: _DONE)  # answered well, or Pub/Sub sends it again for days
        return Reception(wakes=[Wake(stream=stream) for stream in streams], answer=lambda _: _DONE)

    def _is_ours(self, body: bytes) -> bool:
        """One topic may serve many mailboxes; a body that names none wakes too."""
        account = _account(body)
        return account in ("", self._api.settings.mailbox.casefold())


def _account(body: bytes) -> str:
    """Gmail's guide shows base64url, Pub/Sub's own pages plain base64."""
    try:
        packed = str(json.loads(body)["message"]["data"]).replace("+", "-").replace("/", "_")
        data: Any = json.loads(base64.urlsafe_b64decode(packed + "=="))
        return str(data["emailAddress"]).casefold()
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
