"""What every store of tickets lets an admin say: which fact goes to which field, and what the texts look like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from allears_sdk.settings import DestinationSettings, Settings, nearest
from allears_sdk.tickets.facts import FACTS
from allears_sdk.tickets.templates import check_template

StoreValue = str | int | float | bool


class FileSettings(Settings):
    """What becomes of a complaint's attachments."""

    mode: Literal["upload", "link", "none"] = Field(
        default="upload",
        description='"upload": into the ticket, within the store\'s limits; "link": as expiring links to allears; '
        '"none": named in the text only.',
    )
    max_mb: float | None = Field(
        default=None, gt=0, le=1024, description="Larger files are linked. Empty: what the store takes."
    )
    link_days: int = Field(default=30, ge=1, le=365, description="How long a link can be opened.")


def check_facts(names: Iterable[str], *more: str) -> None:
    """Raises ValueError for a name that is no fact of a record, nor one of these."""
    for name in names:
        if name not in FACTS and name not in more:
            raise ValueError(f"{name}: no fact of a record{nearest(name, [*FACTS, *more])}")


def chosen(values: Mapping[str, StoreValue], value: str) -> StoreValue:
    """What settings map a fact's value to. Those they do not name go as they are; what is empty stays empty."""
    return values.get(value, values.get("*", value)) if value else ""


class TicketSettings(DestinationSettings):
    """Mapping and texts, the same for every store of tickets."""

    language: Literal["auto", "zh", "en"] = Field(
        default="auto", description='Language of what allears writes into tickets; "auto": by the customer\'s.'
    )
    subject: str = Field(
        default="",
        max_length=2000,
        description="Template (Jinja2) of a ticket's title. Empty: `[{{ id }}] {{ title }}`.",
    )
    text: str = Field(
        default="",
        max_length=20_000,
        description="Template of an opening's text. Empty: what was said, then the facts. The marks are always added.",
    )
    note: str = Field(default="", max_length=20_000, description="Template of a follow-up's text. Empty: ours.")
    public_notes: bool = Field(
        default=False,
        description="True shows follow-ups to whoever may see the ticket's public side; else they are internal.",
    )
    fields: dict[str, str] = Field(
        default_factory=dict,
        description='Fact of the record → the store\'s field (its id or name), as `category = "cf_category"`. Facts: '
        f"{', '.join(FACTS)}.",
    )
    values: dict[str, dict[str, StoreValue]] = Field(
        default_factory=dict,
        description='Fact → value → the store\'s own value, as `values.priority.P1 = "urgent"`; "*" stands for all '
        "others. What is not named goes as it is.",
    )
    files: FileSettings = Field(default_factory=FileSettings, description="What becomes of attachments.")
    requests_per_minute: float | None = Field(
        default=None, gt=0, le=100_000, description="No more calls than this. Empty: as many as the store takes."
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        description="Secret of the store's webhook to /back/NAME: status and handler flow back. Empty: none is heard.",
    )

    @field_validator("fields", "values")
    @classmethod
    def _name_facts(cls, mapping: dict[str, object]) -> dict[str, object]:
        check_facts(mapping)
        return mapping

    @field_validator("subject", "text", "note")
    @classmethod
    def _compiles(cls, template: str) -> str:
        check_template(template)
        return template
