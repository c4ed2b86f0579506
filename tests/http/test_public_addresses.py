"""Which address a request counts for, and how much each may ask."""

from __future__ import annotations

import pytest

from allears.http.addresses import Proxies, neighbourhood
from allears.http.rate import RateLimit
from allears_sdk.testing import FakeClock


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.2", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.2", ["6.6.6.6, 203.0.113.7"], "203.0.113.7"),
        ("10.0.0.2", ["203.0.113.7, 10.0.0.9"], "203.0.113.7"),
        ("10.0.0.2", ["6.6.6.6", "203.0.113.7", "10.0.0.9"], "203.0.113.7"),
        ("10.0.0.2", ["10.0.0.8, 10.0.0.9"], "10.0.0.8"),
        ("10.0.0.2", ["203.0.113.7, unknown"], "10.0.0.2"),
        ("10.0.0.2", [], "10.0.0.2"),
        ("10.0.0.2", [""], "10.0.0.2"),
        ("::ffff:10.0.0.2", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.2", ["203.0.113.7:51000"], "203.0.113.7"),
        ("198.51.100.1", ["203.0.113.7"], "198.51.100.1"),
    ],
)
def test_the_rightmost_address_that_is_no_trusted_proxy_counts(peer: str, forwarded: list[str], client: str) -> None:
    assert Proxies(["10.0.0.0/8"]).client(peer, forwarded) == client


def test_an_ipv6_line_counts_as_one() -> None:
    assert neighbourhood("2001:db8:1:2:aaaa::1") == neighbourhood("2001:db8:1:2:bbbb::2")
    assert neighbourhood("2001:db8:1:2::1") != neighbourhood("2001:db8:1:3::1")
    assert neighbourhood("::ffff:203.0.113.7") == neighbourhood("203.0.113.7")
    assert neighbourhood("203.0.113.7") != neighbourhood("203.0.113.8")


def test_a_rate_limit_forgets_the_addresses_longest_unheard_of() -> None:
    clock = FakeClock()
    rate = RateLimit(60, clock.monotonic, most_addresses=100)
    for number in range(10_000):
        assert rate.spend(f"198.51.{number // 256}.{number % 256}") == 0
    assert len(rate) == 100


def test_one_that_keeps_asking_is_not_forgotten_and_not_let_in() -> None:
    clock = FakeClock()
    rate = RateLimit(2, clock.monotonic, most_addresses=10)
    answers = []
    for number in range(50):
        answers.append(rate.spend("203.0.113.7"))
        rate.spend(f"198.51.100.{number}")
    assert answers[:2] == [0, 0]
    assert all(answers[2:])


def test_without_a_limit_nothing_is_kept() -> None:
    rate = RateLimit(0, FakeClock().monotonic)
    assert [rate.spend("203.0.113.7") for _ in range(1000)] == [0] * 1000
    assert len(rate) == 0
