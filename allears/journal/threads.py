"""How messages thread: what a new conversation's reference is made from, and which one a message may go on with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from allears.journal.senders import customer, speaker
from allears.journal.subjects import base_subject, is_reply
from allears_sdk.connector import Threading
from allears_sdk.message import Kind, Message, Role
from allears_sdk.reference import find_references, seed
from normalizer.derive import is_greeting
from normalizer.trim import new_text

if TYPE_CHECKING:
    from allears.journal.conversations import Row

MAX_QUOTED = 10
_SEARCHED_CHARACTERS = 20_000


def seed_of(channel: str, message: Message, threading: Threading) -> bytes:
    """What the reference of a conversation that begins with the message is made from."""
    root = message.thread[-1] if message.thread else ""
    if threading is Threading.CHAT:
        return seed("chat", channel, root, message.external_id)
    if threading is Threading.ITEM:
        return seed("item", channel, root or message.external_id)
    who = customer(message)
    alone = () if who else (message.external_id,)  # nobody is never the same nobody
    return seed("mail", channel, root or own_id(message), who, base_subject(message.subject), *alone)


def is_new_matter(message: Message) -> bool:
    """Whether a mail under older ones gives itself a subject."""
    return bool(message.thread) and not is_reply(message.subject) and bool(base_subject(message.subject))


def own_id(message: Message) -> str:
    return message.known_as[0] if message.known_as else message.external_id


def quoted(message: Message) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """References it names: in its subject, and elsewhere, the mails it answers included."""
    elsewhere = " ".join((*message.thread, message.text[:_SEARCHED_CHARACTERS]))
    return find_references(message.subject)[:MAX_QUOTED], find_references(elsewhere)[:MAX_QUOTED]


def names_reference(message: Message) -> bool:
    texts = (message.subject, message.text[:_SEARCHED_CHARACTERS], *message.thread)
    return any(find_references(text) for text in texts)


def admits(text: str, subjects: list[str], people: list[str], message: Message) -> bool:
    """Whether the mail goes on with a conversation of that reference: its sender has a part in it, and it is a
    reply, of the same subject, or names the reference in words of its own."""
    return is_party(people, message) and _same_matter(text, subjects, message)


def is_party(people: list[str], message: Message) -> bool:
    """A stranger who quotes a number or a Message-ID has none; nor has a mail that does not say whose it is."""
    who = speaker(message)
    return bool(who) and who in people


def _same_matter(text: str, subjects: list[str], message: Message) -> bool:
    """A new subject under an old thread is another matter."""
    subject = base_subject(message.subject)
    if not subject or not subjects or subject in subjects or is_reply(message.subject):
        return True
    if text in find_references(message.subject):
        return True
    return text in find_references(message.text[:_SEARCHED_CHARACTERS]) and text in find_references(new_text(message))


def begins(message: Message, later: Collection[Message]) -> bool:
    """Whether the mail is the beginning of what came before it: an answer to somebody who had answered it. (An answer
    to a mail of one's own is about that mail's subject.)"""
    mine = own_id(message)
    if message.thread or any(own_id(one) == mine for one in later):
        return False
    return any(mine in one.thread and is_reply(one.subject) and _host(one.thread[0]) != _host(mine) for one in later)


def _host(message_id: str) -> str:
    return message_id.rpartition("@")[2].strip("<> ").lower()


def closest(admitting: Sequence[Row], message: Message) -> list[Row]:
    """Those that admit it: first the one whose number is in the subject, then those of the same subject."""
    numbers, subject = find_references(message.subject), base_subject(message.subject)
    return sorted(admitting, key=lambda one: (one.reference not in numbers, subject not in one.subjects))


def is_open_chat(last_at: float, message: Message, at: float, idle_seconds: float) -> bool:
    """Only what a customer says anew can be another matter."""
    return at - last_at <= idle_seconds or message.kind is not Kind.SAID or not _is_customers(message)


def heard_at(last_at: float, message: Message, at: float, idle_seconds: float) -> float:
    """Since when a chat is silent: agents keep it open, and open none again; machines do neither."""
    if _is_customers(message):
        return at
    is_agents = message.author.role is Role.COMPANY and not message.is_automatic
    return at if is_agents and at - last_at <= idle_seconds else last_at


def greets(message: Message) -> bool:
    """It says nothing yet: whoever writes 你好 goes on in a moment."""
    return message.kind is Kind.SAID and not message.attachments and is_greeting(message.text)


def _is_customers(message: Message) -> bool:
    return message.author.role is Role.CUSTOMER and not message.is_automatic
