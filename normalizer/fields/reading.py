"""What the rules read of a conversation: the customer's own words, folded, with the way back to each message."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from allears_sdk.complaint import Evidence
from allears_sdk.message import Kind, Message, Role
from normalizer.conversation import Conversation
from normalizer.rules.fold import fold
from normalizer.trim import new_text

READ_CHARACTERS = 20_000
"""Rules read this much of the customer's words; the description keeps more."""

_COMPANY = (
    "客服|坐席|座席|职员|職員|店员|专员|客服代表|客服人员|接线员"
    "|agent|staff|rep|operator|advisor|support|representative"
)
_CUSTOMER = "客户|客戶|用户|用戶|顾客|顧客|来电人|市民|消费者|customer|caller|client|user|guest|me"
_TURN = re.compile(
    rf"^[ \t]*(?:\[[\d:]+\][ \t]*)?(?:(?P<company>{_COMPANY})|(?P<customer>{_CUSTOMER}))"
    r"(?:[ \t]?\d{0,4}[：:]|[ \t](?=[^\x00-\x7f]))",
    re.IGNORECASE | re.MULTILINE,
)
_MIN_TURNS = 3
_CLAUSE = re.compile(r"[。！？!?；;\n,，…~～]+|(?<!\d)[.：:](?=\s|$)|(?<=\d)\.(?=\s|$)|(?<=[^\x00-\x7f])[ \t]+")


_UNREAD = re.compile(r"https?://[^\s\u4e00-\u9fff]{1,500}|@[a-z0-9_]{1,40}")


class Passage(msgspec.Struct, frozen=True):
    """A run of one message's text, or of its subject (`offset` is -1 then)."""

    message: str
    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Reading:
    """Passages put together with line breaks: `text` as it stands; `folded`, and `said`, which is folded without links
    and handles, of the same length."""

    passages: tuple[Passage, ...]
    text: str = field(init=False)
    folded: str = field(init=False)
    said: str = field(init=False)
    starts: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        starts, at = [], 0
        for passage in self.passages:
            starts.append(at)
            at += len(passage.text) + 1
        text = "\n".join([passage.text for passage in self.passages])
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "folded", fold(text))
        object.__setattr__(self, "said", blanked(self.folded))
        object.__setattr__(self, "starts", tuple(starts))

    def clause_start(self, position: int, reach: int) -> int:
        """Where the clause with `position` begins, looking back no further than `reach` characters."""
        start = max(0, position - reach)
        ends = (match.end() for match in _CLAUSE.finditer(self.folded, start, position + 1))
        return max((end for end in ends if end <= position), default=start)

    def evidence(self, start: int, end: int) -> Evidence:
        """Where `text[start:end]` stands, without white space around it: what begins with a line break begins in the
        next message. Words in a subject have no place in the text (-1)."""
        words = self.text[start:end]
        start += len(words) - len(words.lstrip())
        end = start + len(words.strip())
        index = bisect_right(self.starts, start) - 1
        passage, begin = self.passages[index], self.starts[index]
        words = passage.text[start - begin : end - begin]
        if passage.offset < 0:
            return Evidence(message=passage.message, words=words)
        start += passage.offset - begin
        return Evidence(message=passage.message, words=words, start=start, end=start + len(words))


def blanked(folded: str) -> str:
    """Spaces where links and handles stood."""
    if "@" in folded or "://" in folded:
        return _UNREAD.sub(lambda match: " " * len(match[0]), folded)
    return folded


@dataclass(frozen=True, slots=True)
class Readings:
    """Views of a conversation: what the customer says, and where names and numbers may stand."""

    words: Reading
    """The customer's new words: no quoted replies, no signature, no agent speech."""
    mentions: Reading
    """With signature, forwarded text and both sides of a transcript."""
    quoted: Reading
    """What stands in quoted replies: only order numbers are taken from there."""
    whole: bool
    """False when there was more text than rules read."""


def read(messages: Sequence[Message]) -> Readings:
    """Of a conversation's current messages, the customer's."""
    customers = [message for message in messages if message.author.role is Role.CUSTOMER]
    subjects = _subjects(customers)
    words = _capped([*subjects, *(part for message in customers for part in _spoken(message))])
    own = [passage for passage in subjects if not _ANSWERING.match(passage.text)]
    split = [_split(message) for message in customers]
    mentions = _capped([*own, *(above for above, _ in split)])
    quoted = tuple(below for _, below in split if below is not None)
    reading = Reading(words[0])
    same = mentions[0] == words[0]
    return Readings(
        words=reading,
        mentions=reading if same else Reading(mentions[0]),
        quoted=Reading(_capped(quoted)[0]) if quoted else _NOTHING,
        whole=words[1] and mentions[1],
    )


