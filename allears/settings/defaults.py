"""What allears runs with when nobody has configured anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def embedded(data_folder: Path) -> dict[str, Any]:
    """A complaint form, a watched folder below the data folder, and the built-in list of tickets."""
    return {
        "channels": {
            "form": {"connector": "form"},
            "inbox": {"connector": "folder", "path": str(data_folder / "inbox")},
        },
        "destinations": {"list": {"sink": "list"}},
    }
