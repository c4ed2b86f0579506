"""Real mails with expectations, kept outside the repository: none raises, and what we get right stays right."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from re import sub
from typing import Any

import pytest

from allears_sdk.message import Message
from normalizer.readers.rfc822 import read_mail
from normalizer.trim import new_text

CORPUS = Path(__file__).parents[4] / "shared" / "eval" / "mail"
SETS = ("phpmime", "imap_tools", "crisp", "talon", "raw_enmime", "raw_mail")
FLOORS = {
    ("phpmime", "sender"): 1.0,
    ("phpmime", "subject"): 1.0,
    ("phpmime", "names"): 0.88,
    ("phpmime", "sizes"): 1.0,
    ("imap_tools", "sender"): 0.99,
    ("imap_tools", "subject"): 0.97,
    ("imap_tools", "body"): 0.84,
    ("imap_tools", "count"): 0.96,
    ("imap_tools", "sizes"): 0.86,
    ("crisp", "body"): 1.0,
    ("crisp", "trimmed"): 0.95,
    ("talon", "trimmed"): 0.83,
}
"""Shares of the stated expectations. What imap_tools still has against us are that library's own ways: it reads
nested mails as if they were text, calls files without a name nothing, and gives up on odd headers."""

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the evaluation mails are not at {CORPUS}")


@dataclass
class Score:
    right: int = 0
    missed: list[str] = field(default_factory=list)

    def count(self, name: str, right: bool) -> None:
        self.right += right
        if not right:
            self.missed.append(name)

    @property
    def share(self) -> float:
        return self.right / (self.right + len(self.missed))


def squash(text: object) -> str:
    return sub(r"[\s\u00a0\u00ad\u200b-\u200f\u2028\u2029\ufeff]+", "", str(text or ""))


def shown(markup: str) -> str:
    markup = sub(r"(?is)<(script|style|head|title)\b.*?</\1\s*>|<!--.*?-->", " ", markup)
    return unescape(sub(r"(?s)<[^>]*>", "", markup))


def judge(expected: dict[str, Any], message: Message) -> dict[str, bool]:
    verdicts: dict[str, bool] = {}
    if expected["sender_addr"]:
        verdicts["sender"] = message.author.email == expected["sender_addr"].lower()
    if expected["subject"] is not None:
        verdicts["subject"] = squash(message.subject) == squash(expected["subject"])
    if wanted := squash(shown(expected["body"]) if expected["body_is_html"] else expected["body"]):
        verdicts["body"] = wanted in (squash(message.text), squash(shown(message.html)), squash(shown(message.text)))
    if expected["n_attachments"] is not None:
        verdicts["count"] = len(message.attachments) == expected["n_attachments"]
    if expected["attachments"]:
        files = expected["attachments"]
        verdicts["names"] = sorted(squash(f["name"]) for f in files) == sorted(
            squash(a.name) for a in message.attachments
        )
        sizes = sorted(f["size"] or 0 for f in files), sorted(a.size for a in message.attachments)
        verdicts["sizes"] = len(sizes[0]) == len(sizes[1]) and all(
            abs(a - b) <= max(2, 0.02 * a) for a, b in zip(*sizes, strict=True)
        )
    if expected["trimmed"]:
        verdicts["trimmed"] = squash(expected["trimmed"]) == squash(new_text(message))
    return verdicts


@pytest.mark.parametrize("name", SETS)
def test_scores_do_not_fall(name: str) -> None:
    scores: dict[str, Score] = {}
    for path in sorted((CORPUS / name).glob("*.eml")):
        message = read_mail(path.read_bytes())
        assert message.author.email or message.text or message.attachments or path.stat().st_size < 200, path.name
        expectation = path.with_suffix(".json")
        if expectation.exists():
            for what, right in judge(json.loads(expectation.read_text(encoding="utf-8")), message).items():
                scores.setdefault(what, Score()).count(path.stem, right)
    for (corpus, what), floor in FLOORS.items():
        if corpus == name:
            assert scores[what].share >= floor, f"{what}: {scores[what].share:.3f}, missed {scores[what].missed}"
