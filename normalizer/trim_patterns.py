"""The words of `trim_patterns.toml` as regular expression alternatives."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

_TABLE: dict[str, list[str]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def _any_of(key: str) -> str:
    return "|".join(_TABLE[key])


FROM_LABELS = _any_of("from_labels")
SUBJECT_LABELS = _any_of("subject_labels")
OTHER_LABELS = _any_of("other_labels")
ORIGINAL_MESSAGE = _any_of("original_message")
FORWARDED_MESSAGE = _any_of("forwarded_message")
WROTE = _any_of("wrote")
REPLY_ABOVE = _any_of("reply_above")
SENT_FROM = _any_of("sent_from")
CLOSINGS = _any_of("closings")
DISCLAIMERS = _any_of("disclaimers")
SENT_FROM_DEVICE = re.compile(_any_of("sent_from_devices"), re.IGNORECASE)
FORWARD_PREFIX = re.compile(
    r"^\s*(?:(?:re|aw|sv|antw|回复|答复|回覆)\s*[:：]\s*)*(?:\[[^\]]{1,40}\]\s*)?"
    rf"(?:{_any_of('forward_prefixes')})\s*[:：]",
    re.IGNORECASE,
)
