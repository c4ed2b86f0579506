"""What an admin can say about a watched directory."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from allears_sdk.settings import ChannelSettings, nearest
from connectors.folder.mapping import NAMES, Export, load

ColumnField = Literal[
    "text",
    "subject",
    "external_id",
    "posted_at",
    "rating",
    "product",
    "order",
    "permalink",
    "name",
    "phone",
    "email",
    "wechat",
    "customer_id",
    "level",
    "version",
    "reply",
    "replied_at",
]
"""The parts of a message that a column of a sheet can fill."""


class FolderSettings(ChannelSettings):
    example_name: ClassVar[str] = "store-desks"

    connector: Literal["folder"] = Field(default="folder", description="Which connector listens here.")
    path: Path = Field(
        default=Path("inbox"),
        description="The directory to watch; a relative one lies in the channel's own data folder. Files move to "
        "`done/` and `failed/` inside it.",
        examples=["/srv/complaints"],
    )
    interval_seconds: float = Field(default=5, ge=1, le=86_400, description="Time between looks at the directory.")
    settle_file_seconds: float = Field(
        default=2, ge=0, le=3600, description="A file is read once it has not changed for this long."
    )
    columns: dict[ColumnField, str] = Field(
        default_factory=dict,
        description="CSV and XLSX: which column header fills which part of a message. The usual Chinese and English "
        "headers are known; name here only those that differ.",
        examples=[{"text": "顾客原话", "external_id": "流水号"}],
    )
    mapping: str = Field(
        default="",
        description="CSV and XLSX: what platform the sheets come from, one of "
        f"{', '.join(NAMES)}. Their columns are known then, rows are public reviews or comments, and the company's "
        "answers in them are context.",
        examples=["xiaomi"],
    )
    product: str = Field(
        default="",
        max_length=200,
        description="What the rows of a sheet are about where no column says, as an export of one app's reviews.",
        examples=["示例商城"],
    )
    encoding: str = Field(
        default="", description="Encoding of CSV files; empty: UTF-8, UTF-16 or GB18030, found by looking."
    )
    rating_best: float = Field(default=5, gt=0, le=100, description="Best score of the rating column.")
    max_file_bytes: int = Field(
        default=64 << 20,
        ge=1 << 10,
        le=512 << 20,
        description="Largest .eml, .msg, .json or .xlsx; .jsonl and .csv are read in pages and may have any size.",
    )

    @field_validator("mapping")
    @classmethod
    def _is_ready(cls, name: str) -> str:
        if name and name not in NAMES:
            raise ValueError(f"there is no mapping of this name{nearest(name, list(NAMES))}; known: {', '.join(NAMES)}")
        return name

    @model_validator(mode="after")
    def _answers_need_reviews(self) -> FolderSettings:
        if not self.mapping and {"reply", "replied_at"} & self.columns.keys():
            raise ValueError('columns for the company\'s answers need a mapping, for example mapping = "app_reviews"')
        return self

    @property
    def export(self) -> Export | None:
        return load(self.mapping) if self.mapping else None

    @property
    def effective_timezone(self) -> str:
        """The mapping's own, unless the file names one."""
        return self.export.timezone if self.export and "timezone" not in self.model_fields_set else self.timezone

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            "".encode(name or "utf-8")
        except LookupError:
            raise ValueError("no encoding has this name") from None
        return name

    @field_validator("columns")
    @classmethod
    def _says_something(cls, columns: dict[ColumnField, str]) -> dict[ColumnField, str]:
        if not all(header.strip() for header in columns.values()):
            raise ValueError("a column header is empty")
        return columns
