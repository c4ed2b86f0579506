"""Ready mappings: what the columns mean in the exports of platforms that have no API, a TOML file each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from connectors.folder.columns import ALIASES

_FOLDER: Final = Path(__file__).parent / "mappings"
NAMES: Final[tuple[str, ...]] = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))
"""What `mapping` can name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What one platform exports: public items, each a conversation with its edits and answers."""

    name: str
    title_en: str
    title_zh: str
    timezone: str
    aliases: Mapping[str, tuple[str, ...]]
    """Field → headers, best first: the platform's, those of its base, then those known anyway."""


@cache
def load(name: str) -> Export:
    """One of `NAMES`."""
    given = _read(name)
    base = _read(given["base"]) if "base" in given else {}
    layers = [layer.get("columns", {}) for layer in (given, base)] + [ALIASES]
    fields = dict.fromkeys(field for layer in layers for field in layer)
    return Export(
        name=name,
        title_en=given["title_en"],
        title_zh=given["title_zh"],
        timezone=given.get("timezone") or base["timezone"],
        aliases={field: tuple(header for layer in layers for header in layer.get(field, ())) for field in fields},
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))
