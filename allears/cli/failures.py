"""Exit codes, and errors as one line for people."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Documented in docs/cli.md; scripts rely on them."""

    OK = 0
    FAULTS = 1
    USAGE = 2
    CONFIG = 3
    JOURNAL = 4
    NOT_FOUND = 5
    INTERRUPTED = 130


class Failure(Exception):
    """A command cannot do what was asked: what happened, what to do, and with which code to end."""

    def __init__(self, message: str, code: Exit = Exit.FAULTS) -> None:
        super().__init__(message)
        self.code = code
