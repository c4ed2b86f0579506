"""What an admin says about an app in Slack."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr, StringConstraints

from allears_sdk.settings import FILL_IN, ChannelSettings

ChannelId = Annotated[str, StringConstraints(pattern=r"^[CGD][A-Z0-9]{2,}$")]
UserId = Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,}$")]
TeamId = Annotated[str, StringConstraints(pattern=r"^[TE][A-Z0-9]{2,}$")]
BotId = Annotated[str, StringConstraints(pattern=r"^B[A-Z0-9]{2,}$")]


class SlackSettings(ChannelSettings):
    """Channels and direct messages of a Slack workspace."""

    example_name: ClassVar[str] = "support-slack"

    connector: Literal["slack"] = Field(default="slack", description="Which connector listens here.")
    bot_token: SecretStr = Field(
        description="Bot User OAuth Token (xoxb-…) of the app.", examples=["env:SLACK_BOT_TOKEN"]
    )
    more_bot_tokens: tuple[SecretStr, ...] = Field(
        default=(),
        description="Bot tokens of further workspaces in which the same app is installed.",
        examples=[["env:SLACK_OTHER_BOT_TOKEN"]],
    )
    app_token: SecretStr | None = Field(
        default=None,
        description="App-level token (xapp-…) with connections:write: messages come at once over Socket Mode, without "
        "a public address.",
        examples=["env:SLACK_APP_TOKEN"],
        json_schema_extra=dict(FILL_IN),
    )
    signing_secret: SecretStr | None = Field(
        default=None,
        description="Signing Secret of the app: messages come at once over the Events API, to this channel's public "
        "address. Instead of `app_token`.",
        examples=["env:SLACK_SIGNING_SECRET"],
    )
    channels: tuple[ChannelId, ...] = Field(
        default=(),
        description="Ids of the channels to read, as Slack shows them at the end of a channel's details. Empty: every "
        "channel the bot is in.",
        examples=[["C0123456789"]],
    )
    direct_messages: bool = Field(default=True, description="Whether to read what people write to the bot itself.")
    one_complaint_per: Literal["person", "post"] = Field(
        default="person",
        description='What opens a complaint in a channel: "person": what one person posts there until `idle_hours` of '
        'silence is one; "post": each post outside a thread is one. A thread belongs to the post it hangs under.',
    )
    visibility: Literal["public", "private"] = Field(
        default="public",
        description='What people say in channels: "public": everybody reads along, so what is no plain complaint is '
        'taken for talk; "private": the channels are there for complaints. What names the bot is always meant for it.',
    )
    staff: tuple[UserId, ...] = Field(
        default=(),
        description="User ids of the company's own people, whose words are context and never a complaint.",
        examples=[["U0123456789"]],
    )
    staff_teams: tuple[TeamId, ...] = Field(
        default=(),
        description="Workspaces whose members are all the company's own people: your own, where customers come in by "
        "Slack Connect.",
        examples=[["T0123456789"]],
    )
    customer_bots: tuple[BotId, ...] = Field(
        default=(),
        description="Bots that post what customers have said (a Workflow Builder form): ids beginning with B. What all "
        "other bots say is context.",
    )
    interval_seconds: float = Field(
        default=300, ge=1, le=86_400, description="Time between polls; what Slack pushes is heard at once."
    )
    reread_days: float = Field(
        default=2,
        ge=0,
        le=30,
        description="How far back each poll looks for edits that it did not hear of, and for answers in threads.",
    )
    threads_days: float = Field(
        default=14,
        ge=0,
        le=365,
        description="How far back, once an hour and after each interruption, the posts are read again under which "
        "somebody may have answered unheard.",
    )
    page_items: int = Field(
        default=200, ge=1, le=999, description="Messages asked for in one call; Slack recommends no more than 200."
    )
    calls_per_minute: float = Field(
        default=45,
        gt=0,
        le=1000,
        description="Calls of one method in a minute, for each workspace. Slack permits about 50 of those used here.",
    )
    url: str = Field(
        default="https://slack.com/api/",
        pattern=r"^https://[^\s@?#]+/$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?/([^\s@?#]*/)?$",
        description="Address of Slack's Web API; GovSlack has its own.",
    )
