"""`[model]`: an endpoint that is asked about what the rules left open."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, JsonValue, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from allears_sdk.settings import Settings

Fillable = Literal["nature", "category", "priority", "expectation", "product_or_order"]
_OURS = frozenset({"model", "messages", "response_format", "stream", "n", "tools", "tool_choice", "functions"})


class ModelSection(Settings):
    """The optional model step: asked about fields that the rules left open."""

    enabled: bool = Field(
        default=False, description="Texts leave this machine only when this is true; personal data is masked first."
    )
    base_url: str = Field(
        default="",
        pattern=r"^$|^https?://[^\s?#]+$",
        description="Of an OpenAI-compatible API, local or hosted; /chat/completions is added.",
        examples=["http://127.0.0.1:11434/v1"],
    )
    model: str = Field(
        default="", max_length=200, description="Name of the model, as the endpoint knows it.", examples=["qwen3:8b"]
    )
    api_key: SecretStr | None = Field(
        default=None,
        description="Sent as a bearer token; unset for an endpoint without one.",
        examples=["env:ALLEARS_MODEL_API_KEY"],
    )
    timeout_seconds: float = Field(
        default=8, ge=0.1, le=60, description="So long filing waits at most, all told; a later answer is ignored."
    )
    max_calls_per_hour: int = Field(
        default=200, ge=0, le=1_000_000, description="In any 60 minutes, across restarts; then rules decide alone."
    )
    concurrency: int = Field(default=4, ge=1, le=64, description="Calls that may run at the same time.")
    fields: tuple[Fillable, ...] = Field(
        default=("nature", "category", "priority", "expectation"),
        min_length=1,
        description="What it may fill: " + ", ".join(f'"{name}"' for name in get_args(Fillable)) + ".",
    )
    ask_below: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Asked when the rules' score for one of these fields is lower; then also about what is only a "
        "default.",
    )
    answer_format: Literal["json_schema", "json_object"] = Field(
        default="json_schema", description='"json_object" for endpoints that know no schemas.'
    )
    max_text_characters: int = Field(default=4000, ge=200, le=20_000, description="A longer text is cut here.")
    extra: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="More keys for the request's body, as the endpoint's documentation names them.",
        examples=[{"max_completion_tokens": 1000}],
    )

    @field_validator("extra")
    @classmethod
    def _leaves_ours(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        taken = sorted(_OURS & value.keys())
        if taken:
            raise PydanticCustomError("ours", "sets what the step itself sets: {names}", {"names": ", ".join(taken)})
        return value

    @model_validator(mode="after")
    def _is_complete(self) -> ModelSection:
        if self.enabled and not self.is_complete:
            raise PydanticCustomError("incomplete", "enabled needs a base_url and a model")
        return self

    @property
    def is_complete(self) -> bool:
        """Whether somebody could be asked."""
        return bool(self.base_url and self.model)
