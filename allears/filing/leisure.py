"""Whether there is time to read thoroughly."""

from __future__ import annotations

from allears.settings.understanding_section import Encoding

BURST_STEPS = 4
"""So many full steps on end [192 texts: 5 s of chats, 14 s of mails] are read thoroughly; what then still waits is a
flood, until a step is not full."""


class Leisure:
    """One for each kind of step."""

    def __init__(self) -> None:
        self._full = 0

    def for_step(self, taken: int, most: int, encoder: Encoding, *, is_flooded: bool = False) -> bool:
        """Whether the encoder is asked about a step of `taken` texts, where `most` would have fitted. `is_flooded`:
        more come than could ever be."""
        self._full = self._full + 1 if taken >= most else 0
        return encoder == "always" or (encoder == "auto" and not is_flooded and self._full <= BURST_STEPS)
