"""What of the S3 sink needs no bucket: its settings, and what services say in place of an answer."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable
from allears_sdk.sink import Progress
from allears_sdk.testing.context import make_context
from allears_sdk.testing.records import make_event
from sink.s3 import S3Settings, S3Sink

KEY = "ALE-7K3M-Q9TX-4RWD-AB12CD-0123456789"
SECRET = "wJalrXUtnFEMI-kefu-Pa55"


async def save(note: object) -> None:
    raise AssertionError("nothing here is noted")


def settings(**more: Any) -> S3Settings:
    facts = {"sink": "s3", "bucket": "complaints", "access_key_id": "AKIAKEFU", "secret_access_key": SECRET}
    return S3Settings.model_validate({**facts, **more})


async def put(sink: S3Sink) -> None:
    await sink.open(sink.render(make_event(), KEY), KEY, Progress(note={}, save=save))


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (301, "PermanentRedirect", ConfigError),
        (400, "AuthorizationHeaderMalformed", ConfigError),
        (400, "EntityTooLarge", Rejected),
        (400, "ExpiredToken", AuthError),
        (400, "RequestTimeout", RetryLater),
        (401, "", AuthError),
        (403, "AccessDenied", AuthError),
        (403, "InvalidAccessKeyId", AuthError),
        (403, "SignatureDoesNotMatch", AuthError),
        (404, "NoSuchBucket", ConfigError),
        (408, "", InDoubt),
        (409, "ConditionalRequestConflict", RetryLater),
        (409, "OperationAborted", RetryLater),
        (422, "", Rejected),
        (429, "", RetryLater),
        (500, "InternalError", InDoubt),
        (501, "NotImplemented", ConfigError),
        (502, "", InDoubt),
        (503, "SlowDown", RetryLater),
        (200, "html", InDoubt),
    ],
)
async def test_a_refusal_is_named(tmp_path: Path, status: int, code: str, error: type[AllearsError]) -> None:
    requests = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        body = f"<Error><Code>{code}</Code></Error>" if code else ""
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    sink = S3Sink(settings(endpoint_url=url, path_style=True), make_context("archive", tmp_path))
    with pytest.raises(AllearsError) as caught:
        await put(sink)
    server.close()
    assert type(caught.value) is error
    assert SECRET not in f"{caught.value} {caught.value.detail}"
    assert len(requests) == 1, "the client asked again by itself"


async def test_a_key_that_may_only_write_passes_the_check_and_is_told(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b"<Error><Code>AccessDenied</Code></Error>"
        writer.write(b"HTTP/1.1 403 X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    identity = await S3Sink(settings(endpoint_url=url, path_style=True), make_context("archive", tmp_path)).check()
    server.close()
    assert "may not list" in identity.details[0]


async def test_silence_is_doubt(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    more = {"endpoint_url": url, "path_style": True, "timeout_seconds": 1}
    with pytest.raises(InDoubt):
        await put(S3Sink(settings(**more), make_context("archive", tmp_path)))
    server.close()


async def test_keys_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where the settings have none; a token there belongs to the key there."""
    heads = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode().lower())
        writer.write(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
        await writer.drain()
        writer.close()

    for name, value in (("ACCESS_KEY_ID", "AKIAENV"), ("SECRET_ACCESS_KEY", "s"), ("SESSION_TOKEN", "visitor")):
        monkeypatch.setenv(f"AWS_{name}", value)
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for more in ({"access_key_id": "", "secret_access_key": None}, {}):
        await put(S3Sink(settings(endpoint_url=url, path_style=True, **more), make_context("archive", tmp_path)))
    server.close()
    assert ["akiaenv" in head for head in heads] == [True, False]
    assert ["visitor" in head for head in heads] == [True, False]
    assert all("if-none-match: *" in head for head in heads)


@pytest.mark.parametrize(
    ("more", "endpoint"),
    [
        ({}, None),
        ({"endpoint_url": "https://oss-cn-hangzhou.aliyuncs.com/"}, "https://complaints.oss-cn-hangzhou.aliyuncs.com"),
        ({"endpoint_url": "http://minio.example.com:9000", "path_style": True}, "http://minio.example.com:9000"),
    ],
)
def test_where_the_bucket_is(more: dict[str, Any], endpoint: str | None) -> None:
    assert settings(**more).endpoint == endpoint


@pytest.mark.parametrize("content", [None, b"-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n"])
async def test_a_certificate_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_bytes(content)
    sink = S3Sink(settings(ca_file=str(tmp_path / "ca.pem")), make_context("archive", tmp_path))
    with pytest.raises(ConfigError, match="ca_file"):
        await put(sink)


async def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("obstore", "obstore.store"):
        monkeypatch.setitem(sys.modules, name, None)
    sink = S3Sink(settings(), make_context("archive", tmp_path))
    for call in (sink.start(), sink.check(), put(sink)):
        with pytest.raises(ConfigError, match=r"pip install 'allears\[s3\]'"):
            await call


async def test_nobody_listens(tmp_path: Path) -> None:
    sink = S3Sink(settings(endpoint_url="http://127.0.0.1:1", path_style=True), make_context("archive", tmp_path))
    with pytest.raises(Unavailable):
        await put(sink)


@pytest.mark.parametrize(
    "bad",
    [
        {"bucket": "Complaints"},
        {"bucket": "a/b"},
        {"prefix": "a//b"},
        {"prefix": "/a"},
        {"prefix": "a/../b"},
        {"prefix": "a\nb"},
        {"endpoint_url": "s3://complaints"},
        {"endpoint_url": "https://key:secret@minio.example.com"},
        {"endpoint_url": "https://minio.example.com/complaints"},
        {"region": "cn north"},
        {"secret_access_key": None},
        {"access_key_id": ""},
        {"buckit": "x"},
    ],
)
def test_settings_refuse(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**bad)
