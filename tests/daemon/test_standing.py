"""Credentials that end are told of days ahead, once a day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import structlog

from allears.standing import Holder, Standing
from allears_sdk.accounts import Accounts, Quotas
from allears_sdk.testing import FakeClock, MemoryLedger

ADVICE = "log in again: allears channels login support-mail"


@pytest.fixture
def said() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def mail(clock: FakeClock) -> Accounts:
    return Accounts(MemoryLedger(), Quotas(), clock)


def watch(clock: FakeClock, mail: Accounts) -> Standing:
    holders = [Holder(kind="channel", name="support-mail", accounts=mail)]
    return Standing(Quotas(), lambda: holders, clock, warning=timedelta(days=14))


def test_once_a_day_from_two_weeks_ahead(clock: FakeClock, mail: Accounts, said: list[Any]) -> None:
    standing = watch(clock, mail)
    mail.expires("refresh token", clock.now() + timedelta(days=30), advice=ADVICE)
    for _ in range(30 * 24):
        standing.warn()
        clock.advance(3600)
    warnings = [entry for entry in said if entry["event"] == "credential_expires"]
    assert [entry["days_left"] for entry in warnings] == list(range(14, 0, -1))
    assert {entry["log_level"] for entry in warnings} == {"warning"}
    assert warnings[0]["channel"] == "support-mail"
    assert warnings[0]["credential"] == "refresh token"
    assert warnings[0]["advice"] == ADVICE
    standing.warn()
    clock.advance(86_400)
    standing.warn()
    assert [entry["log_level"] for entry in said if entry["event"] == "credential_expired"] == ["error", "error"]


def test_one_that_was_renewed_is_no_longer_told_of(clock: FakeClock, mail: Accounts, said: list[Any]) -> None:
    standing = watch(clock, mail)
    mail.expires("refresh token", clock.now() + timedelta(days=3), advice=ADVICE)
    standing.warn()
    mail.expires("refresh token", clock.now() + timedelta(days=90), advice=ADVICE)
    clock.advance(86_400)
    standing.warn()
    assert len(said) == 1
    mail.expires("refresh token", clock.now() + timedelta(days=1), advice=ADVICE)
    standing.warn()
    assert len(said) == 2


def test_all_whose_end_is_known_are_listed(clock: FakeClock, mail: Accounts) -> None:
    mail.expires("certificate", clock.now() + timedelta(days=300), advice="renew it")
    [held] = watch(clock, mail).credentials
    assert (held.kind, held.name, held.credential.name) == ("channel", "support-mail", "certificate")
