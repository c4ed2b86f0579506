"""Change notifications: Microsoft tells at once that a folder has changed, and the poll finds out what.

"Receive change notifications through webhooks", "Reduce missing subscriptions and change notifications".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from allears_sdk.connector import Answer, Reception, Request, Wake
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError
from allears_sdk.signing import same, sha256_hex
from connectors._mail.source import Gone
from connectors.graph_mail.api import GraphApi
from connectors.graph_mail.folders import Folders

LIFETIME = timedelta(days=2)
"""Outlook's subscriptions may live a little under three days, by older pages, or seven."""
RENEW_BEFORE = timedelta(days=1)
RETRY_SECONDS = 600.0
RENEW = "renew"
_MAX_TOKEN = 4096
_REFUSED = Answer(status=403)
_ACCEPTED = Answer(status=202)


class Notices:
    """One subscription per folder, kept alive by the polls. Where there is none, polls alone hear."""

    def __init__(self, api: GraphApi, folders: Folders, context: Context) -> None:
        self._api = api
        self._folders = folders
        self._context = context
        self._retry_at: dict[str, float] = {}

    async def keep(self, folder: str, hint: Mapping[str, Any]) -> None:
        """See that Microsoft tells of this folder. What goes wrong here is logged, and stops no poll."""
        now = self._context.clock.monotonic()
        if not self._api.settings.notification_url or now < self._retry_at.get(folder, now):
            return
        try:
            await self._keep(folder, is_asked=bool(hint.get(RENEW)))
        except AllearsError as error:
            self._retry_at[folder] = now + RETRY_SECONDS
            self._context.log.warning("not_notified", folder=folder, reason=str(error), detail=error.detail)

    async def _keep(self, folder: str, *, is_asked: bool) -> None:
        name = f"subscription-{sha256_hex(f'{self._api.settings.notification_url} {folder}')[:24]}"
        async with self._context.tokens.lock(name):
            kept = await self._context.tokens.get(name) or {}
            if not is_asked and _until(kept) - self._context.clock.now() > RENEW_BEFORE:
                return
            renewed = await self._renewed(kept) or await self._made(folder)
            await self._context.tokens.put(name, renewed)

    async def _renewed(self, kept: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if not kept.get("id"):
            return None
        try:
            until = self._until()
            await self._api.send("PATCH", f"{self._api.root}/subscriptions/{kept['id']}", {"expirationDateTime": until})
        except Gone:
            return None
        return {"id": kept["id"], "until": until}

    async def _made(self, folder: str) -> Mapping[str, Any]:
        """While this request is under way Microsoft asks our address for a proof: see `receive`."""
        settings, found = self._api.settings, await self._folders.find(folder)
        url, until = settings.notification_url, self._until()
        body = {
            "changeType": "created",
            "notificationUrl": url,
            "lifecycleNotificationUrl": url,
            "resource": f"{self._api.mailbox.removeprefix(self._api.root)}/mailFolders('{found.id}')/messages",
            "expirationDateTime": until,
            "clientState": self._secret(),
        }
        made = await self._api.send("POST", f"{self._api.root}/subscriptions", body)
        return {"id": str(made.get("id", "")), "until": until}

    def receive(self, request: Request, streams: Sequence[str]) -> Reception:
        if not self._api.settings.notification_url:
            return Reception(refused="notification_url is not set", answer=lambda _: _REFUSED)
        if token := request.parameter("validationToken"):
            return Reception(answer=lambda _: _proof(token))
        notices = _notices(request.body)
        ours = [notice for notice in notices if same(str(notice.get("clientState", "")), self._secret())]
        if not ours:
            return Reception(refused="a notification without our notification_secret", answer=lambda _: _REFUSED)
        hint = {RENEW: True} if any(notice.get("lifecycleEvent") for notice in ours) else {}
        return Reception(wakes=[Wake(stream=stream, hint=hint) for stream in streams], answer=lambda _: _ACCEPTED)

    def _secret(self) -> str:
        secret = self._api.settings.notification_secret
        return secret.get_secret_value() if secret is not None else ""

    def _until(self) -> str:
        return (self._context.clock.now() + LIFETIME).strftime("%Y-%m-%dT%H:%M:%SZ")


def _proof(token: str) -> Answer:
    headers = {"X-Content-Type-Options": "nosniff"}
    return Answer(body=token[:_MAX_TOKEN].encode(), media_type="text/plain", headers=headers)


def _notices(body: bytes) -> list[Mapping[str, Any]]:
    try:
        notices = json.loads(body)["value"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    return [notice for notice in notices if isinstance(notice, dict)] if isinstance(notices, list) else []


def _until(kept: Mapping[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(str(kept.get("until")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
