"""Which part of a body is what: the table `map` of a channel."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from allears_sdk.message import Kind, Role
from allears_sdk.settings import Settings
from connectors.webhook.paths import HERE, Path, check_paths, steps

Paths = Annotated[str | tuple[str, ...], AfterValidator(check_paths)]
"""Several are tried in their order, and all that is found counts."""
Constant = Literal["text", "subject", "product", "order", "language", "author_id", "author_name", "role", "permalink"]

_OPTIONAL = "Unset: the source does not say."


class MapSettings(Settings):
    """Where in the body a message's parts are: JSONPath (RFC 9535), from `$` (the body) or `@` (the item)."""

    items: Path | None = Field(
        default=None,
        description="Where one request carries several: each item becomes a message of its own, and `@` stands for it.",
        examples=["$.events[*]"],
    )
    only: dict[Path, tuple[str, ...]] = Field(
        default={},
        description="What must be there: path and its allowed values. Anything else is answered and not stored. "
        'The value "" allows that it is missing.',
        examples=[{"$.event_type": ["form_response"]}],
    )
    text: Annotated[str | tuple[str, ...] | dict[str, str], AfterValidator(check_paths)] = Field(
        description="What was said. Several paths are joined by line breaks; as a table of label and path, each "
        "line begins with its label."
    )
    id: Paths | None = Field(
        default=None,
        description='The item\'s id at the sender; several paths are joined by ":". By it a redelivery or an edit is '
        "known. Unset: the content itself is its id.",
    )
    revision: Path | None = Field(
        default=None, description="What changes when the item is edited. Unset: whatever is mapped here."
    )
    thread: Paths | None = Field(
        default=None, description="Id of the chat, call or ticket it belongs to. Unset: it stands alone."
    )
    subject: Paths | None = Field(default=None, description=f"Its heading. {_OPTIONAL}")
    kind: Path | None = Field(default=None, description="Where it says whether this was said, edited or withdrawn.")
    kinds: dict[str, Kind] = Field(
        default={},
        description='What `kind` says, and what it means: "said", "edited" or "withdrawn"; "*" stands for any word '
        'that is not listed. Else "said".',
        examples=[{"answer.update": "edited", "answer.delete": "withdrawn"}],
    )
    role: Path | None = Field(default=None, description="Where it says who speaks. Unset: the customer.")
    roles: dict[str, Role] = Field(
        default={},
        description='What `role` says, and what it means: "customer", "company" or "bot"; "*" stands for any word '
        'that is not listed. Else "customer".',
        examples=[{"agent": "company"}],
    )
    posted_at: Path | None = Field(default=None, description=f"When it was said. {_OPTIONAL}")
    time_format: str = Field(
        default="",
        description="How times are written: empty for ISO 8601, RFC 2822 and Unix seconds or milliseconds, which are "
        'told apart, else as strptime has it ("%Y/%m/%d %H:%M"). Times without an offset are in `timezone`.',
    )
    rating: Path | None = Field(default=None, description=f"A score, as a number. {_OPTIONAL}")
    best_rating: float = Field(default=5, description="The best score there is.")
    worst_rating: float = Field(default=1, description="The worst.")
    author_id: Path | None = Field(default=None, description="Who said it, by the sender's stable id.")
    author_name: Paths | None = Field(default=None, description="Their name.")
    author_handle: Path | None = Field(default=None, description="Their name as users have it (WeChat id, user name).")
    author_email: Path | None = Field(default=None, description="Their e-mail address.")
    author_phone: Path | None = Field(default=None, description="Their telephone number.")
    author_level: Path | None = Field(default=None, description="Their level as a customer (VIP, gold).")
    product: Paths | None = Field(default=None, description="The product it is about.")
    order: Paths | None = Field(default=None, description="The order it is about.")
    permalink: Path | None = Field(default=None, description="Where people can look at it.")
    language: Path | None = Field(default=None, description="Its language, as BCP 47 (zh, en-US).")
    files: Paths | None = Field(
        default=None,
        description="Its files: addresses, or objects that hold one.",
        examples=["$.entry.field_10[*]"],
    )
    file_url: Path = Field(default="@.url", description="Of a file's object: its address.")
    file_name: Path = Field(default="@.name", description="Of a file's object: its name.")
    file_media_type: Path = Field(default="@.mimeType", description="Of a file's object: its media type.")
    constants: dict[Constant, str] = Field(
        default={},
        description="What is the same for every message here, where no path finds anything.",
        examples=[{"product": "空气炸锅"}],
    )
    json_fields: tuple[str, ...] = Field(default=(), description="Fields of a form that hold JSON as text.")

    @field_validator("items")
    @classmethod
    def _is_list(cls, path: str | None) -> str | None:
        if path is not None and (path.startswith(HERE) or steps(path)[-1:] != (None,)):
            raise ValueError('a path from $ of names and [*] that ends with [*], as "$.events[*]"')
        return path

    @model_validator(mode="after")
    def _agree(self) -> MapSettings:
        role = next((value for key, value in self.constants.items() if key == "role"), Role.CUSTOMER)
        if role not in set(Role):
            raise ValueError('constants.role is "customer", "company" or "bot"')
        if self.best_rating == self.worst_rating:
            raise ValueError("best_rating and worst_rating are the same")
        for table, path in (("kinds", self.kind), ("roles", self.role)):
            if getattr(self, table) and path is None:
                raise ValueError(f"{table} without {table[:-1]}: say where it stands")
        return self
