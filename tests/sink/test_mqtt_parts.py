"""What of the MQTT sink needs no broker: its settings, and whatever answers in place of one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.errors import AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.testing.context import make_context
from sink.mqtt import MqttSettings, MqttSink


def settings(url: str, **more: Any) -> MqttSettings:
    return MqttSettings.model_validate({"sink": "mqtt", "url": url, **more})


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"\x20\x03\x00\x84\x00", ConfigError),
        (b"\x20\x03\x00\x85\x00", ConfigError),
        (b"\x20\x03\x00\x9d\x00", ConfigError),
        (b"\x20\x03\x00\x8a\x00", AuthError),
        (b"\x20\x03\x00\x88\x00", RetryLater),
        (b"\x20\x03\x00\x97\x00", RetryLater),
        (b"\x20\x02\x00\x01", ConfigError),
        (b"\xe0\x02\x8b\x00", Unavailable),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Unavailable),
        (b"", Unavailable),
    ],
)
async def test_whatever_answers_in_place_of_a_welcome(tmp_path: Path, answer: bytes, error: type[Exception]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sink = MqttSink(settings(f"mqtt://127.0.0.1:{port}", timeout_seconds=5), make_context("bus", tmp_path))
    with pytest.raises(error) as caught:
        await sink.check()
    assert type(caught.value) is error
    server.close()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://broker.example.com", ("broker.example.com", 1883)),
        ("mqtts://broker.example.com/", ("broker.example.com", 8883)),
        ("mqtts://[2001:db8::7]:8884", ("2001:db8::7", 8884)),
    ],
)
def test_addresses(url: str, address: tuple[str, int]) -> None:
    assert settings(url).address == address


@pytest.mark.parametrize(
    "bad",
    [
        {"url": "http://127.0.0.1"},
        {"url": "mqtt://user:pass@127.0.0.1"},
        {"url": "mqtt://127.0.0.1/topic"},
        {"topic": ""},
        {"topic": "allears/#"},
        {"topic": "allears/+/complaints"},
        {"topic": "$SYS/allears"},
        {"topic": "allears//complaints"},
        {"topic": "allears/complaints/"},
        {"topic": "allears\x00complaints"},
        {"topic": "投" * 400},
        {"qos": 2},
        {"topik": "x"},
    ],
)
def test_settings_refuse(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MqttSettings.model_validate({"sink": "mqtt", "url": "mqtt://127.0.0.1", **bad})
