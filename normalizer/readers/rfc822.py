"""One mail, byte for byte → one Message. Any bytes give a message: what cannot be read stays in the raw."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import datetime

from allears_sdk.message import Attachment, Author, Message
from normalizer.readers import mime
from normalizer.readers.address import Mailbox, parse_addresses
from normalizer.readers.automatic import automatic_reason, is_no_reply
from normalizer.readers.body import Body, Leaf, read_body
from normalizer.readers.forward import find_attached_original, find_original, only_passes_on
from normalizer.readers.mime import Part
from normalizer.readers.mime_header import (
    decode_value,
    message_ids,
    outlook_thread,
    parse_date,
    raw_text,
    trailing_date,
)

_MAX_NESTED_MAILS = 3
_SENDERS = ("from", "sender", "reply-to", "x-original-from", "return-path", "resent-from")
_VIA = re.compile(r"^['\"]?(.{1,120}?)['\"]?\s+(?:via|通过|透過)\s+\S", re.IGNORECASE)


def read_mail(data: bytes, *, with_content: bool = False, depth: int = 0, mail_from: str = "") -> Message:
    """`with_content` keeps the attachments' bytes; their size and SHA-256 are always there. `mail_from` is the
    envelope's sender where we took the mail ourselves: "<>" for none."""
    root = mime.parse(data)
    if mail_from:  # as the last server on the way would have written it
        root.headers.setdefault("return-path", [mail_from.encode()])
    body = read_body(root)
    hint = _charset_hint(root)
    sender = _sender(root, hint)
    subject = decode_value(root.header("subject"), hint)
    text = body.text.strip("\n")
    message_id = next(iter(message_ids(root.header("message-id"), 1)), "")
    carried = _carried(root, sender, hint)
    reason = automatic_reason(root, sender.address, subject, text, carries=bool(carried.address))
    message = Message(
        text=text,
        html=body.html,
        subject=subject,
        author=Author(id=sender.address, email=sender.address, name=sender.name),
        participants=_participants(root, hint),
        external_id=_external_id(root, sender, body, message_id),
        known_as=_known_as(root, message_id),
        thread=_thread(root),
        posted_at=_posted_at(root),
        attachments=tuple(_attachment(leaf, with_content) for leaf in body.files),
        language=_language(root),
        is_automatic=bool(reason),
        automatic_reason=reason,
    )
    if reason:
        return message
    original = find_original(message) or _attached_original(message, body, depth) or _spoken_for(message, carried)
    return replace(message, original=original) if original else message


def attachment_bytes(data: bytes, index: int) -> bytes:
    """Raises `IndexError` when the mail has no such attachment."""
    return read_body(mime.parse(data)).files[index].content


def _charset_hint(root: Part) -> str:
    """The first charset any part names: raw 8-bit header bytes are most likely in it."""
    stack = [root]
    while stack:
        part = stack.pop()
        named = part.parameters.get("charset", "")
        if named and named.lower() not in ("us-ascii", "ascii"):
            return named
        stack += reversed(part.children)
    return ""


def _sender(root: Part, hint: str) -> Mailbox:
    """From, or what else says who wrote it; the first address of the first field that has one."""
    named = Mailbox()
    for field in _SENDERS:
        for raw in root.headers.get(field, ()):
            for mailbox in parse_addresses(raw_text(raw, hint)):
                if "@" in mailbox.address:
                    found = Mailbox(mailbox.name or named.name, mailbox.address)
                    return _behind_list(root, found, hint) if field == "from" else found
                named = named if named.name or named.address else mailbox
    return named


def _behind_list(root: Part, sender: Mailbox, hint: str) -> Mailbox:
    """A group that rewrites From ("Zhang San via Support <support@…>") keeps the author in a field of its own."""
    via = _VIA.match(sender.name)
    if not via:
        return sender
    for field in ("x-original-from", "x-original-sender"):
        for mailbox in parse_addresses(raw_text(root.header(field), hint)):
            if "@" in mailbox.address:
                return Mailbox(mailbox.name or via[1], mailbox.address)
    return sender


