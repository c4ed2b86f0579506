"""What can go wrong with the journal itself."""

from __future__ import annotations

from allears_sdk.errors import AllearsError


class JournalUnavailable(AllearsError):
    """The journal cannot write just now; nothing was stored."""


class JournalBroken(AllearsError):
    """The journal's file cannot be trusted; the daemon must stop and a person look."""


class JournalInUse(AllearsError):
    """Another daemon uses this data folder."""
