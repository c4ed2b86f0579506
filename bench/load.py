"""Load: posts over keep-alive connections, each with a key of its own; prints what came of it as JSON.

python -m bench.load URL --connections 64 --seconds 5 [--sealed]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from bench.texts import TEXTS

SEALED_PER_SECOND = 15_000
"""More than a server answers."""


@dataclass
class Load:
    """What all connections share."""

    host: str
    port: int
    path: str
    until: float = 0.0
    count: int = 0
    refused: int = 0
    latencies: list[float] = field(default_factory=list)
    prepared: list[bytes] | None = None
    """Requests made beforehand: what it costs to seal them is not the server's time."""

    def request(self) -> bytes | None:
        """The next one; none when those prepared are used up."""
        if self.prepared is not None:
            return self.prepared.pop() if self.prepared else None
        self.count += 1
        text = {"text": f"{TEXTS[self.count % len(TEXTS)]} #{self.count}", "author": {"name": "王小明"}}
        body = json.dumps(text, ensure_ascii=False).encode()
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: application/json\r\n"
            f"Idempotency-Key: load-{time.time_ns()}-{self.count}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


class Connection(asyncio.Protocol):
    """Sends the next request when the last one is answered."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self._sent_at = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self._buffer.find(b"Content-Length: ")
        length = int(self._buffer[at + 16 : self._buffer.index(b"\r\n", at)]) if 0 <= at < end else 0
        if len(self._buffer) < end + 4 + length:
            return
        if self._buffer[9:11] == b"20":
            self._load.latencies.append(time.perf_counter() - self._sent_at)
        else:
            self._load.refused += 1
        self._buffer = self._buffer[end + 4 + length :]
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def _send(self) -> None:
        now = time.perf_counter()
        request = self._load.request() if now < self._load.until else None
        if request is None:
            self._transport.close()
            return
        self._sent_at = now
        self._transport.write(request)


async def drive(url: str, connections: int, seconds: float, *, sealed: bool = False) -> dict[str, float]:
    """Requests a second, latencies in milliseconds, how many were not answered with 2xx."""
    parts = urlsplit(url)
    assert parts.hostname and parts.port, "a whole URL"
    load = Load(parts.hostname, parts.port, parts.path)
    if sealed:
        from bench.sealed import prepare

        load.prepared = prepare(load.host, load.port, load.path, int(SEALED_PER_SECOND * seconds))
    start = time.perf_counter()
    load.until = start + seconds
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Connection(load), load.host, load.port) for _ in range(connections)]
    await asyncio.gather(*(protocol.ended for _, protocol in made))
    took = time.perf_counter() - start
    load.latencies.sort()
    return {
        "per_second": len(load.latencies) / took,
        "count": len(load.latencies),
        "refused": load.refused,
        "p50_ms": _at(load.latencies, 0.5) * 1000,
        "p99_ms": _at(load.latencies, 0.99) * 1000,
    }


def _at(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def main() -> None:
    from bench.loop import run

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--sealed", action="store_true", help="WeChat's encrypted callbacks instead of JSON")
    arguments = parser.parse_args()
    print(json.dumps(run(drive(arguments.url, arguments.connections, arguments.seconds, sealed=arguments.sealed))))


if __name__ == "__main__":
    main()
