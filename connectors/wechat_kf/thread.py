"""Which chat a message belongs to: a customer and the account they write to."""

from __future__ import annotations

from connectors._wechat.fields import Fields


def thread_of(fields: Fields) -> tuple[str, ...]:
    """() where nobody is named."""
    account, user = fields.word("open_kfid"), fields.word("external_userid")
    return (f"{account}/{user}",) if user else ()


def account_of(thread: tuple[str, ...]) -> str:
    """The open_kfid of the chat; "" where it was not said."""
    return thread[-1].rpartition("/")[0] if thread else ""
