"""A connector that plays a script: batches to hand over, errors to raise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import Field, SecretStr

from allears_sdk.connector import Batch, Connector, ConnectorSpec, Cursor, Hears, Threading
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError
from allears_sdk.message import Raw
from allears_sdk.settings import ChannelSettings

STREAM = "script"


@dataclass
class Script:
    """What the source holds, in order; it outlives the connector, as a source does."""

    steps: list[Batch | AllearsError] = field(default_factory=list)
    """A batch is offered at each poll from a cursor before it; an error is raised once and then passed over."""
    acked: list[str] = field(default_factory=list)
    """Keys of raws whose line after `yield` ran."""

    def add(self, *raws: Raw) -> None:
        """One more batch."""
        self.steps.append(Batch(raws=raws))


class ScriptedSettings(ChannelSettings):
    """A script needs no settings; the secret is there to be kept."""

    secret: SecretStr = Field(default=SecretStr("s3cr3t-of-the-script"), description="A secret nobody may see.")


class ScriptedConnector(Connector[ScriptedSettings]):
    """Reads a `Script`, one step a batch; its cursor counts steps."""

    spec = ConnectorSpec(
        kind="scripted",
        title_en="Script",
        title_zh="脚本",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        verified="tests",
    )
    Settings = ScriptedSettings

    def __init__(
        self, context: Context, script: Script | None = None, settings: ScriptedSettings | None = None
    ) -> None:
        super().__init__(settings or ScriptedSettings(connector="scripted"), context)
        self.script = script or Script()

    async def streams(self) -> Sequence[str]:
        return (STREAM,)

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        position = cursor["position"] if cursor else 0
        while position < len(self.script.steps):
            step = self.script.steps[position]
            if isinstance(step, AllearsError):
                del self.script.steps[position]
                raise step
            position += 1
            yield replace(step, cursor={"version": 1, "position": position})
            self.script.acked.extend(raw.key for raw in step.raws)
