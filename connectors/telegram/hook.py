"""The webhook: set where the settings ask for one, looked after while allears runs, never taken from others."""

from __future__ import annotations

from urllib.parse import urlsplit

from allears_sdk.connector import Words
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected
from allears_sdk.signing import sha256_hex
from connectors.telegram.api import WAY_OUT, BotApi
from connectors.telegram.payload import HEARD, Webhook
from connectors.telegram.settings import TelegramSettings

LOOK_EVERY_SECONDS = 300.0
_NOTE = "webhook"


class Hook:
    """What Telegram knows of our address."""

    def __init__(self, settings: TelegramSettings, api: BotApi, context: Context) -> None:
        self._settings = settings
        self._api = api
        self._context = context
        self._look_at = context.clock.monotonic()
        self._error_at = int(context.clock.now().timestamp())
        """Newer errors are told; before that we were not there to be reached."""
        self._has_left = False

    @property
    def is_wanted(self) -> bool:
        return bool(self._settings.webhook_url)

    async def keep(self) -> None:
        """Set it where it is not, and say what hinders it. Raises ConfigError where another system has it."""
        now = self._context.clock.monotonic()
        if now < self._look_at:
            return
        found = await self._api.ask("getWebhookInfo", Webhook)
        self._refuse_strangers(found, await self._set_before())
        await self._set(found)
        self._tell_errors(found)
        self._look_at = now + LOOK_EVERY_SECONDS

    async def leave(self) -> None:
        """Take away the one we have set: the settings do not want it any more."""
        if self._has_left:
            return
        async with self._context.tokens.lock(_NOTE):
            before = await self._set_before()
            if before and (await self._api.ask("getWebhookInfo", Webhook)).url == before:
                await self._api.ask("deleteWebhook", bool)
                self._context.log.info("webhook_removed", url=before)
            if before:
                await self._context.tokens.delete(_NOTE)
        self._has_left = True

    async def describe(self) -> Words:
        """For `check`. Raises ConfigError where what is set over there cannot go with our settings."""
        found = await self._api.ask("getWebhookInfo", Webhook)
        self._refuse_strangers(found, await self._set_before())
        count, url, error = found.pending_update_count, self._settings.webhook_url, found.last_error_message
        if not self.is_wanted:
            return Words(f"asked: {count} updates wait", zh=f"主动读取：{count} 条待读")
        if not found.url:
            return Words(f"pushed to {url}: set when allears runs", zh=f"推送到 {url}：allears 运行时设置")
        return Words(
            f"pushed to {url}: {count} updates wait{f'; its last error: {error}' if error else ''}",
            zh=f"推送到 {url}：{count} 条待推{f'；最近的错误：{error}' if error else ''}",
        )

    async def _set_before(self) -> str:
        return str((await self._context.tokens.get(_NOTE) or {}).get("url", ""))

    def _refuse_strangers(self, found: Webhook, before: str) -> None:
        if found.url and found.url not in (self._settings.webhook_url, before):
            host = urlsplit(found.url).netloc  # no more of it: many a webhook has the bot's token in its path
            raise ConfigError(f"this bot's messages are pushed to {host} and not handed out: {WAY_OUT}")

    async def _set(self, found: Webhook) -> None:
        """Anew where the address or the secret is another: Telegram does not tell which secret it has."""
        secret = self._settings.webhook_secret
        hidden = secret.get_secret_value() if secret is not None else ""
        note = {"url": self._settings.webhook_url, "secret": sha256_hex(hidden), "updates": list(HEARD)}
        async with self._context.tokens.lock(_NOTE):
            if found.url == self._settings.webhook_url and await self._context.tokens.get(_NOTE) == note:
                return
            given = {"url": self._settings.webhook_url, "secret_token": hidden, "allowed_updates": HEARD}
            try:
                await self._api.ask("setWebhook", bool, given)
            except Rejected as error:
                raise ConfigError(f"Telegram does not take webhook_url: {error.detail}") from None
            await self._context.tokens.put(_NOTE, note)
        self._context.log.info("webhook_set", url=self._settings.webhook_url)

    def _tell_errors(self, found: Webhook) -> None:
        """Once for each: what Telegram's own attempts at us came to."""
        if found.last_error_date > self._error_at and found.pending_update_count:
            self._context.log.warning(
                "webhook_fails", waiting=found.pending_update_count, reason=found.last_error_message[:200]
            )
            self._error_at = found.last_error_date
