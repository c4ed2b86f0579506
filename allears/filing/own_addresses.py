"""The addresses under which a channel itself writes."""

from __future__ import annotations

from allears_sdk.settings import ChannelSettings

_NAMES = ("username", "mailbox", "account", "sender")


def own_addresses(settings: ChannelSettings) -> tuple[str, ...]:
    """Lower-case, as far as the settings tell: the mailbox's, and what its answers are sent from."""
    places = (settings, getattr(settings, "smtp", None))
    found = (str(getattr(place, name, "") or "") for place in places if place for name in _NAMES)
    return tuple(dict.fromkeys(one.strip().lower() for one in found if "@" in one))
