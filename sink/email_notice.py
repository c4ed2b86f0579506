"""Sends a mail for each complaint, and its follow-ups as answers to it.

A mail server keeps nothing from being sent twice, and cannot be asked. The Message-ID is made of the key: a mail that
was sent again has the same one, and mail programs that look at it show it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from allears_sdk.complaint import AttachedFile
from allears_sdk.connector import Identity
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError
from allears_sdk.mail.composition import Draft, ascii_address, write
from allears_sdk.mail.sender import Sender
from allears_sdk.mail.submission import SubmissionSettings, outgoing
from allears_sdk.mail.submit import Mail, RecipientRefused
from allears_sdk.reference import mail_id
from allears_sdk.sink import Certainty, Progress, SinkSpec, Ticket
from allears_sdk.tickets import Limits, TicketSink, View
from sink._notice import NoticeSettings


class EmailNoticeSettings(NoticeSettings):
    """Who gets the mails, and the server that takes them."""

    example_name: ClassVar[str] = "mail-alerts"

    sink: Literal["email_notice"] = Field(default="email_notice", description="Which kind of ticket store this is.")
    to: tuple[str, ...] = Field(
        min_length=1, max_length=50, description="Addresses that get each notice.", examples=[["care@example.com"]]
    )
    reply_to: str = Field(default="", description="Address that people's answers go to; empty: the sender's.")
    smtp: SubmissionSettings = Field(
        description="The server that sends the mails.",
        examples=[{"host": "smtp.example.com", "username": "intake@example.com", "password": "env:NOTICE_PASSWORD"}],
    )
    when_in_doubt: Literal["hold", "send_again", "drop"] = Field(
        default="hold",
        description='A mail whose answer was lost may have been sent: "hold" it for a person, "send_again" with the '
        'same Message-ID, or "drop" it. With "drop" a mail that is refused is dropped too.',
    )
    timeout_seconds: float = Field(default=120, ge=1, le=300, description="How long sending one mail may take.")
    concurrency: int = Field(default=1, ge=1, le=16, description="How many mails are sent at the same time.")

    @field_validator("to")
    @classmethod
    def _are_addresses(cls, to: tuple[str, ...]) -> tuple[str, ...]:
        for one in to:
            if not ascii_address(one):
                raise ValueError(f"{one}: not an address that any server takes")
        return to

    @field_validator("reply_to")
    @classmethod
    def _is_address(cls, reply_to: str) -> str:
        if reply_to and not ascii_address(reply_to):
            raise ValueError("not an address that any server takes")
        return reply_to

    @model_validator(mode="after")
    def _can_send(self) -> EmailNoticeSettings:
        outgoing(self.smtp)
        return self


class EmailNoticeSink(TicketSink[EmailNoticeSettings]):
    """One mail per complaint; its Message-ID is the ticket, follow-ups refer to it."""

    spec: ClassVar[SinkSpec] = SinkSpec(
        kind="email_notice",
        title_en="E-mail notice",
        title_zh="邮件通知",
        open_certainty=Certainty.D,
        follow_up_certainty=Certainty.D,
        verified="aiosmtpd",
        verified_zh="aiosmtpd",
    )
    Settings = EmailNoticeSettings
    limits = Limits(subject_chars=150, text_chars=100_000)

    def __init__(self, settings: EmailNoticeSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._outgoing = outgoing(settings.smtp)
        self._sender = Sender(self._outgoing, context)
        self._to = tuple(ascii_address(one) for one in settings.to)

    async def check(self) -> Identity:
        """Logs in and sends nothing."""
        await self._sender.hand_over(None)
        there = self._outgoing.endpoint
        return Identity(account=self._outgoing.sender.address, details=(f"through {there.host}:{there.port}",))

    def compose(self, view: View) -> Any:
        """No address stands in it: masks would spoil one, and who is told is not frozen."""
        subject = view.subject if view.is_opening else f"Re: {view.subject}"
        at = int(view.event.at.timestamp())
        reference = view.event.complaint_id
        return {"subject": subject, "text": view.text, "at": at, "language": view.language, "reference": reference}

    async def create(self, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress) -> Ticket:
        return Ticket(id=await self._send(request, key, ()))

    async def add(
        self, ticket: Ticket, request: Any, files: Sequence[AttachedFile], key: str, progress: Progress
    ) -> None:
        await self._send(request, key, (ticket.id,))

    async def _send(self, request: Any, key: str, thread: tuple[str, ...]) -> str:
        ours = self._outgoing.sender
        draft = Draft(
            recipients=", ".join(self._to),
            subject=request["subject"],
            at=datetime.fromtimestamp(request["at"], UTC),
            message_id=mail_id(key, ours.domain, "notice"),
            reference=request["reference"],
            answered=next(iter(thread), ""),
            thread=thread,
            language=request["language"],
            reply_to=ascii_address(self.settings.reply_to),
        )
        mail = Mail(recipients=self._to, content=lambda bounces: write(draft, request["text"], ours, bounces=bounces))
        try:
            await self._sender.hand_over(mail)
        except RecipientRefused as error:
            raise ConfigError(f"take {error.detail} out of `to`, or mend it: {error}") from None
        return draft.message_id
