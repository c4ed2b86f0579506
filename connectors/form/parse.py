"""A URL-encoded form → Message. Multipart forms and JSON are standard media types, read by the house."""

from __future__ import annotations

import re

from allears_sdk.errors import BadMessage
from allears_sdk.message import Author, Message, Raw
from connectors.form.submission import read_pairs


def parse(raw: Raw) -> Message:
    """Raises BadMessage for what is not a form or says nothing."""
    try:
        fields = dict(reversed(read_pairs(raw.body)))
    except ValueError as error:
        raise BadMessage(f"not a URL-encoded form: {error}") from None
    values = {name: value.strip().replace("\r\n", "\n") for name, value in fields.items()}
    if not values.get("text"):
        raise BadMessage("the form has no text")
    return Message(
        text=values["text"],
        author=_author(values),
        posted_at=raw.received_at,
        subject=values.get("subject", ""),
        product=values.get("product", ""),
        order=values.get("order", ""),
        is_automatic=bool(raw.context.get("honeypot")),
        automatic_reason="honeypot" if raw.context.get("honeypot") else "",
    )


def _author(values: dict[str, str]) -> Author:
    email, phone, wechat = values.get("email", "").lower(), values.get("phone", ""), values.get("wechat", "")
    return Author(
        id=email or re.sub(r"[^\d+]", "", phone) or wechat,
        name=values.get("name", ""),
        handle=wechat,
        email=email,
        phone=phone,
    )
