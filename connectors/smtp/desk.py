"""What sessions ask: may this client come in, is that recipient ours, is this mail on disk."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any

from allears_sdk.context import Context
from allears_sdk.signing import same
from connectors.smtp.address import client_address, is_among
from connectors.smtp.mail import Client, Envelope, loop_in, raw_of
from connectors.smtp.settings import SmtpSettings
from connectors.smtp.tray import Tray

if TYPE_CHECKING:
    from aiosmtpd.proxy_protocol import ProxyData
    from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
    from aiosmtpd.smtp import Envelope as Transaction
    from aiosmtpd.smtp import Session as Talk

OK = "250 OK"
STORED = "250 2.0.0 stored"
CLOSING = "421 4.3.2 not taking mail now, come back later"
CROWDED = "421 4.7.0 too many connections, come back later"
STRANGER = "554 5.7.1 your address is not one that may connect here"
LATER = "451 4.3.0 not stored, send it again later"
NOT_OURS = "550 5.1.1 no such mailbox here, and we relay nothing"
TOO_MANY = "452 4.5.3 too many recipients, send the others separately"

MAX_RECIPIENTS = 1_000
QUIET_SECONDS = 60.0
_HASH_ELSEWHERE_BYTES = 1 << 20
_LEAST_HELD_BYTES = 64 << 20


class Desk:
    """Shared by all sessions of a channel, and the handler whose `handle_…` methods aiosmtpd calls."""

    def __init__(self, settings: SmtpSettings, context: Context, tray: Tray) -> None:
        self.settings = settings
        self.tray = tray
        self._context = context
        self._recipients = frozenset(settings.recipients)
        self._connections: Counter[str] = Counter()
        self._held_bytes = 0
        self._most_held_bytes = max(_LEAST_HELD_BYTES, 2 * settings.max_mail_bytes)
        self._said: dict[str, float] = {}

    # Coming in

    def admit(self, peer: object) -> str:
        """Counts the connection; why it is refused, or "". `leave` is called in either case."""
        address = client_address(peer)
        self._connections[address] += 1
        if self._connections.total() > self.settings.max_connections:
            return self.refuse(CROWDED, "too many connections")
        if self.settings.proxy_from:
            return self._judge(address, self.settings.proxy_from)
        if address and self._connections[address] > self.settings.max_connections_per_client:
            return self.refuse(CROWDED, "too many connections from one client")
        return self._judge(address, self.settings.allow_from)

    def leave(self, peer: object) -> None:
        address = client_address(peer)
        self._connections[address] -= 1
        if self._connections[address] <= 0:
            del self._connections[address]

    def _judge(self, address: str, networks: Sequence[IPv4Network | IPv6Network]) -> str:
        if not networks or not address or any(ip_address(address) in network for network in networks):
            return ""
        return self.refuse(STRANGER, "connection from an address that is not allowed")

    async def handle_PROXY(  # noqa: N802 - named by aiosmtpd
        self, server: SMTP, talk: Talk, transaction: Transaction, proxied: ProxyData
    ) -> bool:
        """A balancer's own checks (LOCAL, UNKNOWN) name no client."""
        if proxied.src_addr is None:
            return True
        talk.peer = (str(proxied.src_addr), 0)  # type: ignore[assignment]  # declared str, a socket's peer is a tuple
        return not self._judge(client_address(talk.peer), self.settings.allow_from)

    def log_in(
        self, server: SMTP, talk: Talk, transaction: Transaction, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        from aiosmtpd.smtp import AuthResult

        secret = self.settings.password
        is_name = same(data.login, self.settings.username)
        if secret is not None and same(data.password, secret.get_secret_value()) and is_name:
            return AuthResult(success=True, auth_data=data)
        self.refuse("", "wrong login")
        return AuthResult(success=False, handled=False)

    # The envelope

    async def handle_EHLO(  # noqa: N802 - named by aiosmtpd
        self, server: SMTP, talk: Talk, transaction: Transaction, hostname: str, answers: list[str]
    ) -> list[str]:
        talk.host_name = hostname
        kept = [answer for answer in answers if not answer.startswith("250-AUTH") or self.settings.username]
        return [kept[0], "250-PIPELINING", *kept[1:]]

    async def handle_MAIL(  # noqa: N802 - named by aiosmtpd
        self, server: SMTP, talk: Talk, transaction: Transaction, address: str, options: list[str]
    ) -> str:
        if not self.tray.is_open:
            return CLOSING.replace("421", "451")
        transaction.mail_from = address
        return OK

    async def handle_RCPT(  # noqa: N802 - named by aiosmtpd
        self, server: SMTP, talk: Talk, transaction: Transaction, address: str, options: list[str]
    ) -> str:
        if self._recipients and not is_among(address, self._recipients):
            return self.refuse(NOT_OURS, "mail for a recipient that is not ours")
        if len(transaction.rcpt_tos) >= MAX_RECIPIENTS:
            return TOO_MANY
        transaction.rcpt_tos.append(address)
        return OK

    # The mail

    def hold(self, size: int) -> bool:
        """Takes note of that many more bytes in memory (fewer, when negative); False when that is too much."""
        self._held_bytes += size
        return self._held_bytes <= self._most_held_bytes

    async def file(self, mail: bytes, envelope: Envelope, client: Client) -> str:
        """The answer to DATA: 250 once it is on disk. Never raises."""
        try:
            return await self._file(mail, envelope, client)
        except Exception as error:  # one answer for each recipient is still due
            return await self.handle_exception(error)

    async def _file(self, mail: bytes, envelope: Envelope, client: Client) -> str:
        if loop := loop_in(mail, self.settings.max_hops):
            return self.refuse(f"554 5.4.6 mail loop: {loop}", "a mail that goes in circles")
        received_at = self._context.clock.now()
        if len(mail) > _HASH_ELSEWHERE_BYTES:
            raw = await self._context.blocking(raw_of, mail, envelope, client, received_at)
        else:
            raw = raw_of(mail, envelope, client, received_at)
        if await self.tray.lay_down(raw, self.settings.answer_within_seconds):
            return STORED
        return self.refuse(LATER, "a mail that could not be stored in time; its sender keeps it")

    async def handle_exception(self, error: Exception) -> str:
        """What nobody foresaw must not make a sender give up: it is asked to come back."""
        if not isinstance(error, ConnectionError | asyncio.IncompleteReadError):
            self.refuse("", f"a session failed: {type(error).__name__}")
        return LATER

    def refuse(self, answer: str, reason: str, **facts: Any) -> str:
        """Logged once per reason and minute: whoever knocks all the time must not fill the log as well."""
        now = self._context.clock.monotonic()
        if now - self._said.get(reason, -QUIET_SECONDS) >= QUIET_SECONDS:
            self._said[reason] = now
            self._context.log.warning("smtp.refused", reason=reason, answer=answer[:9], **facts)
        return answer
