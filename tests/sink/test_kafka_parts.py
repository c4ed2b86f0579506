"""What of the Kafka sink needs no broker: settings, partitions, errors by their reaction."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import errors
from aiokafka.partitioner import DefaultPartitioner
from pydantic import ValidationError

from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected
from allears_sdk.testing.context import make_context
from bench.servers.certificate import make_certificate
from sink.kafka import KafkaSettings, KafkaSink, _judge


def settings(**more: Any) -> KafkaSettings:
    return KafkaSettings.model_validate({"sink": "kafka", "servers": ["kafka.example.com:9093"], **more})


@pytest.mark.parametrize("key", [b"ALE-7K3M-Q9TX-4RWD", b"ALE-0000-0000-0000", b"ALE-ZZZZ-1234-ABCD", b"A", b""])
def test_the_partition_is_the_one_other_clients_choose(key: bytes) -> None:
    """Java's, and `murmur2` of librdkafka: who reads by key finds a complaint where they expect it."""
    partitions = list(range(6))
    assert DefaultPartitioner()(key, partitions, partitions) == murmur2(key) % len(partitions)


def murmur2(data: bytes) -> int:
    """Written down from its definition: 32 bits, seed 0x9747b28c, made positive."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    for start in range(0, len(data) // 4 * 4, 4):
        k = int.from_bytes(data[start : start + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    rest = data[len(data) // 4 * 4 :]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return (h ^ h >> 15) & 0x7FFFFFFF


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (errors.ClusterAuthorizationFailedError(), AuthError),
        (errors.RecordListTooLargeError(), Rejected),
        (errors.UnknownTopicOrPartitionError(), ConfigError),
        (errors.InvalidTopicError(), ConfigError),
        (errors.KafkaTimeoutError(), InDoubt),
        (errors.KafkaConnectionError("reset"), InDoubt),
        (errors.ProducerFenced(), InDoubt),
        (errors.UnknownProducerId(), InDoubt),
        (errors.UnknownError(), InDoubt),
    ],
)
def test_errors_by_the_reaction_they_ask_for(error: Exception, ours: type[AllearsError]) -> None:
    assert type(_judge(error, "writing", "")) is ours


def test_an_encrypted_connection_trusts_what_it_was_told(tmp_path: Path) -> None:
    sink = KafkaSink(
        settings(tls=True, ca_file=make_certificate(tmp_path), username="allears", password="p"),
        make_context("bus", tmp_path),
    )
    access = sink._access()
    assert access["security_protocol"] == "SASL_SSL"
    assert isinstance(access["ssl_context"], ssl.SSLContext)
    broken = replace(sink.context, name="other")
    with pytest.raises(ConfigError, match="ca_file"):
        KafkaSink(settings(tls=True, ca_file=tmp_path / "no.pem"), broken)._access()


@pytest.mark.parametrize(
    "bad",
    [
        {"servers": []},
        {"servers": ["kafka.example.com"]},
        {"servers": ["kafka://kafka.example.com:9092"]},
        {"servers": ["user:pass@kafka.example.com:9092"]},
        {"topic": "投诉"},
        {"topic": ""},
        {"sasl_mechanism": "GSSAPI"},
        {"look_back_records": -1},
        {"topics": "x"},
    ],
)
def test_settings_refuse(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        KafkaSettings.model_validate({"sink": "kafka", "servers": ["127.0.0.1:9092"], **bad})