def _carried(root: Part, sender: Mailbox, hint: str) -> Mailbox:
    """Whom a web form mails for: it sends from a no-reply address or from the mailbox to itself, and its customer
    stands in Reply-To."""
    to = root.header("to")
    if not is_no_reply(sender.address) and sender.address not in _addresses(to, hint):
        return Mailbox()
    for mailbox in parse_addresses(raw_text(root.header("reply-to"), hint))[:1]:
        if "@" in mailbox.address and mailbox.address != sender.address and not is_no_reply(mailbox.address):
            return mailbox
    return Mailbox()


def _spoken_for(message: Message, customer: Mailbox) -> Message | None:
    """The same words, by whom they are."""
    if not customer.address:
        return None
    return replace(message, author=Author(id=customer.address, email=customer.address, name=customer.name))


def _addresses(raw: bytes, hint: str) -> list[str]:
    return [mailbox.address for mailbox in parse_addresses(raw_text(raw, hint))] if raw else []


def _known_as(root: Part, message_id: str) -> tuple[str, ...]:
    """Message-ID, and the conversation Outlook counts it to, by which answers without References are found."""
    index = outlook_thread(root.header("thread-index"))
    return tuple(filter(None, (message_id, index))) if message_id else ()


def _participants(root: Part, hint: str) -> tuple[str, ...]:
    addresses: dict[str, None] = {}
    fields = ("to", "cc", "reply-to", "from") if b"," in root.header("from") else ("to", "cc", "reply-to")
    for field in fields:
        for raw in root.headers.get(field, ()):
            for mailbox in parse_addresses(raw_text(raw, hint)):
                if "@" in mailbox.address:
                    addresses[mailbox.address] = None
    return tuple(addresses)


def _thread(root: Part) -> tuple[str, ...]:
    nearest_first = message_ids(root.header("in-reply-to"))
    nearest_first += reversed(message_ids(root.header("references")))
    if not nearest_first and (index := outlook_thread(root.header("thread-index"), answers=True)):
        nearest_first = [index]
    return tuple(dict.fromkeys(nearest_first))


def _posted_at(root: Part) -> datetime | None:
    """The Date field; without a believable one, when the first relay received it."""
    moment = parse_date(root.header("date"))
    if moment is None and root.headers.get("received"):
        moment = trailing_date(root.headers["received"][-1])
    return moment


def _language(root: Part) -> str:
    value = decode_value(root.header("content-language")).split(",", 1)[0].strip()
    return value if re.fullmatch(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*", value) else ""


def _external_id(root: Part, sender: Mailbox, body: Body, message_id: str) -> str:
    """Message-ID and a digest of sender, subject, date and all parts, taken before charsets, HTML and kinds of
    parts are interpreted: reading better one day must not make another message of the same mail."""
    digest = hashlib.sha256(sender.address.encode("utf-8", "replace"))
    for name in ("subject", "date"):
        digest.update(b"\0" + b" ".join(root.header(name).split()))
    for part in body.digests:
        digest.update(part)
    return f"{message_id}#{digest.hexdigest()[: 12 if message_id else 24]}"


def _attachment(leaf: Leaf, with_content: bool) -> Attachment:
    return Attachment(
        name=leaf.name,
        title=leaf.title,
        media_type=leaf.media_type,
        size=len(leaf.content),
        sha256=leaf.digest.hex(),
        inline=leaf.inline,
        content_id=leaf.content_id,
        content=leaf.content if with_content else None,
    )


def _attached_original(message: Message, body: Body, depth: int) -> Message | None:
    """Forwarded as an attachment: one mail inside, nothing or little said around it."""
    mails = [leaf for leaf in body.files if leaf.media_type in ("message/rfc822", "message/global")]
    if len(mails) != 1 or depth >= _MAX_NESTED_MAILS or not only_passes_on(message):
        return None
    return find_attached_original(message, read_mail(mails[0].content, depth=depth + 1))
