"""Calls to WeChat Pay: requests signed with the merchant's key, answers verified, errors by the reaction they ask for.

WeChat Pay, "消费者投诉2.0" and "APIv3 接口规则".
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, Rejected, RetryLater, Unavailable
from allears_sdk.remote import Response, check_status
from allears_sdk.signing import OutsideWindow
from connectors.wechat_pay.crypto import SCHEME, load_private_key, open_resource, sign
from connectors.wechat_pay.keys import Forged, PlatformKeys, UnknownKey, signature_of
from connectors.wechat_pay.settings import WechatPaySettings

COMPLAINTS = "/v3/merchant-service/complaints-v2"
NOTIFICATIONS = "/v3/merchant-service/complaint-notifications"
IMAGES = "/v3/merchant-service/images"
_CERTIFICATES = "/v3/certificates"
_TOO_MUCH = "数据量过大"
_REACTIONS: Mapping[str, tuple[type[AllearsError], str]] = {
    "SIGN_ERROR": (
        AuthError,
        "WeChat Pay refuses our signature: do mchid, serial_no and private_key belong together, is the clock right?",
    ),
    "NO_AUTH": (ConfigError, "this merchant may not use the complaints API: ask for it in the merchant console"),
    "FREQUENCY_LIMITED": (RetryLater, "WeChat Pay asks us to slow down"),
    "FREQUENCY_LIMIT_EXCEED": (RetryLater, "WeChat Pay asks us to slow down"),
    "RATELIMIT_EXCEEDED": (RetryLater, "WeChat Pay asks us to slow down"),
}
"""Codes whose meaning is the same at every call; all others go by their status."""


class TooMuch(Rejected):
    """The answer would be too large: ask for fewer."""


class Absent(Rejected):
    """There is no such thing (any more)."""


class Api:
    """One merchant."""

    def __init__(self, settings: WechatPaySettings, context: Context, keys: PlatformKeys) -> None:
        self.settings = settings
        self._context = context
        self._keys = keys
        self.private_key = load_private_key(settings.private_key.get_secret_value())

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        """A verified JSON object. Raises TooMuch, Absent, and as `context.remote.request`."""
        query = urlencode({name: value for name, value in params.items() if value != ""})
        await self.refresh()
        response = await self._send("GET", f"{path}?{query}" if query else path, b"")
        self._check(response)
        try:
            self._verify(response)
        except AuthError:
            if not self._keys.is_stale:
                raise
            await self.refresh()  # WeChat Pay has begun to use another certificate
            self._verify(response)
        return _object(response)

    async def send(self, method: str, path: str, body: Mapping[str, Any]) -> None:
        """Raises InDoubt when it may have been done. Nothing of the answer is believed, so that it needs no signature:
        what was done must never count as not done."""
        self._check(await self._send(method, path, json.dumps(body, ensure_ascii=False).encode()))

    async def download(self, url: str, max_bytes: int) -> Response:
        """A picture. What lies at WeChat Pay is asked for with a signature (its answer has none); what lies elsewhere
        without, and never in a private network."""
        place = urlsplit(url)
        if f"{place.scheme}://{place.netloc}" != self.settings.url:
            return await self._context.remote.fetch_public(url, max_bytes)
        path = place.path + (f"?{place.query}" if place.query else "")
        response = await self._send("GET", path, b"", max_bytes=max_bytes, accept="*/*")
        self._check(response)
        return response

    async def refresh(self) -> None:
        """Download the platform certificates where they are wanted and old."""
        if not self._keys.is_stale:
            return
        self._keys.asked()
        try:
            await self._download_certificates()
        except AllearsError as error:
            if self.settings.public_key is None:
                raise
            self._keys.give_up()
            self._context.log.info("wechat_pay.no_certificates", reason=str(error))

    async def _download_certificates(self) -> None:
        response = await self._send("GET", _CERTIFICATES, b"")
        self._check(response)
        try:
            await self._keys.keep(self._certificates_in(response))
        except ValueError:
            raise Unavailable("WeChat Pay's certificates cannot be read") from None
        self._verify(response)

    async def _send(
        self, method: str, path: str, body: bytes, *, max_bytes: int = 10 << 20, accept: str = "application/json"
    ) -> Response:
        return await self._context.remote.request(
            method,
            self.settings.url + path,
            headers=self._headers(method, path, body, accept),
            timeout_seconds=self.settings.timeout_seconds,
            max_bytes=max_bytes,
            raise_for_status=False,
            content=body or None,
        )

    def _headers(self, method: str, path: str, body: bytes, accept: str) -> dict[str, str]:
        settings = self.settings
        timestamp, nonce = str(int(self._context.clock.now().timestamp())), secrets.token_hex(16)
        fields = {
            "mchid": settings.mchid,
            "nonce_str": nonce,
            "timestamp": timestamp,
            "serial_no": settings.serial_no,
            "signature": sign(self.private_key, method, path, timestamp, nonce, body),
        }
        said = ",".join(f'{name}="{value}"' for name, value in fields.items())
        headers = {"Authorization": f"{SCHEME} {said}", "Accept": accept, "User-Agent": "allears"}
        if body:
            headers["Content-Type"] = "application/json"
        if settings.public_key_id:
            headers["Wechatpay-Serial"] = settings.public_key_id  # the key that answers are to be signed with
        return headers

    def _check(self, response: Response) -> None:
        if 200 <= response.status < 300:
            return
        code, message = _error(response)
        what = f"{response.call.place}: {response.status} {code}".rstrip()
        if _TOO_MUCH in message:
            raise TooMuch(what, detail=message)
        if code in _REACTIONS:
            kind, advice = _REACTIONS[code]
            raise kind(f"{advice} ({what})", detail=message)
        if response.status == 404:
            raise Absent(what, detail=message)
        check_status(response, self._context.clock.now())

    def _verify(self, response: Response) -> None:
        try:
            self._keys.check(signature_of(response.header), response.content, self._context.clock.now())
        except UnknownKey:
            advice = "set public_key_id and public_key to those of the merchant console"
            raise AuthError(f"WeChat Pay answers with a key that we do not know: {advice}") from None
        except Forged:
            raise Unavailable(f"{response.call.place}: the answer is not signed by WeChat Pay") from None
        except OutsideWindow as error:
            raise Unavailable(f"{response.call.place}: {error}; is the clock right?") from None

    def _certificates_in(self, response: Response) -> list[str]:
        """Whoever made them knows our APIv3 key."""
        found = _object(response).get("data")
        try:
            sealed = [dict(one["encrypt_certificate"]) for one in found or []]
            key = self.settings.api_v3_key.get_secret_value()
            return [
                open_resource(
                    key,
                    nonce=str(one["nonce"]),
                    associated_data=str(one.get("associated_data") or ""),
                    ciphertext=str(one["ciphertext"]),
                ).decode()
                for one in sealed
            ]
        except (KeyError, TypeError):
            raise Unavailable("WeChat Pay's list of certificates makes no sense") from None
        except ValueError:
            raise AuthError("the platform certificates cannot be decrypted: api_v3_key is another one") from None


def complaint_path(complaint: str) -> str:
    return f"{COMPLAINTS}/{quote(complaint, safe='')}"


def _object(response: Response) -> dict[str, Any]:
    body = response.json()
    if not isinstance(body, dict):
        raise Unavailable(f"{response.call.place}: the answer is no JSON object")
    return body


def _error(response: Response) -> tuple[str, str]:
    """The code, and WeChat Pay's own words."""
    try:
        body = json.loads(response.content)
        return str(body["code"])[:60], str(body.get("message") or "")[:300]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "", ""
