"""A Kafka broker for tests on loopback: the one inside librdkafka, which speaks the protocol as its authors wrote it.

It keeps records in memory, 5 MiB to a partition, checks producer ids, and can be told to delay answers, refuse, or fall
silent. It comes with the PyPI package `confluent-kafka`, whose Python side does not offer it: hence ctypes.
Source: confluentinc/librdkafka, `src/rdkafka_mock.h`.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

PRODUCE, FETCH = 0, 1
"""Kinds of request, by their number in the protocol."""
TRANSPORT = -195
"""In place of an error code: the connection is closed, nothing is done."""
_PRODUCER = 0
_DONE = 0


class Kafka:
    """`with Kafka() as server`: then `server.servers`. Topics come into being when they are first named, unless they
    are made by `add_topic`; what is in them ends with the server."""

    def __init__(self) -> None:
        self._handle: int | None = None
        self._cluster: int | None = None

    @staticmethod
    def is_installed() -> bool:
        """Whether the library is there."""
        return _path() is not None

    @property
    def servers(self) -> tuple[str, ...]:
        return (_library().rd_kafka_mock_cluster_bootstraps(self._cluster).decode(),)

    def start(self) -> None:
        library = _library()
        reason = ctypes.create_string_buffer(512)
        configuration = library.rd_kafka_conf_new()
        library.rd_kafka_conf_set(configuration, b"log_level", b"0", reason, len(reason))
        self._handle = library.rd_kafka_new(_PRODUCER, configuration, reason, len(reason))
        if not self._handle:
            raise RuntimeError(f"librdkafka did not start: {reason.value.decode()}")
        self._cluster = library.rd_kafka_mock_cluster_new(self._handle, 1)

    def stop(self) -> None:
        library = _library()
        if self._cluster:
            library.rd_kafka_mock_cluster_destroy(self._cluster)
            library.rd_kafka_destroy(self._handle)
        self._cluster = self._handle = None

    def add_topic(self, name: str, partitions: int = 4) -> None:
        _library().rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)

    def fail(self, *codes: int, on: int = PRODUCE) -> None:
        """The next requests of this kind are answered with these error codes, one each, and not done."""
        for code in codes:
            self._push(on, code, 0)

    def forbid(self, topic: str, code: int) -> None:
        """Everything that asks for this topic gets this error code; 0 ends it."""
        _library().rd_kafka_mock_topic_set_error(self._cluster, topic.encode(), code)

    def delay(self, seconds: float, *, on: int = PRODUCE) -> None:
        """The next request of this kind is done at once and answered after so long."""
        self._push(on, _DONE, int(seconds * 1000))

    def go_down(self) -> None:
        """Every connection breaks, and no new one is taken."""
        _library().rd_kafka_mock_broker_set_down(self._cluster, 1)

    def come_up(self) -> None:
        _library().rd_kafka_mock_broker_set_up(self._cluster, 1)

    def _push(self, kind: int, code: int, milliseconds: int) -> None:
        _library().rd_kafka_mock_broker_push_request_error_rtts(
            ctypes.c_void_p(self._cluster), 1, kind, ctypes.c_size_t(1), code, milliseconds
        )

    def __enter__(self) -> Kafka:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def _path() -> Path | None:
    try:
        listed = files("confluent-kafka") or []
    except PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in listed if file.name.startswith("librdkafka")), None)


@cache
def _library() -> Any:
    path = _path()
    if path is None or sys.platform == "win32":
        raise RuntimeError("confluent-kafka with its librdkafka is not installed")
    library = ctypes.CDLL(os.fspath(path))
    pointer, text, size, integer = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int
    for name, result, arguments in (
        ("rd_kafka_conf_new", pointer, []),
        ("rd_kafka_conf_set", integer, [pointer, text, text, text, size]),
        ("rd_kafka_new", pointer, [integer, pointer, text, size]),
        ("rd_kafka_destroy", None, [pointer]),
        ("rd_kafka_mock_cluster_new", pointer, [pointer, integer]),
        ("rd_kafka_mock_cluster_destroy", None, [pointer]),
        ("rd_kafka_mock_cluster_bootstraps", text, [pointer]),
        ("rd_kafka_mock_topic_create", integer, [pointer, text, integer, integer]),
        ("rd_kafka_mock_topic_set_error", None, [pointer, text, integer]),
        ("rd_kafka_mock_broker_set_down", integer, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_broker_set_up", integer, [pointer, ctypes.c_int32]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    # This one takes its pairs of error and delay as C's variable arguments.
    library.rd_kafka_mock_broker_push_request_error_rtts.restype = integer
    return library
