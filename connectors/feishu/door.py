"""One request → the envelope in it, verified; everything that is not Feishu's is refused before it is looked at."""

from __future__ import annotations

from datetime import timedelta

from allears_sdk.connector import Request
from allears_sdk.settings import SecretStr
from allears_sdk.signing import check_window, same
from connectors.feishu.envelope import Envelope, Refused, check_signature, decrypt, open_envelope, sealed_in
from connectors.feishu.settings import FeishuSettings

_MAX_HANDSHAKE_BYTES = 8 << 10


class Door:
    def __init__(self, settings: FeishuSettings) -> None:
        self._app_id = settings.app_id
        self._token = _value(settings.verification_token)
        self._key = _value(settings.encrypt_key)
        self._window = timedelta(seconds=settings.replay_window_seconds)

    def admit(self, request: Request) -> Envelope:
        """Raises Refused, and OutsideWindow for what is Feishu's own, but old: the core looks after clocks."""
        envelope = self._encrypted(request) if self._key else self._plain(request)
        if not same(envelope.claimed_token, self._token):
            raise Refused("the verification token is another")
        if envelope.header and envelope.header.app_id and envelope.header.app_id != self._app_id:
            raise Refused("an event of another app")
        return envelope

    def _encrypted(self, request: Request) -> Envelope:
        """The check of our address is the one thing that Feishu does not sign."""
        is_signed = bool(request.header("x-lark-signature"))
        if is_signed:
            self._check(request)
        elif len(request.body) > _MAX_HANDSHAKE_BYTES:
            raise Refused("not signed")
        sealed = sealed_in(request.body)
        if not sealed:
            raise Refused("a plain event, though an encrypt_key is set")
        envelope = open_envelope(decrypt(self._key, sealed))
        if not is_signed and not envelope.is_handshake:
            raise Refused("not signed")
        return envelope

    def _check(self, request: Request) -> None:
        signed_at = check_signature(
            self._key,
            timestamp=request.header("x-lark-request-timestamp"),
            nonce=request.header("x-lark-request-nonce"),
            signature=request.header("x-lark-signature"),
            body=request.body,
        )
        check_window(signed_at, request.received_at, self._window)

    def _plain(self, request: Request) -> Envelope:
        if sealed_in(request.body):
            raise Refused("an encrypted event, though no encrypt_key is set")
        return open_envelope(request.body)


def _value(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
