"""Colours an admin chooses, and what can be read on them."""

from __future__ import annotations

HEX = r"^#[0-9a-fA-F]{6}$"


def readable_on(colour: str) -> str:
    """White or near-black, whichever has more contrast on `#rrggbb` (WCAG relative luminance)."""
    return "#ffffff" if _luminance(_channels(colour)) < 0.183 else "#1d1a17"


def accents(accent: str) -> tuple[str, str]:
    """Declarations of `--accent`, `--on-accent` (words on it) and `--link` for light and for dark pages: there a dark
    accent is made lighter, as a button a little, as words until they have 6 : 1."""
    return _declared(accent, accent), _declared(lightened(accent, 0.14), lightened(accent, 0.32))


def lightened(colour: str, luminance: float) -> str:
    """Mixed with white until it is at least so bright, 0 to 1."""
    channels = _channels(colour)
    while _luminance(channels) < luminance:
        channels = [channel + (1 - channel) * 0.06 for channel in channels]
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)


def _declared(accent: str, link: str) -> str:
    return f"--accent:{accent};--on-accent:{readable_on(accent)};--link:{link}"


def _channels(colour: str) -> list[float]:
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def _luminance(channels: list[float]) -> float:
    red, green, blue = map(_linear, channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(share: float) -> float:
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)
