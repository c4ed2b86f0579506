"""Whose signatures are WeChat Pay's: the public key from the console, and platform certificates by serial number."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from allears_sdk.context import Context
from allears_sdk.signing import OutsideWindow, check_window
from connectors.wechat_pay.crypto import load_certificate, load_public_key, public_key_of, serial_of, verify
from connectors.wechat_pay.settings import WechatPaySettings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

LIFETIME = timedelta(hours=12)
"""Certificates are asked for again when this old."""
PAUSE = timedelta(minutes=1)
"""Serials nobody knows do not make us ask more often."""
_PUBLIC_KEY = "PUB_KEY_ID_"


class Forged(ValueError):
    """It is not signed by WeChat Pay."""


class UnknownKey(Forged):
    """It is signed, but with a key that we do not hold (yet)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The four headers of an answer or a notification."""

    serial: str
    timestamp: str
    nonce: str
    signature: str


def signature_of(header: Callable[[str], str]) -> Signature:
    return Signature(
        serial=header("wechatpay-serial"),
        timestamp=header("wechatpay-timestamp"),
        nonce=header("wechatpay-nonce"),
        signature=header("wechatpay-signature"),
    )


class PlatformKeys:
    """Keys by the serial that `Wechatpay-Serial` names. Certificates outlive a restart in `context.tokens`."""

    def __init__(self, settings: WechatPaySettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._keys: dict[str, RSAPublicKey] = {}
        self._loaded_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._wants_certificates = settings.public_key is None
        if settings.public_key is not None:
            self._keys[_folded(settings.public_key_id)] = load_public_key(settings.public_key.get_secret_value())

    @property
    def is_stale(self) -> bool:
        """Whether certificates should be downloaded now."""
        now = self._context.clock.now()
        if not self._wants_certificates or (self._asked_at is not None and now - self._asked_at < PAUSE):
            return False
        return self._loaded_at is None or now - self._loaded_at > LIFETIME

    async def recall(self) -> None:
        """What an earlier life downloaded."""
        kept = await self._context.tokens.get(self._name) or {}
        certificates = kept.get("certificates")
        if kept.get("version") == 1 and isinstance(certificates, list):
            self._hold([str(pem) for pem in certificates])
            self._loaded_at = datetime.fromisoformat(str(kept["at"]))

    async def keep(self, certificates: Iterable[str]) -> None:
        """PEM texts that WeChat Pay has just handed over, and that we could decrypt."""
        pems, now = list(certificates), self._context.clock.now()
        self._hold(pems)
        self._loaded_at = now
        await self._context.tokens.put(self._name, {"version": 1, "at": now.isoformat(), "certificates": pems})

    def asked(self) -> None:
        self._asked_at = self._context.clock.now()

    def give_up(self) -> None:
        """There are no certificates to be had; whoever has the public key can do without, until one is seen again."""
        self._wants_certificates = False

    def check(self, given: Signature, body: bytes, now: datetime) -> None:
        """Raises UnknownKey, Forged, or OutsideWindow for a good signature of another time."""
        key = self._keys.get(_folded(given.serial))
        if key is None and given.serial and given.signature:
            self._miss(given.serial)
            raise UnknownKey("signed with a key that we do not hold")
        if key is None or not verify(key, given.signature, given.timestamp, given.nonce, body):
            raise Forged("not signed by WeChat Pay")
        if not (given.timestamp.isascii() and given.timestamp.isdecimal() and len(given.timestamp) <= 11):
            raise OutsideWindow("signed at no time")
        check_window(datetime.fromtimestamp(int(given.timestamp), UTC), now)

    def _miss(self, serial: str) -> None:
        """While a merchant changes over to the public key, notifications still come under certificates."""
        if not serial.startswith(_PUBLIC_KEY):
            self._wants_certificates = True
            self._loaded_at = None

    def _hold(self, pems: Iterable[str]) -> None:
        certificates = [load_certificate(pem) for pem in pems]
        ours = {serial: key for serial, key in self._keys.items() if serial.startswith(_PUBLIC_KEY)}
        self._keys = {_folded(serial_of(one)): public_key_of(one) for one in certificates} | ours

    @property
    def _name(self) -> str:
        return f"certificates-{self._settings.mchid}"


def _folded(serial: str) -> str:
    """A serial number is a number: written with or without leading zeros, in either case."""
    return serial if serial.startswith(_PUBLIC_KEY) else serial.upper().lstrip("0")
