"""What stores of tickets, tables and sheets let an admin say: which fact goes to which field, and what texts look like.

What several stores have, and not all, has its type and its words here once: `Reopen`, `WhenNotFound`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue, SecretStr, field_validator

from allears_sdk.settings import DestinationSettings, Settings, nearest
from allears_sdk.sink import TicketStatus
from allears_sdk.tickets.facts import FACTS
from allears_sdk.tickets.requester import ADDRESS
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


class LinkSettings(FileSettings):
    """What becomes of attachments where no file can go."""

    mode: Literal["link", "none"] = Field(
        default="link", description='"link": as expiring links to allears; "none": named in the text only.'
    )


def check_facts(names: Iterable[str], *more: str) -> None:
    """Raises ValueError for a name that is no fact of a record, nor one of these."""
    for name in names:
        if name not in FACTS and name not in more:
            raise ValueError(f"{name}: no fact of a record{nearest(name, [*FACTS, *more])}")


def chosen(values: Mapping[str, StoreValue], value: str) -> StoreValue:
    """What settings map a fact's value to. Those they do not name go as they are; what is empty stays empty."""
    return values.get(value, values.get("*", value)) if value else ""


class MappingSettings(DestinationSettings):
    """Which fact of a record goes where: for stores with fields or columns."""

    more_facts: ClassVar[tuple[str, ...]] = ()
    """What `fields` may name beside a record's facts."""
    has_json_constants: ClassVar[bool] = False
    """Whether constants may be lists and objects, as the store's API takes them."""

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
    constants: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Field → what it holds in every new ticket, in the store's own form; a mapped fact goes before.",
    )

    @field_validator("fields", "values")
    @classmethod
    def _name_facts(cls, mapping: dict[str, object]) -> dict[str, object]:
        check_facts(mapping, *cls.more_facts)
        return mapping

    @field_validator("constants")
    @classmethod
    def _are_constants(cls, constants: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name, value in constants.items():
            if not cls.has_json_constants and not isinstance(value, str | int | float | bool):
                raise ValueError(f"{name}: a text, a number, true or false")
        return constants


class TextSettings(DestinationSettings):
    """What is written, in which language, and what becomes of files: for stores that people read."""

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
    files: FileSettings = Field(default_factory=FileSettings, description="What becomes of attachments.")
    requests_per_minute: float | None = Field(
        default=None, gt=0, le=100_000, description="No more calls than this. Empty: as many as the store takes."
    )

    @field_validator("subject", "text", "note")
    @classmethod
    def _compiles(cls, template: str) -> str:
        check_template(template)
        return template


class TicketSettings(MappingSettings, TextSettings):
    """Mapping and texts, the same for every store of tickets."""

    public_notes: bool = Field(
        default=False,
        description="True shows follow-ups to whoever may see the ticket's public side; else they are internal.",
    )


class ToldSettings(TicketSettings):
    """For stores of tickets that tell what agents do."""

    webhook_secret: SecretStr | None = Field(
        default=None,
        description="Secret of the store's webhook to /back/NAME: status and handler flow back. Empty: none is heard.",
    )


# What some stores have

Reopen = Annotated[bool, Field(description="True reopens a solved or closed ticket when its customer follows up.")]
CustomerIsRequester = Annotated[
    bool,
    Field(
        description="True makes the customer's address the requester's, whom the store's own mails may then go to; "
        "False keeps it to the text."
    ),
]
Requester = Annotated[
    str,
    Field(pattern=f"^$|^{ADDRESS}$", description="Address that complaints of customers without one are filed under."),
]
"""A store says in words of its own what an empty one means."""
Statuses = Annotated[
    dict[str, TicketStatus],
    Field(
        description='Status as the store\'s webhook tells it → "open", "pending", "solved" or "closed", where it is '
        "one of your own or in another language."
    ),
]
WhenNotFound = Annotated[
    Literal["send", "hold"],
    Field(
        description='What is done with a ticket or follow-up whose answer was lost and that no look-up finds: "send" '
        'it again, or "hold" it for a person.'
    ),
]
WhenInDoubt = Annotated[
    Literal["hold", "send_again"],
    Field(
        description="What is done with a ticket or follow-up whose answer was lost, where nothing can be looked up: "
        '"hold" it for a person, or "send_again", which may double it.'
    ),
]
