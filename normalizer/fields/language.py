"""Which language the customer writes: `zh`, `zh-Hant`, `en`, or nothing when no word says."""

from __future__ import annotations

import re
from itertools import accumulate

from normalizer.rules.fold import SIMPLIFIED_ONLY, TRADITIONAL_ONLY

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")
_TRADITIONAL = re.compile(f"[{''.join(sorted(TRADITIONAL_ONLY))}]")
_SIMPLIFIED = re.compile(f"[{''.join(sorted(SIMPLIFIED_ONLY))}]")
_WORD = re.compile(r"[A-Za-z][A-Za-z]+")
_LOOK_AT = 4_000


def detect(text: str, hint: str = "") -> str:
    """From the text; the source's hint decides only where the text does not."""
    sample = text[:_LOOK_AT]
    if sample.isascii():
        return _latin(hint) if _WORD.search(sample) else hint
    words = len(_WORD.findall(sample))
    if not _has_han(sample, max(1, (words + 1) // 2)):
        return _latin(hint) if words else hint
    traditional = len(_TRADITIONAL.findall(sample))
    return "zh-Hant" if traditional and traditional > len(_SIMPLIFIED.findall(sample)) else "zh"


def _latin(hint: str) -> str:
    return "en" if not hint or hint.startswith("zh") else hint


def _has_han(sample: str, enough: int) -> bool:
    """Two words of Latin letters weigh as much as one Han character."""
    return any(enough <= count for count in accumulate(len(run[0]) for run in _HAN.finditer(sample)))
