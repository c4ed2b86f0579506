"""What Slack says, as its documents print it: events, profiles, signatures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allears_sdk.signing import hmac_hex
from allears_sdk.testing.clock import START

BOT_TOKEN = "xoxb-7231-bot-5d1f0c"
APP_TOKEN = "xapp-1-A01-link-9b3e77"
SIGNING_SECRET = "slack-signing-secret-01"
TEAM = "T01ACME"
BOT_USER, BOT = "U00BOT", "B00BOT"
SUPPORT, PRIVATE, IM = "C01SUPPORT", "C02VIP", "D01LILEI"
AGENT, LI_LEI, KIM = "U01AGENT", "U02LILEI", "U03KIM"
START_SECONDS = int(START.timestamp()) - 3600

Json = dict[str, Any]


def stamp(seconds: float, began: int = START_SECONDS) -> str:
    """A `ts` that many seconds after an hour before the tests begin."""
    whole = int(seconds)
    return f"{began + whole}.{round((seconds - whole) * 1e6) + 200:06d}"


def user(id_: str, name: str, handle: str, email: str) -> Json:
    profile = {"real_name": name, "display_name": handle, "email": email}
    return {"id": id_, "team_id": TEAM, "name": handle, "real_name": name, "profile": profile, "is_bot": False}


def event(channel: str, post: Mapping[str, Any], kind: str = "channel", **outer: Any) -> Json:
    """The `event_callback` by which a message is pushed."""
    inner = {**post, "channel": channel, "channel_type": kind, "event_ts": post.get("ts")}
    return callback(inner, **outer)


def changed(channel: str, post: Mapping[str, Any], before: Mapping[str, Any], kind: str = "channel") -> Json:
    inner = {
        "type": "message",
        "subtype": "message_changed",
        "hidden": True,
        "message": dict(post),
        "previous_message": dict(before),
        "channel": channel,
        "channel_type": kind,
        "ts": post["edited"]["ts"] if "edited" in post else post["ts"],
    }
    return callback({**inner, "event_ts": inner["ts"]})


def deleted(channel: str, before: Mapping[str, Any], ts: str, kind: str = "channel") -> Json:
    return callback(
        {
            "type": "message",
            "subtype": "message_deleted",
            "hidden": True,
            "deleted_ts": before["ts"],
            "previous_message": dict(before),
            "channel": channel,
            "channel_type": kind,
            "ts": ts,
            "event_ts": ts,
        }
    )


def callback(inner: Mapping[str, Any], **outer: Any) -> Json:
    return {
        "token": "legacy-verification",
        "team_id": TEAM,
        "context_team_id": TEAM,
        "api_app_id": "A01",
        "type": "event_callback",
        "event_id": f"Ev{abs(hash(str(inner))) % 10**10}",
        "event_time": START_SECONDS,
        "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
        "event": dict(inner),
        **outer,
    }


def signed(body: bytes, at: int, secret: str = SIGNING_SECRET) -> list[tuple[str, str]]:
    """The headers Slack sends with a body."""
    return [
        ("Content-Type", "application/json"),
        ("X-Slack-Request-Timestamp", str(at)),
        ("X-Slack-Signature", f"v0={hmac_hex(secret, f'v0:{at}:'.encode() + body)}"),
    ]
