"""`acknowledge` in a file: what it needs, and what is said where it cannot work."""

from __future__ import annotations

from pathlib import Path

import pytest

from allears import settings
from allears_sdk.settings import ChannelSettings
from connectors.email import EmailSettings

MAIL = """
[channels.mail]
connector = "email"
username = "kefu@example.com"
password = "code"
"""


def faults(folder: Path, text: str, language: str = "en") -> list[str]:
    path = folder / "allears.toml"
    path.write_text(text, encoding="utf-8")
    try:
        settings.load(path, language=language)
    except settings.InvalidConfiguration as error:
        return [settings.describe(fault, language) for fault in error.faults]
    return []


def test_nobody_is_answered_unless_asked_for() -> None:
    assert ChannelSettings(connector="email").acknowledges is None
    assert ChannelSettings.model_validate({"connector": "email", "acknowledge": {}}).acknowledges
    off = ChannelSettings.model_validate({"connector": "email", "acknowledge": {"enabled": False}})
    assert off.acknowledge
    assert off.acknowledges is None


@pytest.mark.parametrize("kind", ["form", "folder"])
def test_a_channel_that_cannot_answer_says_so(tmp_path: Path, kind: str) -> None:
    path = f'\npath = "{tmp_path}"' if kind == "folder" else ""
    channel = f'[channels.desk]\nconnector = "{kind}"{path}\n[channels.desk.acknowledge]\n'
    (fault,) = faults(tmp_path, channel)
    assert fault.endswith(f'channels.desk.acknowledge: "{kind}" cannot answer customers: take acknowledge out')
    assert "无法回复客户" in faults(tmp_path, channel, "zh")[0]
    assert faults(tmp_path, channel + "enabled = false\n") == []


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ('host = "imap.example.com"\n[channels.mail.acknowledge]\n', "the server that sends our mails"),
        ('preset = "qq"\n[channels.mail.acknowledge]\ntext_zh = "{nummer}"\n', "unknown placeholder {nummer}"),
        ('preset = "qq"\n[channels.mail.acknowledge]\nlimit = 3\n', "unknown key"),
        ('preset = "qq"\n[channels.mail.acknowledge]\nlanguages = "zh"\n', 'did you mean "language"?'),
        ('preset = "qq"\n[channels.mail.acknowledge]\n[channels.mail.smtp]\nsender = "客服"\n', "smtp.sender"),
        (
            'preset = "qq"\n[channels.mail.acknowledge]\n[channels.mail.smtp]\nhost = "smtp.example.com"\n'
            'tls = "none"\n',
            "this machine only",
        ),
        ('preset = "qq"\n[channels.mail.acknowledge]\n[channels.mail.smtp]\nusername = "relay"\n', "go together"),
    ],
)
def test_what_is_missing_or_wrong(tmp_path: Path, more: str, word: str) -> None:
    (fault,) = faults(tmp_path, MAIL + more)
    assert word in fault


def test_a_preset_knows_where_to_send(tmp_path: Path) -> None:
    assert faults(tmp_path, MAIL + 'preset = "qq"\n[channels.mail.acknowledge]\n') == []
    given = {"username": "kefu@example.com", "password": "code", "acknowledge": {}}
    hosts = {}
    for preset in ("qq", "163", "outlook", "netease_enterprise"):
        out = EmailSettings.model_validate({**given, "preset": preset}).outgoing
        assert out is not None
        assert (out.username, out.sender.address, out.bounces_to_sender) == (
            "kefu@example.com",
            "kefu@example.com",
            True,
        )
        hosts[preset] = (out.endpoint.host, out.endpoint.port, out.endpoint.tls)
    assert hosts == {
        "qq": ("smtp.qq.com", 465, "implicit"),
        "163": ("smtp.163.com", 465, "implicit"),
        "outlook": ("smtp.office365.com", 587, "starttls"),
        "netease_enterprise": ("smtp.qiye.163.com", 994, "implicit"),
    }


def test_what_is_said_counts_more_than_the_preset() -> None:
    smtp = {"host": "relay.example.com", "tls": "starttls", "sender": "support@example.com", "bounces": "sender"}
    given = {"username": "kefu", "password": "code", "preset": "qq", "acknowledge": {}, "smtp": smtp}
    out = EmailSettings.model_validate(given).outgoing
    assert out is not None
    assert (out.endpoint.host, out.endpoint.port, out.sender.address) == (
        "relay.example.com",
        587,
        "support@example.com",
    )
    assert "code" not in repr(out)


def test_without_acknowledge_nothing_is_needed() -> None:
    plain = EmailSettings.model_validate({"username": "kefu", "password": "code", "host": "imap.example.com"})
    assert plain.outgoing is None
