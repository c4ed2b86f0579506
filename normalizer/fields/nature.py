"""Complaint or not: what the conversation is."""

from __future__ import annotations

import re
from typing import NamedTuple

from allears_sdk.complaint import Provenance
from allears_sdk.message import Message, Rating, Visibility
from normalizer.conversation import Facts
from normalizer.fields.signals import Sign, Signals
from normalizer.rules.fold import fold

_SOMETHING = 0.7
_ENOUGH = 1.0
_ENOUGH_TO_NOBODY = 1.7
_STRONG = 2.0
_HEAVY = 3.0
_ASKED_TO_PRAISED = 1.5
_ENOUGH_TO_DROP = 1.5
_TOP = 40
"""Characters from the beginning."""
_STATEMENT_CHARACTERS = 8
_STATEMENT_WORDS = 4
_GREETING = re.compile(
    r"(?:你好[呀啊]?|您好|在吗|在嘛|在不在|在马|有人吗|有人嘛|哈[喽啰罗]|嗨|早上好|上午好|中午好|下午好|晚上好|早安|晚安|早|亲|客服"
    r"|请问|谢谢|唔该|多谢|好的|嗯+|哦+|ok|okay|hi+|hello+|hey+|hiya|yo|good(?:morning|afternoon|evening|day)|morning"
    r"|greetings|dear(?:sir|madam|team|all)|thanks?|thankyou|there|anyonethere|test|测试|老板|[呀啊哦呢吧哈嘛])+"
)
_HAN = re.compile("[\u4e00-\u9fff]")
_POSTED = re.compile(r"[@#]\w|https?://")
_SAID = re.compile(r"[^\W_]+")


def is_greeting(text: str) -> bool:
    """Whether `text` only greets, thanks or says nothing at all (你好, 在吗, hello)."""
    bare = "".join(_SAID.findall(fold(text[:200])))
    return not bare or _GREETING.fullmatch(bare) is not None


class Scores(NamedTuple):
    grievance: float
    praise: float
    question: float
    request: float
    suggestion: float


def nature_of(signals: Signals, messages: list[Message], facts: Facts) -> tuple[str, Provenance]:
    return settled_nature(signals, messages, facts) or weighed_nature(signals, messages)


def settled_nature(signals: Signals, messages: list[Message], facts: Facts) -> tuple[str, Provenance] | None:
    """What needs no weighing: said by the channel, by a machine's or a spammer's words, by a rating."""
    return _before_words(signals, messages) or _by_rating(signals, messages, facts)


def weighed_nature(signals: Signals, messages: list[Message]) -> tuple[str, Provenance]:
    scores = _scores(signals)
    nature = _weighed(scores, signals, _is_to_us(signals, messages))
    if nature:
        return nature, signals.provenance(_signs_for(signals, nature), _confidence(nature, scores))
    return _unsaid(signals, messages)


def is_plainly_asked(signals: Signals, nature: str) -> bool:
    """A question or request that hardly any word of grievance or praise stands beside."""
    if nature not in ("question", "request") or signals.grievance >= _ENOUGH:
        return False
    others = max(2 * signals.grievance, _ASKED_TO_PRAISED * signals.score("nature", "praise"))
    return signals.score("nature", nature) >= max(_ENOUGH, others)


def _before_words(signals: Signals, messages: list[Message]) -> tuple[str, Provenance] | None:
    if any(message.is_complaint for message in messages):
        return "complaint", Provenance(source="channel", evidence=signals.evidence(signals.grievances[:3]))
    if messages and all(message.is_automatic for message in messages):
        return "automatic", Provenance(source="channel")
    for nature in ("automatic", "spam"):
        if signals.score("nature", nature) >= _ENOUGH_TO_DROP and (nature == "spam" or _is_notice(signals)):
            return nature, signals.provenance(_signs_for(signals, nature), 0.9)
    if is_greeting(signals.reading.folded) and not any(message.rating for message in messages):
        return "other", Provenance(source="default", score=0.9)
    return None


def _is_notice(signals: Signals) -> bool:
    """Machines say in several ways what they are, or begin with it; who complains of their answers, or was out of
    office when the parcel came, uses one of their words and more of his own."""
    folded, grievance = signals.reading.folded, signals.grievance
    signs = signals.signs.get(("nature", "automatic"), [])
    if len({folded[sign.start : sign.end] for sign in signs}) > 1:
        return grievance < _HEAVY
    return not grievance and "?" not in folded and "？" not in folded and min(sign.start for sign in signs) < _TOP


