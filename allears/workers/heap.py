"""What glibc's allocator keeps to itself. Other C libraries have no such settings: then nothing is done."""

from __future__ import annotations

import contextlib
import ctypes

_ARENA_MAX = -8
"""M_ARENA_MAX of malloc.h."""


def share() -> None:
    """Every thread has a heap of its own and keeps what was freed there: two do for all [7 MB less with mail]."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 2)


def give_back() -> None:
    """What was needed for a start only [4 MB in a worker]."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
