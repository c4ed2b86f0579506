"""What is strange but no error: said once, however often it comes."""

from __future__ import annotations

from typing import Any

from allears_sdk.context import Context

MOST = 50
MAX_CHARACTERS = 80


class Noting:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._noted: set[tuple[str, ...]] = set()

    def note(self, event: str, **facts: str) -> None:
        """With the same facts once, and not without end: who pushes may invent them."""
        shown: dict[str, Any] = {name: value[:MAX_CHARACTERS] for name, value in facts.items()}
        if (event, *shown.values()) not in self._noted and len(self._noted) < MOST:
            self._noted.add((event, *shown.values()))
            self._context.log.info(event, **shown)
