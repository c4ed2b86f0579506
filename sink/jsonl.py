"""Appends each event as one line of JSON to a file that other programs read."""

from __future__ import annotations

from allears_sdk.codec import encode
from allears_sdk.complaint import Event
from allears_sdk.errors import Rejected
from allears_sdk.sink import Certainty, SinkSpec, marks_of
from sink._line_sink import LineSettings, LineSink
from sink._payload import TYPES, event_facts


class JsonlSettings(LineSettings):
    """Which file, and when a new one begins."""


class JsonlSink(LineSink[JsonlSettings]):
    spec = SinkSpec(
        kind="jsonl",
        title_en="JSONL file",
        title_zh="JSONL 文件",
        open_certainty=Certainty.B,
        follow_up_certainty=Certainty.B,
        wait_seconds=0,
        batches=True,
        is_stream=True,
        verified="ext4 and overlayfs on Linux",
        verified_zh="Linux 上的 ext4 与 overlayfs",
    )
    Settings = JsonlSettings

    def render(self, event: Event, key: str) -> bytes:
        marks = marks_of(event, key, is_stream=True)
        return encode(
            {
                "type": TYPES[event.kind],
                "delivery_key": key,
                **({"marks": marks} if len(marks) > 1 else {}),
                "event": event_facts(event),
                "complaint": event.record,
            }
        )

    def line(self, payload: bytes) -> bytes:
        if b"\n" in payload:
            raise Rejected("the payload is more than one line")
        return payload
