"""What an admin says about reading deep."""

from __future__ import annotations

from pydantic import Field

from allears_sdk.settings import ChannelSettings


class SweepSettings(ChannelSettings):
    """For sources that give no sign of an edit."""

    sweep_hours: float = Field(
        default=24,
        ge=1,
        le=720,
        description="How often older items are looked through for edits, which their order hides.",
    )
    sweep_pages: int = Field(
        default=100, ge=1, le=10_000, description="Pages looked through then, newest first; what is older goes unheard."
    )
