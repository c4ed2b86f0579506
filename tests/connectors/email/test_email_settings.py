"""What the settings accept, and how a refusal at the server is explained."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from imapclient.exceptions import LoginError
from pydantic import ValidationError

from allears_sdk.errors import AuthError, RetryLater
from connectors.email import EmailSettings
from connectors.email.connector import stream_name
from connectors.email.faults import login_failed
from connectors.email.settings import Preset

BASE: dict[str, Any] = {"host": "imap.example.com", "username": "support@example.com", "password": "x"}

OAUTH: dict[str, Any] = {"provider": "microsoft", "tenant": "contoso.onmicrosoft.com", "client_id": "6731de76"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"tls": "none"},
        {"after": "move"},
        {"move_to": "Filed"},
        {"after": "move", "move_to": "INBOX"},
        {"folders": ()},
        {"folders": ("INBOX", "INBOX")},
        {"idle_renew_minutes": 30},
        {"pasword": "x"},
        {"host": ""},
        {"password": None},
        {"oauth": OAUTH},
        {"password": None, "oauth": {**OAUTH, "tenant": ""}},
        {"preset": "qqq"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EmailSettings.model_validate(BASE | wrong)


@pytest.mark.parametrize(
    "right",
    [
        {"tls": "none", "host": "127.0.0.1"},
        {"tls": "none", "host": "::1"},
        {"tls": "none", "host": "localhost"},
        {"tls": "none", "allow_plain": True},
        {"after": "move", "move_to": "已处理"},
        {"folders": ["INBOX", "投诉"]},
        {"password": None, "oauth": OAUTH},
    ],
)
def test_settings_that_can_work(right: dict[str, Any]) -> None:
    EmailSettings.model_validate(BASE | right)


def test_the_port_follows_the_encryption() -> None:
    assert EmailSettings.model_validate(BASE).effective_port == 993
    assert EmailSettings.model_validate(BASE | {"tls": "starttls"}).effective_port == 143
    assert EmailSettings.model_validate(BASE | {"port": 1993}).effective_port == 1993


@pytest.mark.parametrize(("preset", "host"), EmailSettings.hosts.items())
def test_a_preset_names_the_server(preset: str, host: str) -> None:
    settings = EmailSettings.model_validate({"preset": preset, "username": "u", "password": "x"})
    assert (settings.host, settings.effective_port, settings.tls) == (host, 993, "implicit")
    assert EmailSettings.model_validate(settings.model_dump()) == settings


def test_what_is_set_beside_a_preset_counts_more() -> None:
    overseas = {"preset": "tencent_exmail", "host": "hwimap.exmail.qq.com", "port": 1993}
    settings = EmailSettings.model_validate(BASE | overseas)
    assert (settings.host, settings.effective_port) == ("hwimap.exmail.qq.com", 1993)
    assert EmailSettings.model_validate({"preset": 163, "username": "u", "password": "x"}).host == "imap.163.com"


def test_every_preset_has_a_server() -> None:
    assert set(get_args(Preset)) == set(EmailSettings.hosts)


def test_a_stream_is_named_by_account_host_and_folder() -> None:
    settings = EmailSettings.model_validate(BASE | {"host": "IMAP.example.com"})
    assert stream_name(settings, "投诉") == "imap://support@example.com@imap.example.com/投诉"


@pytest.mark.parametrize(
    ("host", "text", "hint"),
    [
        ("imap.qq.com", "Login fail. Account is abnormal, password is incorrect, login frequency limited", "授权码"),
        ("imap.163.com", "LOGIN Login error or password error", "授权码"),
        ("imap.126.com", "[AUTHENTICATIONFAILED] bad", "授权码"),
        ("imap.gmail.com", "[AUTHENTICATIONFAILED] Invalid credentials (Failure)", "app password"),
        ("outlook.office365.com", "LOGIN failed.", "Microsoft"),
        ("mail.example.com", "[AUTHENTICATIONFAILED] Authentication failed.", "refused the login"),
    ],
)
def test_a_refused_login_says_what_to_do(host: str, text: str, hint: str) -> None:
    error = login_failed(LoginError(f"login failed: {text}"), host)
    assert isinstance(error, AuthError)
    assert hint in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "[UNAVAILABLE] Temporary authentication failure.",
        "[ALERT] Too many simultaneous connections. (Failure)",
        "[LIMIT] Maximum number of connections from user+IP exceeded",
        "[INUSE] mailbox is locked",
        "登录过于频繁，请稍后再试",
    ],
)
def test_a_busy_server_is_asked_again_later(text: str) -> None:
    error = login_failed(LoginError(f"login failed: {text}"), "imap.example.com")
    assert isinstance(error, RetryLater)
    assert error.after_seconds
