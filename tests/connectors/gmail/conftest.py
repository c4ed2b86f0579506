"""A mailbox on a Gmail in miniature, behind respx; its account has logged in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from allears_sdk.codec import encode
from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock
from connectors.gmail import GmailConnector, GmailSettings
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors.gmail.google import ACCOUNT, Google

Connect = Callable[..., GmailConnector]


@pytest.fixture
def google() -> Iterator[Google]:
    google = Google()
    with answered_by(google.answer):
        yield google


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return make_remote(clock)


@pytest.fixture
def connect(context: Context) -> Connect:
    """`connect(after="trash")`: a connector on the test's mailbox."""
    return lambda **settings: GmailConnector(make_settings(**settings), context)


@cache
def service_account() -> str:
    """A robot's key as Google hands it out."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    robot = {
        "type": "service_account",
        "client_email": "allears@allears-mail.iam.gserviceaccount.com",
        "private_key": pem,
        "private_key_id": "5f0c",
    }
    return encode(robot).decode()


def make_settings(**more: Any) -> GmailSettings:
    robot = {"provider": "google", "grant": "service_account", "service_account": service_account()}
    return GmailSettings.model_validate({"mailbox": ACCOUNT, "oauth": robot} | more)