def current(conversation: Conversation) -> list[Message]:
    """Messages in order, an edited one with its newest words in the place of the first, forwards opened."""
    places: dict[str, Message] = {}
    for heard in conversation.messages:
        message = heard.message
        known = places.get(message.external_id)
        if known is not None and message.kind is Kind.WITHDRAWN:
            message = replace(known, kind=Kind.WITHDRAWN)
        places[message.external_id or f"#{len(places)}"] = message
    return [_opened(message) for message in places.values()]


def _opened(message: Message) -> Message:
    """A forward's original is what the customer said; evidence still points into the message that carried it."""
    original = message.original
    if original is None:
        return message
    return replace(
        message,
        author=replace(original.author, role=Role.CUSTOMER),
        subject=original.subject or message.subject,
        rating=original.rating or message.rating,
    )


def _subjects(messages: Sequence[Message]) -> list[Passage]:
    return [Passage(message.external_id, message.subject, -1) for message in messages[:1] if message.subject]


def _capped(passages: Iterable[Passage]) -> tuple[tuple[Passage, ...], bool]:
    kept: list[Passage] = []
    room = READ_CHARACTERS
    for passage in passages:
        if room <= 0:
            return tuple(kept), False
        kept.append(
            passage if len(passage.text) <= room else Passage(passage.message, passage.text[:room], passage.offset)
        )
        room -= len(passage.text) + 1
    return tuple(kept), room >= 0


def _spoken(message: Message) -> list[Passage]:
    text = message.text
    turns = list(_TURN.finditer(text[: READ_CHARACTERS * 2])) if text.count("\n") + 1 >= _MIN_TURNS else []
    if len(turns) >= _MIN_TURNS and any(turn["company"] for turn in turns):
        ends = [turn.start() for turn in turns[1:]] + [len(text)]
        pairs = zip(turns, ends, strict=True)
        return [
            Passage(message.external_id, text[turn.end() : end].rstrip(), turn.end())
            for turn, end in pairs
            if turn["customer"]
        ]
    original = message.original
    if original is None:
        return _placed(message, new_text(message))
    return [
        *_placed(message, new_text(replace(message, original=None))),
        *(_placed(message, new_text(original)) or [Passage(message.external_id, original.text, -1)]),
    ]


def _placed(message: Message, new: str) -> list[Passage]:
    """Where the lines of the new text stand in the message; a run of neighbouring lines is one passage."""
    if not new:
        return []
    start = message.text.find(new)
    if start >= 0:
        return [Passage(message.external_id, new, start)]
    passages, at = [], 0
    for line in new.splitlines():
        start = message.text.find(line, at)
        if line and start >= 0:
            passages.append(Passage(message.external_id, line, start))
            at = start + len(line)
    return passages


_QUOTE_HEAD = re.compile(
    r"^[ \t]*(?:>|On .{5,200}(?:wrote|写道)[：:]?[ \t]*$|在 ?.{5,200}写道[：:]|.{0,60}(?:于|於).{5,80}写道[：:]"
    r"|-{2,}[ ]?(?:原始邮件|邮件原件|原郵件|原始郵件|Original Message|Forwarded message).{0,40}$)",
    re.MULTILINE | re.IGNORECASE,
)
_ANSWERING = re.compile(
    r"\s*(?:\[|re|aw|sv|回复|回覆|答复|自动回复|自動回覆|auto\w*(?: reply)?\b|out of office)", re.IGNORECASE
)
"""Such a subject is not the customer's own: the ticket number in it is ours."""
_FORWARD_SUBJECT = re.compile(r"^\s*(?:fwd?|转发|轉發|轉寄|转)\s*[:：]", re.IGNORECASE)


_NOTHING = Reading(())


def _split(message: Message) -> tuple[Passage, Passage | None]:
    """What stands above a quoted reply and the reply itself; a forward is the customer's own in both."""
    text = message.text[: READ_CHARACTERS * 2]
    head = _QUOTE_HEAD.search(text)
    if head is None:
        return Passage(message.external_id, text, 0), None
    below = Passage(message.external_id, text[head.start() :], head.start())
    is_forward = message.original is not None or _FORWARD_SUBJECT.match(message.subject)
    return Passage(message.external_id, text if is_forward else text[: head.start()], 0), below
