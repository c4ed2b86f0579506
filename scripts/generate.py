"""Writes config/schema.json, config/reference.md and config/example.toml from the models; `--check` compares."""

from __future__ import annotations

import difflib
import json
import sys
from pathlib import Path

from allears.settings.example import complete
from allears.settings.reference import reference
from allears.settings.schema import config_schema
from allears_sdk.errors import ConfigError

CONFIG = Path(__file__).resolve().parent.parent / "config"


def generated() -> dict[str, str]:
    """File name → content."""
    return {
        "schema.json": json.dumps(config_schema(shipped=True), ensure_ascii=False, indent=2) + "\n",
        "reference.md": reference(),
        "example.toml": complete(),
    }


def stale(folder: Path = CONFIG) -> dict[str, list[str]]:
    """File name → the first lines of the difference, for every file that is not as the models say."""
    found = {}
    for name, fresh in generated().items():
        path = folder / name
        kept = path.read_text(encoding="utf-8") if path.exists() else ""
        if kept != fresh:
            difference = difflib.unified_diff(kept.splitlines(), fresh.splitlines(), "kept", "fresh", n=0, lineterm="")
            found[name] = list(difference)[:20]
    return found


def main() -> int:
    """Returns the exit code."""
    if "--check" in sys.argv[1:]:
        differences = stale()
        for name, lines in differences.items():
            print(f"config/{name} is stale; run `python scripts/generate.py`:", *lines, sep="\n  ")
        return 1 if differences else 0
    CONFIG.mkdir(exist_ok=True)
    for name, content in generated().items():
        (CONFIG / name).write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ConfigError as error:
        sys.exit(f"cannot generate: {error}")
