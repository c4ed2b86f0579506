"""What a store's texts end with."""

from __future__ import annotations


def first_mark(text: str) -> str:
    """Of the marks that close a text the first: the key of a follow-up that tells of one message."""
    return text.rpartition("[")[2].rstrip("]").split()[0]
