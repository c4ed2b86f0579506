"""A file becomes a configuration, or a complete list of what is wrong with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field, SecretStr

from allears import settings
from allears_sdk import registry
from allears_sdk.connector import Connector, ConnectorSpec, Hears, Threading
from allears_sdk.errors import ConfigError
from allears_sdk.settings import ChannelSettings, DestinationSettings

Write = Callable[[str], Path]


class PostSettings(ChannelSettings):
    host: str
    password: SecretStr
    headers: Mapping[str, SecretStr] = Field(default_factory=dict)


class PostConnector(Connector[PostSettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="post", title_en="Post", title_zh="信件", hears=frozenset({Hears.POLL}), threading=Threading.MAIL
    )
    Settings: ClassVar[type[ChannelSettings]] = PostSettings


class ShelfSettings(DestinationSettings):
    folder: Path


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """A file in a house with one connector (`post`), one sink (`shelf`), and one kind that does not import."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANG", "en_US.UTF-8")

    def kinds(group: str) -> list[str]:
        return ["broken", "list", "post", "shelf"]

    def connector(kind: str) -> Any:
        if kind == "broken":
            raise ConfigError("\"broken\" does not import: No module named 'x'")
        return PostConnector

    monkeypatch.setattr(registry, "kinds", kinds)
    monkeypatch.setattr(registry, "connector_class", connector)
    monkeypatch.setattr(registry, "sink_class", lambda kind: _shelf(kind))

    def write_file(text: str) -> Path:
        path = tmp_path / "allears.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def _shelf(kind: str) -> Any:
    class Shelf:
        Settings = ShelfSettings if kind == "shelf" else DestinationSettings

    return Shelf


MAIL = """
[channels.mail]
connector = "post"
host = "imap.example.com"
password = "env:MAIL_PASSWORD"
"""


def faults(path: Path, language: str = "en") -> list[str]:
    with pytest.raises(settings.InvalidConfiguration) as caught:
        settings.load(path, language=language)
    return [settings.describe(fault, language) for fault in caught.value.faults]


def test_every_fault_at_once_with_line_and_nearest_key(write: Write) -> None:
    path = write(
        """
[alears]
language = "zh"
[public]
prot = 80
port = "eighty"
trusted_proxies = [
  "10.0.0.0/8",
  "nonsense",
]
[channels.Mail]
connector = "post"
[channels.mail]
connector = "psot"
[channels.chat]
[routing]
destinations = ["shelf"]
[destinations.shelv]
sink = "shelf"
folder = "x"
"""
    )
    assert faults(path) == [
        'line 2, alears: unknown key; did you mean "allears"?',
        'line 5, public.prot: unknown key; did you mean "port"?',
        "line 6, public.port: Input should be a valid integer, unable to parse string as an integer",
        "line 7, public.trusted_proxies: must be an IP address or network",
        "line 11, channels.Mail: a name is made of a-z, 0-9 and '-', and starts with a letter or digit",
        'line 14, channels.mail.connector: no connector "psot" is installed; did you mean "post"?',
        "line 15, channels.chat.connector: missing, and required; one of: broken, list, post, shelf",
        'line 17, routing.destinations: no destination is called "shelf"; did you mean "shelv"?',
    ]


def test_faults_in_chinese(write: Write) -> None:
    path = write("[public]\nprot = 80\nport = 70000\n[channels.mail]\nconnector = 'post'\npassword = ''\n")
    assert faults(path, "zh") == [
        "第 2 行，public.prot: 未知的配置项；是否想写“port”？",
        "第 3 行，public.port: 不得大于 65535",
        "第 4 行，channels.mail.host: 必填",
    ]


