"""Who counts as the same sender of mails, and who has a part in a conversation."""

from __future__ import annotations

from allears_sdk.message import Message, Role

_GOOGLE = frozenset({"gmail.com", "googlemail.com"})


def identity(author_id: str) -> str:
    """An address as its mailbox: without case, `+tag` and, at Google, dots; other ids as they are."""
    local, at, domain = author_id.strip().rpartition("@")
    if not local or not at:
        return author_id
    local, domain = local.lower().partition("+")[0] or local.lower(), _ascii(domain.lower().rstrip("."))
    if domain in _GOOGLE:
        return f"{local.replace('.', '')}@gmail.com"
    return f"{local}@{domain}"


def speaker(message: Message) -> str:
    """Whose words it holds, "" where nobody says: a form mails a customer's words under an address of its own."""
    author = message.author
    if message.original is not None and message.original.text == message.text:
        author = message.original.author
    return identity(author.id)


def customer(message: Message) -> str:
    """The sender, or whom the company writes to: the side a conversation gets its reference from."""
    if message.author.role is Role.COMPANY and message.participants:
        return identity(message.participants[0])
    return speaker(message)


def people(message: Message) -> list[str]:
    """Those who may go on with the conversation: who speaks, who was written to, whose mail is forwarded."""
    forwarded = (message.original.author.id,) if message.original else ()
    named = (speaker(message), *(identity(one) for one in (*forwarded, *message.participants)))
    return list(dict.fromkeys(one for one in named if one))


def _ascii(domain: str) -> str:
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain
