"""`[understanding]`: how thoroughly texts are read."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from allears_sdk.settings import Settings

Encoding = Literal["auto", "always", "never"]


class UnderstandingSection(Settings):
    """How thoroughly texts are read."""

    encoder: Encoding = Field(
        default="auto",
        description="The small neural network that reads along where the `encoder` extra is installed, some hundred "
        'times slower than rules: "auto": unless hundreds of messages wait, "always", "never".',
    )

    @model_validator(mode="after")
    def _is_there(self) -> UnderstandingSection:
        if self.encoder == "always" and not _is_installed():
            raise PydanticCustomError("extra", 'encoder = "always" needs an extra: pip install "allears[encoder]"')
        return self

    @property
    def listens(self) -> bool:
        """Whether it may be asked at all: commands that read one text after the other have the time."""
        return self.encoder != "never" and _is_installed()


def _is_installed() -> bool:
    return find_spec("numpy") is not None
