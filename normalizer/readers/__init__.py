"""Raw → Messages, for the formats that are not a channel's own: mail, Outlook's files, our JSON, a form."""

from __future__ import annotations

from allears_sdk.errors import BadMessage
from allears_sdk.message import FORM_DATA, MESSAGE_JSON, OUTLOOK_MSG, RFC822, Message, Raw

_READABLE = frozenset({RFC822, OUTLOOK_MSG, MESSAGE_JSON, FORM_DATA})


def can_read(media_type: str) -> bool:
    """Whether `read` knows the format; parameters behind `;` do not matter."""
    return _essence(media_type) in _READABLE


def read(raw: Raw, *, with_content: bool = False) -> list[Message]:
    """The messages in `raw`, attachments with their bytes only when asked for. Raises `BadMessage` naming what
    cannot be read; mail always can."""
    essence = _essence(raw.media_type)
    if essence == RFC822:
        from normalizer.readers.rfc822 import read_mail

        mail_from = str(raw.context.get("mail_from", ""))
        return [read_mail(raw.body, with_content=with_content, mail_from=mail_from)]
    if essence == OUTLOOK_MSG:
        from normalizer.readers.msg import read_msg

        return [read_msg(raw.body, with_content=with_content)]
    if essence == MESSAGE_JSON:
        from normalizer.readers.message_json import read_messages

        return read_messages(raw.body, timezone=_timezone(raw), with_content=with_content)
    if essence == FORM_DATA:
        from normalizer.readers.form_data import read_form

        return [read_form(raw, with_content=with_content)]
    raise BadMessage(f"no reader for {raw.media_type!r}")


def attachment_content(raw: Raw, index: int) -> bytes:
    """The bytes of attachment `index`, counted over the attachments of all messages in `raw` in their order.
    Raises `BadMessage` when there is no such attachment or its bytes are not in the raw."""
    if _essence(raw.media_type) == RFC822:
        from normalizer.readers.rfc822 import attachment_bytes

        try:
            return attachment_bytes(raw.body, index)
        except IndexError:
            raise BadMessage(f"no attachment {index} in this mail") from None
    found = [attachment for message in read(raw, with_content=True) for attachment in message.attachments]
    if not 0 <= index < len(found) or (content := found[index].content) is None:
        raise BadMessage(f"no bytes of attachment {index} in this {_essence(raw.media_type)}")
    return content


def _essence(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


def _timezone(raw: Raw) -> str:
    return str(raw.context.get("timezone", ""))
