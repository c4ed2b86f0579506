"""An admin's rule files on their way to whoever reads them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OwnRules:
    """The files as they were read: (name, text), in order. Small enough to go with every batch, so that whoever works
    on it uses these and no others."""

    files: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.files)
