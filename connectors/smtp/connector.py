"""Mail that other servers hand over to us, answered with 250 once it is on disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar

from allears_sdk.connector import Address, Batch, Connector, ConnectorSpec, Hears, Identity, Threading, Wake
from allears_sdk.context import Context
from allears_sdk.errors import Unavailable
from allears_sdk.mail.sender import Sender
from allears_sdk.settings import ChannelSettings
from connectors.smtp.desk import Desk
from connectors.smtp.server import Server, load_certificate
from connectors.smtp.settings import SmtpSettings
from connectors.smtp.tray import Tray


class SmtpConnector(Connector[SmtpSettings]):
    """Its raws are mails byte for byte (`message/rfc822`), the envelope beside them in their context."""

    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="smtp",
        title_en="Mail received by SMTP/LMTP",
        title_zh="接收邮件(SMTP/LMTP)",
        hears=frozenset({Hears.LISTEN}),
        threading=Threading.MAIL,
        verified="smtplib and bare sockets over TCP, TLS and Unix sockets",
        verified_zh="smtplib 和裸套接字，经 TCP、TLS、Unix 套接字",
    )
    Settings: ClassVar[type[ChannelSettings]] = SmtpSettings

    def __init__(self, settings: SmtpSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._tray = Tray()
        self._sender = Sender(settings.outgoing, context)
        self._server = Server(settings, context, Desk(settings, context, self._tray))

    async def stop(self) -> None:
        self._tray.close()
        await self._server.close()

    async def listen(self) -> AsyncIterator[Batch | Wake]:
        """A batch that is not stored ends this generator at its `yield`: that is how its senders come to hear 451."""
        await self._server.open()
        self._tray.open()
        try:
            while True:
                yield Batch(raws=await self._tray.take())
                self._tray.settle()
        finally:
            self._tray.close()

    async def check(self) -> Identity:
        """Tries to listen; where this very channel runs already, the port is in use and all is well."""
        settings = self.settings
        await self.context.blocking(load_certificate, settings)
        details = [
            f"recipients: {', '.join(settings.recipients) or 'all, from this machine only'}",
            "STARTTLS" if settings.certificate_file else "no TLS: certificate_file is not set",
        ]
        details.append("listening" if self._server.is_open else await self._try_out())
        return Identity(account=settings.place, details=(*details, *await self._sender.check()))

    async def reply(self, address: Address, text: str, key: str) -> None:
        await self._sender.send(address, text)

    async def _try_out(self) -> str:
        try:
            await self._server.open()
        except Unavailable as error:
            return f"{error} (nothing to do when that is allears itself)"
        await self._server.close()
        return "free to listen on"
