"""Which language the customer writes: `zh`, `zh-Hant`, `en`, or nothing when no word says."""

from __future__ import annotations

import re

from normalizer.rules.fold import SIMPLIFIED_ONLY, TRADITIONAL_ONLY

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")
_TRADITIONAL = re.compile(f"[{''.join(sorted(TRADITIONAL_ONLY))}]")
_SIMPLIFIED = re.compile(f"[{''.join(sorted(SIMPLIFIED_ONLY))}]")
_WORD = re.compile(r"[A-Za-z]{2,}")
_LOOK_AT = 4_000


def detect(text: str, hint: str = "") -> str:
    """From the text; the source's hint decides only where the text does not."""
    sample = text[:_LOOK_AT]
    han = sum(map(len, _HAN.findall(sample)))
    words = len(_WORD.findall(sample))
    if not han and not words:
        return hint
    if han * 2 < words:
        return "en" if not hint or hint.startswith("zh") else hint
    traditional = len(_TRADITIONAL.findall(sample))
    return "zh-Hant" if traditional and traditional > len(_SIMPLIFIED.findall(sample)) else "zh"