def _by_rating(signals: Signals, messages: list[Message], facts: Facts) -> tuple[str, Provenance] | None:
    """A public review at or below the line complains unless its words clearly praise."""
    rating = next((message.rating for message in reversed(messages) if message.rating), None)
    if rating is None:
        return None
    if on_five(rating) <= facts.max_rating:
        if signals.score("nature", "praise") >= _STRONG and not signals.grievance:
            return "praise", signals.provenance(_signs_for(signals, "praise"), 0.6)
        evidence = signals.evidence(signals.grievances[:3])
        return "complaint", Provenance(source="channel", score=0.95, evidence=evidence)
    if signals.grievance >= _ENOUGH or signals.score("nature", "suggestion") >= _ENOUGH:
        return None
    if signals.score("nature", "question") >= _STRONG:
        return None
    return "praise", Provenance(source="channel", score=0.8)


def on_five(rating: Rating) -> float:
    """The rating on a 1..5 scale."""
    span = rating.best - rating.worst
    return 1 + 4 * (rating.value - rating.worst) / span if span else rating.value


def _scores(signals: Signals) -> Scores:
    return Scores(
        grievance=signals.grievance,
        praise=signals.score("nature", "praise"),
        question=signals.score("nature", "question"),
        request=signals.score("nature", "request"),
        suggestion=signals.score("nature", "suggestion"),
    )


def _weighed(scores: Scores, signals: Signals, to_us: bool) -> str:
    if scores.suggestion >= _STRONG and scores.grievance < (_HEAVY if scores.praise else _STRONG):
        return "suggestion"
    asked = max(scores.question, scores.request)
    if asked >= max(_STRONG, scores.grievance if scores.grievance < _STRONG else scores.grievance + _STRONG):
        return "question" if scores.question >= scores.request else "request"
    unopposed = to_us and scores.grievance > max(scores.praise, asked)
    if scores.grievance >= (_ENOUGH if to_us else _ENOUGH_TO_NOBODY) or unopposed:
        return _complains(scores, signals)
    ordinary = {
        "request": scores.request,
        "suggestion": scores.suggestion,
        "question": scores.question,
        "praise": scores.praise if to_us else scores.praise - _STRONG,
        "other": signals.score("nature", "other"),
    }
    best = max(ordinary, key=lambda name: ordinary[name])
    return best if ordinary[best] >= _SOMETHING else ""


def _complains(scores: Scores, signals: Signals) -> str:
    """Words of grievance are there; something else may still outweigh them."""
    if scores.grievance < _STRONG:
        if scores.praise >= 2 * scores.grievance and signals.contrast_at < 0:
            return "praise"
        if signals.score("nature", "other") >= _STRONG:
            return "other"
        if max(scores.question, scores.request) >= _STRONG:
            return "question" if scores.question > scores.request else "request"
    return "praise" if scores.praise >= 2 * scores.grievance and signals.contrast_at < 0 else "complaint"


def _signs_for(signals: Signals, nature: str) -> list[Sign]:
    return signals.grievances if nature == "complaint" else signals.signs.get(("nature", nature), [])


def _confidence(nature: str, scores: Scores) -> float:
    values = {"complaint": scores.grievance, "praise": scores.praise, "question": scores.question}
    values |= {"request": scores.request, "suggestion": scores.suggestion}
    mine = values.get(nature, 1.0)
    return min(0.95, 0.5 + 0.5 * mine / (sum(values.values()) + 1))


def _unsaid(signals: Signals, messages: list[Message]) -> tuple[str, Provenance]:
    """No rule speaks. A question mark asks; whoever states something on a direct line most likely has a grievance."""
    text = signals.reading.folded
    if "?" in text or "？" in text:
        return "question", Provenance(source="default", score=0.4)
    if not _is_public(messages) and _is_statement(text):
        return "complaint", Provenance(source="default", score=0.3)
    return "other", Provenance(source="default", score=0.3)


def _is_public(messages: list[Message]) -> bool:
    return any(message.visibility is Visibility.PUBLIC for message in messages)


def _is_to_us(signals: Signals, messages: list[Message]) -> bool:
    """Who writes on a direct channel, reviews, or calls a firm by its handle. In English many others write where
    everybody reads, and swear at their football team: their posts name somebody, link or carry a hashtag."""
    if signals.to_firm or not _is_public(messages) or any(message.rating for message in messages):
        return True
    text = signals.reading.folded
    return _HAN.search(text) is not None or _POSTED.search(text) is None


def _is_statement(text: str) -> bool:
    if text.isascii():
        return len(text.split()) >= _STATEMENT_WORDS
    return sum(character.isalnum() for character in text) >= _STATEMENT_CHARACTERS
