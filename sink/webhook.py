"""Posts each event to a URL: CloudEvents 1.0 body (structured mode), Standard Webhooks signature.

Sources: cloudevents/spec, HTTP binding; standard-webhooks, `spec/standard-webhooks.md`.
"""

from __future__ import annotations

import re

from pydantic import Field, SecretStr, field_validator

from allears_sdk.complaint import Event
from allears_sdk.connector import Identity
from allears_sdk.errors import ConfigError, Rejected
from allears_sdk.remote import PrivateAddress, Response, check_status
from allears_sdk.settings import DestinationSettings
from allears_sdk.signing import sign_standard, standard_key
from allears_sdk.sink import Certainty, Progress, Sink, SinkSpec, Ticket
from sink._cloudevents import MAX_BODY_BYTES, MEDIA_TYPE, SOURCE, make_body, source_of

MAX_ANSWER_BYTES = 64 << 10
_OURS = frozenset({"content-type", "content-length", "host", "webhook-id", "webhook-timestamp", "webhook-signature"})
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_MOVED = frozenset({301, 308})


class WebhookSettings(DestinationSettings):
    """Where to post, and the secrets that sign."""

    url: str = Field(
        pattern=r"^https?://[^\s]+$",
        description="Address that receives the events, by POST. Redirects are not followed.",
        examples=["https://tickets.example.com/hooks/allears"],
    )
    secret: SecretStr = Field(
        description="Standard Webhooks secret, `whsec_` and 24 to 64 bytes in base64; signs every request.",
        examples=["env:ALLEARS_WEBHOOK_SECRET"],
    )
    previous_secret: SecretStr | None = Field(
        default=None, description="While a secret is being changed: the old one, which signs too."
    )
    headers: dict[str, SecretStr] = Field(
        default_factory=dict, description="Extra headers, such as an Authorization the receiver's gateway asks for."
    )
    source: str = Field(default="", description=SOURCE)
    allow_private_network: bool = Field(
        default=False, description="True lets the address lie in a private network or on this machine."
    )
    max_body_bytes: int = Field(default=262_144, ge=4096, le=16 << 20, description=MAX_BODY_BYTES)

    @field_validator("secret", "previous_secret")
    @classmethod
    def _is_key(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            standard_key(secret.get_secret_value())
        return secret

    @field_validator("headers")
    @classmethod
    def _are_extra(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        taken = sorted(name for name in headers if name.lower() in _OURS)
        if taken:
            raise ValueError(f"{', '.join(taken)}: set by allears itself")
        if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(headers[name].get_secret_value()) for name in headers):
            raise ValueError("a header is a name of letters, digits and hyphens, and a value of printable ASCII")
        return headers


class WebhookSink(Sink[WebhookSettings]):
    """One POST per event. The receiver knows a repeated one by its `webhook-id`."""

    spec = SinkSpec(
        kind="webhook",
        title_en="Webhook",
        title_zh="Webhook",
        open_certainty=Certainty.A,
        follow_up_certainty=Certainty.A,
        wait_seconds=0,
        is_stream=True,
        verified="an aiohttp receiver that checks signatures with standardwebhooks 1.1",
        verified_zh="aiohttp 接收端，用 standardwebhooks 1.1 校验签名",
    )
    Settings = WebhookSettings

    async def check(self) -> Identity:
        """Any answer to a HEAD will do: it proves name, route and certificate."""
        try:
            answer = await self.context.remote.request(
                "HEAD",
                self.settings.url,
                timeout_seconds=self.settings.timeout_seconds,
                allow_private=self.settings.allow_private_network,
                raise_for_status=False,
            )
        except PrivateAddress as error:
            raise _private(error) from None
        return Identity(account=answer.call.place.partition(" ")[2], details=(f"answers HEAD with {answer.status}",))

    def render(self, event: Event, key: str) -> bytes:
        source = source_of(self.settings.source, self.context.name)
        return make_body(event, key, source=source, max_bytes=self.settings.max_body_bytes)

    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        await self._post(payload, key)
        return Ticket(id=key)

    async def follow_up(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        await self._post(payload, key)

    async def _post(self, payload: bytes, key: str) -> None:
        try:
            answer = await self.context.remote.request(
                "POST",
                self.settings.url,
                headers=self._headers(payload, key),
                content=payload,
                timeout_seconds=self.settings.timeout_seconds,
                max_bytes=MAX_ANSWER_BYTES,
                allow_private=self.settings.allow_private_network,
                raise_for_status=False,
            )
        except PrivateAddress as error:
            raise _private(error) from None
        self._check(answer)

    def _headers(self, payload: bytes, key: str) -> dict[str, str]:
        timestamp = int(self.context.clock.now().timestamp())
        secrets = [self.settings.secret, *([self.settings.previous_secret] if self.settings.previous_secret else [])]
        try:
            signature = sign_standard([secret.get_secret_value() for secret in secrets], key, timestamp, payload)
        except ValueError as error:
            raise Rejected(str(error)) from None
        return {
            **{name: value.get_secret_value() for name, value in self.settings.headers.items()},
            "content-type": MEDIA_TYPE,
            "webhook-id": key,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature,
        }

    def _check(self, answer: Response) -> None:
        if answer.status == 410:
            raise ConfigError(f"{answer.call.place}: 410, the receiver wants no more events; remove or change the url")
        if answer.status in _MOVED:
            raise ConfigError(f"{answer.call.place}: {answer.status}, the receiver has moved; set the new url")
        check_status(answer, self.context.clock.now())


def _private(error: PrivateAddress) -> ConfigError:
    return ConfigError(f"{error}; set allow_private_network = true if that is meant")