def test_the_files_own_language_is_used(write: Write) -> None:
    with pytest.raises(settings.InvalidConfiguration, match="未知的配置项"):
        settings.load(write('[allears]\nlanguage = "zh"\nx = 1\n'))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[public\n", "line 1, not valid TOML"),
        ("[public]\nport = 1\nport = 2\n", "not valid TOML: Cannot overwrite a value"),
        ("public = 3\n", "line 1, public: must be a table, as in [public]"),
        ('[channels]\nmail = "post"\n', "line 2, channels.mail: must be a table"),
    ],
)
def test_malformed_files(write: Write, text: str, expected: str) -> None:
    assert any(expected in fault for fault in faults(write(text)))


def test_not_utf8(write: Write) -> None:
    path = write("")
    path.write_bytes("[allears]\n# 中文".encode("gb18030"))
    assert faults(path) == ["cannot be read: not UTF-8"]


def test_windows_editors_are_fine(write: Write) -> None:
    path = write("")
    path.write_bytes(b"\xef\xbb\xbf[public]\r\nport = 1\r\n")
    assert settings.load(path).public.port == 1


def test_a_given_file_must_exist(tmp_path: Path) -> None:
    assert faults(tmp_path / "no.toml") == ["no such file; `allears init` writes one"]


def test_which_file_is_used(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert settings.find_file() is None
    write("")
    assert settings.find_file() == Path("allears.toml")
    monkeypatch.setenv("ALLEARS_CONFIG", str(tmp_path / "other.toml"))
    assert settings.find_file() == tmp_path / "other.toml"
    assert settings.find_file(Path("given.toml")) == Path("given.toml")


def test_secrets_from_environment_and_file(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "hunter2 秘密")
    (tmp_path / "key").write_text("from-a-file\n")
    (tmp_path / "key").chmod(0o600)
    configuration = settings.load(write(MAIL + '[channels.mail.headers]\nx-key = "file:key"\n'))
    mail = configuration.channels["mail"]
    assert isinstance(mail, PostSettings)
    assert mail.password.get_secret_value() == "hunter2 秘密"
    assert mail.headers["x-key"].get_secret_value() == "from-a-file"
    assert configuration.warnings == ()
    shown = f"{configuration!r} {configuration} {dataclasses.astuple(configuration)!r} {mail.model_dump_json()}"
    assert "hunter2" not in shown
    assert "from-a-file" not in shown


def test_missing_secrets_are_faults(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EMPTY", "")
    path = write(MAIL + '[channels.mail.headers]\na = "file:nowhere"\nb = "env:EMPTY"\n')
    assert faults(path) == [
        "line 5, channels.mail.password: the environment variable MAIL_PASSWORD is not set",
        f"line 7, channels.mail.headers.a: cannot read the secret file {tmp_path / 'nowhere'}: "
        "No such file or directory",
        "line 8, channels.mail.headers.b: EMPTY is empty",
    ]


def test_careless_secrets_are_warned_about(write: Write, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret")
    (tmp_path / "key").chmod(0o644)
    path = write(MAIL.replace("env:MAIL_PASSWORD", "in-the-open") + '[channels.mail.headers]\nk = "file:key"\n')
    warnings = settings.load(path).warnings
    assert [(fault.place, fault.line) for fault in warnings] == [
        ("channels.mail.password", 5),
        ("channels.mail.headers.k", 7),
    ]
    assert "in-the-open" not in str(warnings)


def test_a_fault_never_shows_the_value(write: Write) -> None:
    path = write("[channels.mail]\nconnector = 'post'\nhost = 'h'\npassword = 12345678\n")
    assert "12345678" not in "\n".join(faults(path))


def test_environment_overrides_the_file(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ALLEARS_ADMIN__PORT", "0")
    monkeypatch.setenv("ALLEARS_LOG_LEVEL", "debug")
    monkeypatch.setenv("ALLEARS_DATA_FOLDER", "data")
    monkeypatch.setenv("ALLEARS_ROUTING__DESTINATIONS", '["list"]')
    monkeypatch.setenv("ALLEARS_ADMIN__TOKEN", "t0ken")
    configuration = settings.load(write('[admin]\nport = 9\n[allears]\nlog_level = "error"\n'))
    assert configuration.admin.port == 0
    assert configuration.daemon.log_level == "debug"
    assert configuration.daemon.data_folder == tmp_path / "data"
    assert configuration.routing.destinations == ("list",)
    assert configuration.environment >= {"ALLEARS_ADMIN__PORT", "ALLEARS_LOG_LEVEL"}
    assert "t0ken" not in repr(configuration)
    assert [fault.place for fault in configuration.warnings] == ["channels"]


def test_a_fault_names_its_variable(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLEARS_ADMIN__PORT", "many")
    monkeypatch.setenv("ALLEARS_ADMIN__HSOT", "::1")
    described = faults(write(""))
    assert described[0].startswith("ALLEARS_ADMIN__PORT: ")
    assert described[1] == 'ALLEARS_ADMIN__HSOT: unknown key; did you mean "host"?'


def test_a_list_in_the_environment_is_json(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLEARS_ROUTING__DESTINATIONS", "list,shelf")
    assert "JSON" in faults(write(""))[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_loopback_needs_no_token(write: Write, host: str) -> None:
    assert settings.load(write(f"[admin]\nhost = '{host}'\n")).admin.host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "intake.example.com"])
def test_the_admin_room_is_never_open_to_all(write: Write, host: str) -> None:
    text = f"[admin]\nhost = '{host}'\n"
    assert "needs a token" in faults(write(text))[0]
    assert settings.load(write(text + "token = 'x'\n")).admin.guarded
    assert "belong together" in faults(write(text + "username = 'x'\n"))[0]


def test_a_kind_that_does_not_load_disables_itself_alone(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "x")
    configuration = settings.load(write(MAIL + "[channels.odd]\nconnector = 'broken'\nwhatever = 1\n"))
    assert list(configuration.channels) == ["mail"]
    (disabled,) = configuration.disabled
    assert (disabled.section, disabled.name, disabled.kind) == ("channels", "odd", "broken")
    assert "No module named" in disabled.reason


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc" / "allears.toml"
    path.write_text("[allears]\ndata_folder = '../data'\n[public]\ntls_certificate='c.pem'\ntls_key='/k.pem'\n")
    configuration = settings.load(path)
    assert configuration.daemon.data_folder == tmp_path / "etc" / ".." / "data"
    assert configuration.public.tls_certificate == tmp_path / "etc" / "c.pem"
    assert configuration.public.tls_key == Path("/k.pem")


def test_default_data_folder(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    assert settings.load(write("")).daemon.data_folder == tmp_path / "state"


def test_without_a_file_there_is_a_form_an_inbox_and_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALLEARS_DATA_FOLDER", "data")
    configuration = settings.load()
    assert configuration.source is None
    assert configuration.disabled == ()
    assert {name: channel.connector for name, channel in configuration.channels.items()} == {
        "form": "form",
        "inbox": "folder",
    }
    assert configuration.default_destinations == ("list",)


def test_a_file_without_destinations_keeps_the_list(write: Write) -> None:
    assert list(settings.load(write("")).destinations) == ["list"]


def test_disabled_destinations_are_left_out(write: Write) -> None:
    text = "[destinations.a]\nsink='shelf'\nfolder='a'\n[destinations.b]\nsink='shelf'\nfolder='b'\nenabled=false\n"
    assert settings.load(write(text)).default_destinations == ("a",)


def test_changes_between_two_files(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "one")
    shelf = "[destinations.shelf]\nsink='shelf'\nfolder='a'\n"
    old = settings.load(write(MAIL + shelf))
    assert not settings.changed(old, settings.load(write(shelf + MAIL)))
    monkeypatch.setenv("MAIL_PASSWORD", "two")
    new = settings.load(write(MAIL + MAIL.replace("mail]", "post]") + "[public]\nport=1\n"))
    changes = settings.changed(old, new)
    assert changes.channels.changed == {"mail"}
    assert changes.channels.added == {"post"}
    assert changes.destinations.removed == {"shelf"}
    assert changes.sections == {"public"}
