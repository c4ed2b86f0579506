"""Colours an admin chooses, and what can be read on them."""

from __future__ import annotations

HEX = r"^#[0-9a-fA-F]{6}$"


def readable_on(colour: str) -> str:
    """White or near-black, whichever has more contrast on `#rrggbb` (WCAG relative luminance)."""
    return "#ffffff" if _luminance(_channels(colour)) < 0.183 else "#1d1a17"


def lightened(colour: str) -> str:
    """The colour for text and links on a near-black page: mixed with white until it has 6 : 1 there."""
    channels = _channels(colour)
    while _luminance(channels) < 0.32:
        channels = [channel + (1 - channel) * 0.08 for channel in channels]
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)


def _channels(colour: str) -> list[float]:
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def _luminance(channels: list[float]) -> float:
    red, green, blue = map(_linear, channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(share: float) -> float:
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)
