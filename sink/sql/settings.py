"""Which database, which tables, and which fact of a record goes to which column."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import Field, JsonValue, SecretStr, field_validator, model_validator

from allears_sdk.settings import FILL_IN
from allears_sdk.tickets import MappingSettings
from allears_sdk.tickets.facts import FACTS

SCHEMES = ("sqlite", "postgresql", "mysql")
_NAME = re.compile(r"[^\W\d]\w{0,62}")
DECIDED_BY_PEOPLE = frozenset({"priority", "category", "nature", "handler", "team", "assignee"})


class SqlSettings(MappingSettings):
    """Where the tables are, and whose they are."""

    example_name: ClassVar[str] = "table"
    more_facts: ClassVar[tuple[str, ...]] = ("record",)

    sink: Literal["sql"] = Field(default="sql", description="Which kind of ticket store this is.")
    url: str = Field(
        description='"sqlite:FILE", "postgresql://USER@HOST:PORT/DATABASE" or "mysql://USER@HOST:PORT/DATABASE" '
        "(MariaDB too).",
        examples=["sqlite:complaints.db"],
    )
    password: SecretStr | None = Field(
        default=None,
        description="The user's password.",
        examples=["env:DATABASE_PASSWORD"],
        json_schema_extra=dict(FILL_IN),
    )
    tls: Literal["prefer", "require", "verify"] = Field(
        default="prefer",
        description='"prefer": encrypted where the server can; "require": always; "verify": and the server proves '
        "who it is.",
    )
    ca_file: Path | None = Field(
        default=None, description='Certificates that "verify" believes, as PEM. Empty: those of the system.'
    )
    table: str = Field(default="complaint", description="One row for each complaint; may be SCHEMA.TABLE.")
    events_table: str = Field(
        default="complaint_event",
        description="One row for each thing told. It is how allears knows what is there: no other program writes it.",
    )
    create: bool = Field(
        default=True, description="True makes the tables, and columns they lack. An existing table is never changed."
    )
    key_column: str = Field(
        default="ticket_key", description="The column of `table` that names the ticket: text of 64, unique."
    )
    fields: dict[str, str] = Field(
        default_factory=dict,
        description="Fact of the record → column of a table that you have already. Empty: allears makes a table of its "
        f"own, with a column for each fact. Facts: {', '.join(FACTS)}, record.",
    )
    constants: dict[str, JsonValue] = Field(
        default_factory=dict,
        description='Column → what it holds in every new row, as `constants.status = "new"`. Never written again.',
    )
    written_once: list[str] | None = Field(
        default=None,
        description="Columns that people may change: a follow-up leaves them alone. Unset: in a table of yours those "
        f"of {', '.join(sorted(DECIDED_BY_PEOPLE))}, in our own none.",
    )

    @field_validator("url")
    @classmethod
    def _names_a_database(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES:
            raise ValueError(f"begins with none of {', '.join(f'{scheme}:' for scheme in SCHEMES)}")
        if parts.password is not None:
            raise ValueError("the password belongs in `password`, where nobody sees it")
        if parts.query or parts.fragment:
            raise ValueError("nothing may follow the name of the database")
        if not parts.path.strip("/") or (parts.scheme != "sqlite" and not parts.hostname):
            raise ValueError("names no host and database")
        return url

    @field_validator("table", "events_table")
    @classmethod
    def _is_a_table(cls, name: str) -> str:
        if len(parts := name.split(".")) > 2 or not all(_NAME.fullmatch(part) for part in parts):
            raise ValueError("letters, digits and _ only, with one dot after a schema")
        return name

    @field_validator("key_column")
    @classmethod
    def _is_a_column(cls, name: str) -> str:
        return check_column(name)

    @model_validator(mode="after")
    def _has_each_column_once(self) -> SqlSettings:
        columns = [self.key_column, *self.fields.values(), *self.constants]
        for name in columns:
            check_column(name)
        if twice := sorted({name for name in columns if columns.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)}: written twice")
        if self.table == self.events_table:
            raise ValueError("table and events_table are the same")
        return self

    @property
    def place(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def database(self) -> str:
        """Its name, or of SQLite its file."""
        path = unquote(self.place.path)
        return path if self.place.scheme == "sqlite" else path.strip("/")

    @property
    def user(self) -> str:
        return unquote(self.place.username or "")

    @property
    def secret(self) -> str:
        return self.password.get_secret_value() if self.password else ""

    @property
    def is_mapped(self) -> bool:
        """Whether the complaints go into a table that somebody else made."""
        return bool(self.fields)

    @property
    def kept(self) -> frozenset[str]:
        """Columns that a follow-up leaves alone."""
        if self.written_once is not None:
            return frozenset(self.written_once)
        return frozenset(self.fields[fact] for fact in DECIDED_BY_PEOPLE if fact in self.fields)


def check_column(name: str) -> str:
    """Raises ValueError for what cannot be a column's name."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r}: a column's name has letters, digits and _ only")
    return name
