"""What an admin says about a robot on DingTalk."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator

from allears_sdk.settings import ChannelSettings

_PLACE = r"^https://[^\s@?#/]+$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$"
_MIN_PATH_SECRET = 16


class DingTalkSettings(ChannelSettings):
    """A robot of an internal application. Customers write to it, or name it in a group."""

    example_name: ClassVar[str] = "support-dingtalk"

    connector: Literal["dingtalk"] = Field(default="dingtalk", description="Which connector listens here.")
    client_id: str = Field(
        pattern=r"^[A-Za-z0-9_-]+$",
        description="Client ID (AppKey) of the application.",
        examples=["dingf0apw4ibx5u5ktba"],
    )
    client_secret: SecretStr = Field(
        description="Client Secret (AppSecret) that belongs to it.", examples=["env:DINGTALK_SECRET"]
    )
    robot_code: str = Field(
        default="",
        description="Code of the robot; empty: the one each message names, else the Client ID.",
        examples=["dingf0apw4ibx5u5ktba"],
    )
    mode: Literal["websocket", "webhook"] = Field(
        default="websocket",
        description="How messages come: over a connection that we open (Stream mode, no public address needed), or "
        "posted to us (HTTP mode).",
    )
    path_secret: SecretStr | None = Field(
        default=None,
        description="Webhook mode: the last part of the address that you enter in the console. DingTalk's signature "
        "does not cover what is posted, so without one whoever sees a request can post others for an hour.",
        examples=["env:DINGTALK_PATH"],
    )
    replay_window_seconds: float = Field(
        default=3600, ge=60, le=86_400, description="How old a signed request may be; DingTalk's own rule is an hour."
    )
    staff: frozenset[str] = Field(
        default=frozenset(),
        description="People who answer for the company, by user id (or senderId): what they write is context.",
        examples=[["manager4711"]],
    )
    media_hours: float = Field(
        default=24,
        gt=0,
        le=720,
        description="How long files are asked for. DingTalk does not say how long its download codes last.",
    )
    url: str = Field(default="https://api.dingtalk.com", pattern=_PLACE, description="The open platform's interface.")
    answer_url: str = Field(
        default="https://oapi.dingtalk.com",
        pattern=_PLACE,
        description="Where answers may be posted to; an address elsewhere, whoever names it, is not called.",
    )
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")

    @field_validator("path_secret")
    @classmethod
    def _is_hard_to_guess(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value() if value else ""
        if value and not (text.isascii() and text.replace("-", "").replace("_", "").isalnum()):
            raise ValueError("letters, digits, - and _ only")
        if value and len(text) < _MIN_PATH_SECRET:
            raise ValueError(f"at least {_MIN_PATH_SECRET} characters")
        return value
