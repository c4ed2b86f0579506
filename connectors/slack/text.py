"""Slack's mrkdwn as people read it. "Formatting message text", section Retrieving formatted messages. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from allears_sdk.slack.escapes import unescaped

_MARK = re.compile(r"<([^<>]+)>")
_USER = re.compile(r"<@([UW][A-Z0-9]+)")


def readable(text: str, names: Mapping[str, str]) -> str:
    """Links, mentions and escapes written out; `names` by user id. Emoji codes and stars stay as they are."""
    return unescaped(_MARK.sub(lambda found: _shown(found[1], names), text))


def mentioned(text: str) -> list[str]:
    """Ids of the users that are named in it."""
    return _USER.findall(text)


def _shown(mark: str, names: Mapping[str, str]) -> str:
    target, _, label = mark.partition("|")
    if target.startswith("@"):
        return f"@{names.get(target[1:]) or label.removeprefix('@') or target[1:]}"
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith("!"):
        return _special(target[1:], label)
    place = target.removeprefix("mailto:").removeprefix("tel:")
    if not label or label in (place, target) or target.endswith(f"://{label}"):
        return place
    return f"{label} ({place})"


def _special(command: str, label: str) -> str:
    name, _, rest = command.partition("^")
    if name == "date":
        return label or rest
    return label or f"@{rest or name}"


def words_of(post: Mapping[str, Any]) -> str:
    """What a message says, still as mrkdwn: its text, else its blocks; and messages that were shared with it."""
    said = post.get("text")
    parts = [said if isinstance(said, str) and said else _in_blocks(post.get("blocks"))]
    for attached in _dicts(post.get("attachments")):
        if attached.get("is_share") or not parts[0]:
            parts.append(_attached(attached))
    return "\n\n".join(part for part in parts if part)


def _attached(attached: Mapping[str, Any]) -> str:
    text = next((attached[name] for name in ("text", "fallback") if isinstance(attached.get(name), str)), "")
    lines = [*(attached.get(name) for name in ("author_name", "pretext", "title")), text]
    shown = "\n".join(line for line in lines if isinstance(line, str) and line)
    return "\n".join(f"> {line}" for line in shown.splitlines()) if attached.get("is_share") else shown


def _in_blocks(blocks: Any) -> str:
    return "\n".join(text for block in _dicts(blocks) for text in _block_texts(block))


def _block_texts(block: Mapping[str, Any]) -> list[str]:
    found = [block.get("text"), *(block.get("fields") or [] if isinstance(block.get("fields"), list) else [])]
    return [one["text"] for one in _dicts(found) if isinstance(one.get("text"), str)]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
