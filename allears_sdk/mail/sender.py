"""Mails of ours: whom answers may go to, and through which mailbox all go."""

from __future__ import annotations

from allears_sdk.connector import Address
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, Rejected, Void
from allears_sdk.mail.composition import compose, recipient_of
from allears_sdk.mail.submission import Outgoing
from allears_sdk.mail.submit import Mail, RecipientRefused, TokenRefused, submit
from allears_sdk.mail.wire import Wire
from allears_sdk.oauth import OAuth


class Sender:
    """Sends as one mailbox; without settings, nothing. `oauth` gives its access tokens where it has no password."""

    def __init__(self, settings: Outgoing | None, context: Context, oauth: OAuth | None = None) -> None:
        self._settings = settings
        self._context = context
        self._oauth = None if settings is not None and settings.password else oauth

    async def send(self, address: Address, text: str) -> None:
        """Raises as `Connector.reply` does."""
        settings = self._settings
        if settings is None:
            raise Void("this channel does not answer")
        recipient = recipient_of(address, (settings.sender.address, settings.username))
        mail = Mail(
            recipients=(recipient,),
            content=lambda bounces: compose(address, text, recipient, settings.sender, bounces=bounces),
        )
        try:
            await self._enter(settings, mail)
        except RecipientRefused as error:
            raise Rejected(str(error)) from None

    async def hand_over(self, mail: Mail | None) -> None:
        """Any mail; none: log in and send nothing. Raises as `Connector.reply` does, and RecipientRefused."""
        if self._settings is None:
            raise ConfigError("there is no server to send mails")
        await self._enter(self._settings, mail)

    async def check(self) -> tuple[str, ...]:
        """Logs in and sends nothing; how answers go out, for the details of a channel."""
        settings = self._settings
        if settings is None:
            return ()
        await self._enter(settings, None)
        return (f"answers as {settings.sender.address} through {settings.endpoint.host}:{settings.endpoint.port}",)

    async def _enter(self, settings: Outgoing, mail: Mail | None) -> None:
        """With a token that is refused, once more with another one: nothing was sent yet."""
        token = await self._oauth.access_token() if self._oauth else ""
        try:
            await self._submit(settings, token, mail)
        except TokenRefused:
            if self._oauth is None:
                raise
            await self._submit(settings, await self._oauth.access_token(stale=token), mail)

    async def _submit(self, settings: Outgoing, token: str, mail: Mail | None) -> None:
        wire = Wire(settings.endpoint)
        try:
            await self._context.blocking(wire.run, submit, wire, settings, token, mail)
        finally:
            wire.kill()
