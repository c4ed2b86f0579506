"""Settings bases: one pydantic model per component gives parser, validation, schema, docs and example."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import timedelta
from string import Formatter
from typing import Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, ValidationError, field_validator

__all__ = ["AcknowledgeSettings", "ChannelSettings", "DestinationSettings", "SecretStr", "Settings", "explain"]


FILL_IN: Mapping[str, JsonValue] = {"x-fill-in": True}
"""`json_schema_extra` of a field that can be left out though most people set it: example files have it ready."""


class Settings(BaseModel):
    """Frozen, and strict about keys. A field's `description` is its documentation, `examples` feed the example."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True)


_PLACEHOLDERS = ("reference", "name", "title", "channel")
_TEXT = "{reference}, {name}, {title} and {channel} are filled in. Empty: ours."


class AcknowledgeSettings(Settings):
    """An answer to the customer, once, with the reference of the complaint."""

    enabled: bool = Field(default=True, description="False keeps the settings but answers nobody.")
    language: Literal["auto", "zh", "en"] = Field(
        default="auto", description='Which text is sent; "auto": by the language the customer writes.'
    )
    text_zh: str = Field(default="", max_length=4000, description=f"Chinese text. {_TEXT}")
    text_en: str = Field(default="", max_length=4000, description=f"English text. {_TEXT}")
    subject_zh: str = Field(
        default="", max_length=200, description="Subject of the Chinese text, where there are subjects."
    )
    subject_en: str = Field(
        default="", max_length=200, description="Subject of the English text, where there are subjects."
    )
    max_per_address_per_day: int = Field(
        default=3,
        ge=1,
        le=1000,
        description="More complaints of one address in 24 hours are filed but not answered: two answering machines "
        "must never feed each other.",
    )
    within_hours: float = Field(
        default=24,
        gt=0,
        le=720,
        description="What was said longer ago is not answered any more (a first run, an outage).",
    )

    @field_validator("text_zh", "text_en")
    @classmethod
    def _has_reference(cls, text: str) -> str:
        if text and "reference" not in _placeholders(text):
            raise ValueError("the text does not say the {reference}")
        return text

    @field_validator("subject_zh", "subject_en")
    @classmethod
    def _is_template(cls, text: str) -> str:
        _placeholders(text)
        return text


def _placeholders(text: str) -> list[str]:
    """Those of a template. Raises ValueError for one that nobody fills in."""
    try:
        parts = [part[1:] for part in Formatter().parse(text) if part[1] is not None]
    except ValueError:
        raise ValueError("a brace without its partner; write {{ or }} for the brace itself") from None
    for name, spec, conversion in parts:
        if name not in _PLACEHOLDERS or spec or conversion:
            raise ValueError(f"unknown placeholder {{{name}}}{nearest(str(name), list(_PLACEHOLDERS))}")
    return [str(name) for name, _, _ in parts]


class ChannelSettings(Settings):
    """What every channel has; a connector's `Settings` adds its own."""

    example_name: ClassVar[str] = ""

    connector: str = Field(description="Which connector listens here.")
    enabled: bool = Field(default=True, description="False keeps the settings but does not listen.")
    title: str = Field(default="", description="What people call this channel; its name when empty.")
    region: str = Field(
        default="CN",
        pattern="^[A-Z]{2}$",
        description="ISO 3166 country in which phone numbers without a country code are read.",
    )
    interval_seconds: float = Field(
        default=60, ge=1, le=86_400, description="Time between polls; pushes and listeners are heard at once."
    )
    quiet_hours: str = Field(
        default="",
        pattern=r"^$|^\d\d:\d\d-\d\d:\d\d$",
        description='Span of local time without polls, as "22:00-06:00". What arrives meanwhile is read afterwards.',
    )
    timezone: str = Field(default="UTC", description="IANA zone of `quiet_hours` and of naive times in files.")
    look_back: timedelta | None = Field(
        default=None,
        description="How far the first run reads back; older items are known, not filed. Empty: the connector's own.",
    )
    settle_seconds: float = Field(
        default=15,
        ge=0,
        le=3600,
        description="Chat: silence after which a burst of messages becomes a complaint.",
    )
    settle_max_seconds: float = Field(
        default=120,
        ge=0,
        le=86_400,
        description="Chat: a burst is filed after this time even while it goes on; a bare greeting waits as long.",
    )
    idle_hours: float = Field(
        default=24,
        gt=0,
        le=8760,
        description="Chat: silence after which the next message opens a new complaint.",
    )
    max_attachment_bytes: int = Field(
        default=20 << 20,
        ge=0,
        le=1 << 30,
        description="Files that are fetched after a message (voice, pictures in a chat): larger ones are left at the "
        "platform, and the record says so. 0 fetches none.",
    )
    max_rating: float = Field(
        default=2, ge=0, le=5, description="Reviews: at or below this, on a scale of 1 to 5, is a complaint."
    )
    acknowledge: AcknowledgeSettings | None = Field(
        default=None,
        description="Answer whoever opens a complaint, once, with its reference. Unset: nobody is answered.",
    )

    @property
    def acknowledges(self) -> AcknowledgeSettings | None:
        """How, where it is switched on."""
        return self.acknowledge if self.acknowledge is not None and self.acknowledge.enabled else None


class DestinationSettings(Settings):
    """What every destination has; a sink's `Settings` adds its own."""

    example_name: ClassVar[str] = ""

    sink: str = Field(description="Which kind of ticket store this is.")
    enabled: bool = Field(default=True, description="False parks its deliveries; nothing is lost.")
    title: str = Field(default="", description="What people call this destination; its name when empty.")
    concurrency: int = Field(default=4, ge=1, le=64, description="How many complaints are filed at the same time.")
    timeout_seconds: float = Field(default=30, ge=1, le=300, description="How long one call may take.")
    max_attempts: int = Field(
        default=12,
        ge=1,
        le=1000,
        description="Failed attempts after which a delivery becomes a letter for a person.",
    )
    mask: frozenset[str] = Field(
        default=frozenset(),
        description='Kinds of personal data masked before anything leaves: "phone", "email", "id_card", "bank_card".',
    )


def explain(error: ValidationError, model: type[BaseModel], where: str) -> list[str]:
    """A pydantic error → one line per fault, with the path in the file and, for an unknown key, the nearest
    valid one. Values are left out: they may be secrets."""
    return [_explain_one(dict(fault), model, where) for fault in error.errors(include_input=False, include_url=False)]


def _explain_one(fault: dict[str, Any], model: type[BaseModel], where: str) -> str:
    path = [str(part) for part in fault["loc"]]
    place = ".".join([where, *path]) if where else ".".join(path)
    if fault["type"] == "extra_forbidden":
        return f"{place}: unknown key{nearest(path[-1], keys_at(model, path[:-1]))}"
    if fault["type"] == "missing":
        return f"{place}: missing, and required"
    return f"{place}: {fault['msg']}"


def nearest(word: str, valid: list[str]) -> str:
    """`; did you mean "x"?` for the closest valid key, or the list of valid ones, or nothing."""
    close = difflib.get_close_matches(word, valid, n=1, cutoff=0.6)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; valid keys: {', '.join(sorted(valid))}" if valid else ""


def keys_at(model: type[BaseModel], path: list[str]) -> list[str]:
    """The keys that are valid in the nested model at `path`."""
    for part in path:
        field = model.model_fields.get(part)
        annotation = getattr(field, "annotation", None)
        nested = [arm for arm in (annotation, *get_args(annotation)) if isinstance(arm, type)]
        inner = next((arm for arm in nested if issubclass(arm, BaseModel)), None)
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)
