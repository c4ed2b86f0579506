"""Whether a pattern stays in proportion to a text: it is run on strings made to be hard for it.

Strings are made from the pattern itself: what it matches, its parts repeated, what each part begins with repeated, all
of them cut short so that the match fails late. They grow step by step, so that even a pattern that doubles its work
with each character is found out after milliseconds; whoever asks should all the same do so in a process he can end.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from re import _parser  # type: ignore[attr-defined]  # the one parser that reads exactly what `re` does; there since 3.11
from typing import Any, NamedTuple

CHARACTERS = 20_000
"""As many as rules read of a conversation."""
BUDGET_SECONDS = 0.12
"""For all of them, of one core [the packaged rule that works hardest takes a fifth of it]."""
_LENGTHS = (*range(8, 64, 2), *(int(CHARACTERS / 1.5**step) for step in range(13, -1, -1)))
_LOOK_FROM, _LOOK_SECONDS = 3000, 0.001
"""At this length a pattern in proportion is done: only what takes longer is tried on more."""
_TELLING_SECONDS = 0.006
"""From here on the clock is good enough to compare the work for a text with that for half of it."""
_HOPELESS_SECONDS = 2.0
"""What took so long is not measured again."""
_SUSPECT = 1.8
"""Work for half as many characters again over work for the text before: 1.5 in proportion, 2.25 where quadratic."""
_PUMP = 3
_REPEATED = 4
_MAX_PARTS, _MAX_PUMPS = 16, 48
_STRANGERS = "a0 中\n"
_SUPER = 2.9
"""Work for twice the characters over work for once: 2 in proportion, 4 where it is quadratic."""
_SHOWN = 16


class Slowness(NamedTuple):
    seconds: float
    characters: int
    sample: str
    is_super_linear: bool


def slowness(pattern: str, flags: int = 0, clock: Callable[[], float] = time.thread_time) -> Slowness | None:
    """What makes the pattern slow, None where nothing does. `clock` counts this thread's own seconds."""
    compiled = re.compile(f"(?:{pattern})", flags)
    for text_of in _hard_texts(pattern, flags):
        found = _try(compiled, text_of, clock)
        if found is not None:
            return found
    return None


def _try(pattern: re.Pattern[str], text_of: Callable[[int], str], clock: Callable[[], float]) -> Slowness | None:
    before = 0.0
    for length in _LENGTHS:
        seconds = _seconds(pattern, text_of(length), clock)
        is_last = length == CHARACTERS and seconds > max(_TELLING_SECONDS, before * _SUSPECT)
        if seconds > BUDGET_SECONDS or is_last:
            return _judged(pattern, text_of, length, seconds, clock)
        if length >= _LOOK_FROM and seconds < _LOOK_SECONDS:
            return None
        before = seconds
    return None


def _judged(
    pattern: re.Pattern[str], text_of: Callable[[int], str], length: int, seconds: float, clock: Callable[[], float]
) -> Slowness | None:
    """Measured again, so that a busy machine is not taken for a slow pattern."""
    tries = 1 if seconds > _HOPELESS_SECONDS else 3
    whole = min([seconds, *(_seconds(pattern, text_of(length), clock) for _ in range(tries - 1))])
    half = min(_seconds(pattern, text_of(length // 2), clock) for _ in range(tries))
    is_super_linear = whole > _TELLING_SECONDS and whole > half * _SUPER
    if whole <= BUDGET_SECONDS and not is_super_linear:
        return None
    return Slowness(whole, length, text_of(length)[:_SHOWN], is_super_linear)


def _seconds(pattern: re.Pattern[str], text: str, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in pattern.finditer(text):
        pass
    return clock() - start


def _hard_texts(pattern: str, flags: int) -> Iterator[Callable[[int], str]]:
    parsed = _parser.parse(pattern, flags)
    whole = _sample(parsed)
    starts = _prefixes(parsed)
    pumps = dict.fromkeys(one for one in (*_bodies(parsed), *starts, whole[:-1], whole, *_STRANGERS) if one)
    for pump in list(pumps)[:_MAX_PUMPS]:
        for lead in dict.fromkeys(("", *starts[:_MAX_PARTS])):
            yield _growing(lead, pump)


def _growing(lead: str, pump: str) -> Callable[[int], str]:
    return lambda length: (lead + pump * (length // len(pump) + 1))[: max(length, len(lead) + 1)] + "\x00"


def _prefixes(parsed: Any) -> list[str]:
    """Samples of what stands before each repetition: what leads the matcher into it."""
    found, before = [], ""
    for operation, value in parsed:
        if str(operation).endswith("_REPEAT") or str(operation) in ("BRANCH", "SUBPATTERN"):
            found.append(before)
        before += _sample([(operation, value)])
    return list(dict.fromkeys([*filter(None, found), before]))


def _bodies(parsed: Any) -> Iterator[str]:
    """Samples of every part, and each character that the parts could begin with."""
    for operation, value in parsed:
        name = str(operation)
        if name.endswith("_REPEAT"):
            yield _sample(value[2])
            yield from _bodies(value[2])
        elif name == "SUBPATTERN":
            yield from _bodies(value[3])
        elif name in ("ATOMIC_GROUP", "ASSERT", "ASSERT_NOT"):
            yield from _bodies(value[1] if name != "ATOMIC_GROUP" else value)
        elif name == "BRANCH":
            for items in value[1]:
                yield _sample(items)
                yield from _bodies(items)
        elif name in ("IN", "LITERAL", "NOT_LITERAL", "ANY"):
            yield _character(name, value)


def _sample(parsed: Iterable[tuple[Any, Any]]) -> str:
    """Something that it matches, as far as that can be told without looking around."""
    return "".join(_sample_of(str(operation), value) for operation, value in parsed)


def _sample_of(name: str, value: Any) -> str:
    if name.endswith("_REPEAT"):
        return _sample(value[2]) * min(max(int(value[0]), min(int(value[1]), _PUMP)), _REPEATED * _PUMP)
    if name == "SUBPATTERN":
        return _sample(value[3])
    if name == "ATOMIC_GROUP":
        return _sample(value)
    if name == "BRANCH":
        return _sample(value[1][0])
    return _character(name, value)


def _character(name: str, value: Any) -> str:
    if name == "LITERAL":
        return chr(value)
    if name in ("NOT_LITERAL", "ANY"):
        return next(one for one in _STRANGERS if name == "ANY" or ord(one) != value)
    return _member(value) if name == "IN" else ""


def _member(members: list[tuple[Any, Any]]) -> str:
    """A character of the class; of a negated one some character that is not in it."""
    if str(members[0][0]) == "NEGATE":
        excluded = re.compile(f"[{''.join(map(_written, members[1:]))}]")
        return next((one for one in _STRANGERS if not excluded.match(one)), "a")
    operation, value = members[0]
    if str(operation) == "RANGE":
        return chr(value[0])
    if str(operation) == "CATEGORY":
        return {"DIGIT": "0", "SPACE": " ", "WORD": "a"}.get(str(value).rpartition("_")[2], "-")
    return chr(value)


def _written(member: tuple[Any, Any]) -> str:
    operation, value = member
    if str(operation) == "RANGE":
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    if str(operation) == "CATEGORY":
        name = str(value).removeprefix("CATEGORY_")
        letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[name.rpartition("_")[2]]
        return "\\" + (letter.upper() if name.startswith("NOT_") else letter)
    return re.escape(chr(value))
