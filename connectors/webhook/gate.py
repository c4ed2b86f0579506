"""Verifies who posts: signatures over the raw bytes, secrets, networks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import ip_address, ip_network
from typing import Any

from allears_sdk.connector import Request
from allears_sdk.signing import BadSignature, check_window, same, verify_standard
from connectors.webhook.auth import MARK, AuthSettings, decoded_key
from connectors.webhook.body import decode_body, urlencoded_pairs
from connectors.webhook.paths import find
from connectors.webhook.values import as_text

_MILLISECONDS_FROM = 100_000_000_000


class Gate:
    """Verifies requests of one channel, in constant time for each secret."""

    def __init__(self, settings: AuthSettings, public_address: str = "") -> None:
        self._settings = settings
        self._secrets = tuple(secret.get_secret_value() for secret in settings.secrets)
        self._networks = tuple(ip_network(network) for network in settings.networks)
        self._url = settings.url or public_address
        checks: dict[str, Callable[[_Seen], str]] = {
            "standard": self._standard,
            "hmac": self._hashed,
            "digest": self._hashed,
            "twilio": self._twilio,
            "secret": self._secret,
            "bearer": self._bearer,
            "basic": self._basic,
            "none": lambda seen: "",
        }
        self._check = checks[settings.method]

    def fault(self, request: Request) -> str:
        """Why the request is not from who it should be; "" when it is. Raises OutsideWindow for one that is well
        signed, at another time."""
        if self._networks and not self._is_near(request.remote_address):
            return "from a network that may not post here"
        return self._check(_Seen(request))

    def _is_near(self, address: str) -> bool:
        try:
            return any(ip_address(address) in network for network in self._networks)
        except ValueError:
            return False

    def _standard(self, seen: _Seen) -> str:
        header = seen.request.header
        try:
            verify_standard(
                self._secrets,
                webhook_id=header("webhook-id"),
                timestamp=header("webhook-timestamp"),
                signature=header("webhook-signature"),
                body=seen.request.body,
                now=seen.request.received_at,
                tolerance=timedelta(seconds=self._settings.tolerance_seconds),
            )
        except BadSignature:
            return "bad signature"
        return ""

    def _hashed(self, seen: _Seen) -> str:
        given = seen.at(self._settings.place)
        fits = [same(given, one) for one in self._expected(seen)]  # all of them: no early end
        if not (given and any(fits)):
            return "bad signature"
        return self._window_fault(seen)

    def _expected(self, seen: _Seen) -> Iterator[str]:
        settings = self._settings
        for secret in self._secrets:
            text = self._signed_text(seen, secret)
            key = decoded_key(secret) if settings.key_encoding == "base64" else secret.encode()
            if settings.method == "hmac":
                digest = hmac.new(key, text, settings.algorithm).digest()
            else:
                digest = hashlib.new(settings.algorithm, text, usedforsecurity=False).digest()
            written = digest.hex() if settings.encoding == "hex" else base64.b64encode(digest).decode()
            yield settings.prefix + written

    def _signed_text(self, seen: _Seen, secret: str) -> bytes:
        def fill(mark: str) -> bytes:
            if mark == "body":
                return seen.request.body
            if mark == "secret":
                return secret.encode()
            text = seen.at(self._settings.timestamp) if mark == "timestamp" else seen.at(mark)
            return text.encode("utf-8", "surrogatepass")

        parts = MARK.split(self._settings.signed)
        return b"".join(fill(part) if at % 2 else part.encode() for at, part in enumerate(parts))

    def _window_fault(self, seen: _Seen) -> str:
        if not self._settings.timestamp:
            return ""
        text = seen.at(self._settings.timestamp)
        if not (text.isascii() and text.isdecimal() and len(text) <= 14):
            return "bad timestamp"
        number = int(text)
        moment = datetime.fromtimestamp(number / (1000 if number >= _MILLISECONDS_FROM else 1), UTC)
        check_window(moment, seen.request.received_at, timedelta(seconds=self._settings.tolerance_seconds))
        return ""

    def _twilio(self, seen: _Seen) -> str:
        """Twilio, "Webhooks security": HMAC-SHA1 over the address and the sorted fields; of JSON, over its hash."""
        given, request = seen.request.header("x-twilio-signature"), seen.request
        claimed = request.parameter("bodySHA256")
        if claimed:
            text, is_whole = f"bodySHA256={claimed}", same(claimed, hashlib.sha256(request.body).hexdigest())
            urls = [f"{url}{'&' if '?' in url else '?'}{text}" for url in _with_ports(self._url)]
        else:
            fields = seen.fields
            is_whole = fields is not None
            tail = "".join(name + value for name, value in sorted(set(fields or ())))
            urls = [url + tail for url in _with_ports(self._url)]
        expected = [
            base64.b64encode(hmac.new(secret.encode(), url.encode(), "sha1").digest()).decode()
            for secret in self._secrets
            for url in urls
        ]
        fits = [same(given, one) for one in expected]
        return "" if given and is_whole and any(fits) else "bad signature"

    def _secret(self, seen: _Seen) -> str:
        place = self._settings.place
        given = seen.request.path.removeprefix("/") if place == "path" else seen.at(place)
        return self._among(given.removeprefix(self._settings.prefix), "secret")

    def _bearer(self, seen: _Seen) -> str:
        kind, _, token = seen.request.header("authorization").partition(" ")
        return self._among(token.strip() if kind.lower() == "bearer" else "", "token")

    def _basic(self, seen: _Seen) -> str:
        kind, _, token = seen.request.header("authorization").partition(" ")
        try:
            given = base64.b64decode(token.strip(), validate=True) if kind.lower() == "basic" else b""
        except (binascii.Error, ValueError):
            given = b""
        name, _, password = given.partition(b":")
        is_named = same(name, self._settings.username)
        fits = [same(password, one) for one in self._secrets]
        return "" if is_named and any(fits) else "bad name or password"

    def _among(self, given: str, what: str) -> str:
        fits = [same(given, one) for one in self._secrets]
        return "" if given and any(fits) else f"bad {what}"


class _Seen:
    """A request; its body is decoded only where a signature asks for one of its fields."""

    def __init__(self, request: Request) -> None:
        self.request = request

    def at(self, place: str) -> str:
        """The text there; "" where there is none, or two different ones."""
        kind, _, name = place.partition(":")
        if kind == "header":
            return self.request.header(name)
        if kind == "parameter":
            return self.request.parameter(name)
        found = {as_text(value) for value in self._found(name)}
        return found.pop() if len(found) == 1 else ""

    def _found(self, path: str) -> list[Any]:
        try:
            return find(path, self._body, self._body)
        except ValueError:
            return []

    @cached_property
    def _body(self) -> Any:
        return decode_body(self.request.body, self.request.header("content-type"))

    @cached_property
    def fields(self) -> list[tuple[str, str]] | None:
        """Of a URL-encoded form; None for what is none."""
        try:
            return urlencoded_pairs(self.request.body)
        except ValueError:
            return None


def _with_ports(url: str) -> list[str]:
    """As it is, and with the scheme's own port or without it: Twilio signs either."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    port = ":443" if scheme == "https" else ":80"
    other = host.removesuffix(port) if host.endswith(port) else host if ":" in host else host + port
    return list(dict.fromkeys((url, f"{scheme}://{other}{slash}{path}")))
