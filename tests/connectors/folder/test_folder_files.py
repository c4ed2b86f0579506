"""Files in, exact raws out; and where each file lies afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.connector import Batch, Cursor
from allears_sdk.errors import ConfigError, Unavailable
from allears_sdk.message import MESSAGE_JSON, RFC822, Raw
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from connectors.folder import FolderConnector, FolderSettings, jsonfile

Make = Callable[..., FolderConnector]

MAIL = "From: 王芳 <wang@example.com>\r\nSubject: 投诉\r\n\r\n锅坏了😡".encode()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    path = tmp_path / "收件箱"
    path.mkdir()
    return path


@pytest.fixture
def log() -> RecordingLog:
    return RecordingLog()


@pytest.fixture
def make(tmp_path: Path, inbox: Path, log: RecordingLog) -> Make:
    def made(*, clock: FakeClock | None = None, **settings: Any) -> FolderConnector:
        settings = {"path": inbox, "settle_file_seconds": 0, **settings}
        return FolderConnector(FolderSettings(**settings), make_context("desk", tmp_path, clock=clock, log=log))

    return made


class Heard:
    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.cursor: Cursor | None = None

    @property
    def raws(self) -> list[Raw]:
        return [raw for batch in self.batches for raw in batch.raws]

    @property
    def messages(self) -> list[Any]:
        return [json.loads(raw.body) for raw in self.raws if not raw.quarantine]

    @property
    def reasons(self) -> list[str]:
        missing = [missing.reason for batch in self.batches for missing in batch.missing]
        return missing + [raw.quarantine for raw in self.raws if raw.quarantine]

    async def hear(self, folder: FolderConnector, limit: int = 256, stop_after: int = -1) -> Heard:
        """`stop_after` batches the process dies: what was yielded last is stored, the line after it never runs."""
        (stream,) = await folder.streams()
        batches = folder.poll(stream, self.cursor, {}, limit)
        async for batch in batches:
            self.batches.append(batch)
            self.cursor = batch.cursor or self.cursor
            if len(self.batches) == stop_after:
                await batches.aclose()  # type: ignore[attr-defined]  # an async generator, here
                break
        return self


async def hear(folder: FolderConnector, limit: int = 256) -> Heard:
    return await Heard().hear(folder, limit)


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir() if entry.is_file()} if folder.exists() else set()


def remove(folder: Path) -> None:
    folder.rmdir()


async def test_a_mail_is_stored_byte_for_byte_and_then_moved(make: Make, inbox: Path) -> None:
    (inbox / "客户来信（一）.EML").write_bytes(MAIL)
    heard = Heard()
    folder = make()
    async for batch in folder.poll(str(inbox), None, {}, 10):
        assert names(inbox) == {"客户来信（一）.EML"}, "moved before it was stored"
        heard.batches.append(batch)
    (raw,) = heard.raws
    assert (raw.body, raw.media_type) == (MAIL, RFC822)
    assert raw.key.startswith("sha256:")
    assert raw.context == {"file": "客户来信（一）.EML"}
    assert names(inbox) == set()
    assert names(inbox / "done") == {"客户来信（一）.EML"}


async def test_many_small_files_share_a_batch(make: Make, inbox: Path) -> None:
    for number in range(5):
        (inbox / f"{number}.eml").write_bytes(MAIL + b"%d" % number)
    heard = await hear(make(), limit=3)
    assert [len(batch.raws) for batch in heard.batches] == [3, 2]
    assert len(names(inbox / "done")) == 5


async def test_names_that_are_taken_get_a_number(make: Make, inbox: Path) -> None:
    folder = make()
    for _ in range(3):
        (inbox / "a.eml").write_bytes(MAIL)
        await hear(folder)
    assert names(inbox / "done") == {"a.eml", "a.2.eml", "a.3.eml"}


async def test_lines_of_messages(make: Make, inbox: Path) -> None:
    lines = [
        '{"text": "电饭煲漏电", "external_id": "A-1", "posted_at": "2026-03-01 09:30"}',
        "",
        '{"text": "again 😡", "external_id": 7, "thread": ["A-9", "A-1"]}',
        '[{"text": "在吗"}, {"text": "快递丢了"}]',
        '{"text": "电饭煲漏电"',
    ]
    (inbox / "三月.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    heard = await hear(make(timezone="Asia/Shanghai"))
    assert [raw.body.decode() for raw in heard.raws] == [lines[0], *lines[2:]]
    assert [raw.key for raw in heard.raws[:2]] == ["A-1", "7"]
    assert [raw.thread for raw in heard.raws] == ["A-1", "A-1", "", ""]
    assert {raw.media_type for raw in heard.raws} == {MESSAGE_JSON}
    assert heard.raws[0].context == {"file": "三月.jsonl", "row": 1, "timezone": "Asia/Shanghai"}
    assert [raw.context["row"] for raw in heard.raws] == [1, 3, 4, 5]
    assert [bool(raw.quarantine) for raw in heard.raws] == [False, False, False, True]
    assert names(inbox / "done") == {"三月.jsonl"}


async def test_lines_in_gb18030_are_understood(make: Make, inbox: Path) -> None:
    (inbox / "old.jsonl").write_bytes('{"text": "门店态度差"}\n'.encode("gb18030"))
    assert (await hear(make())).messages == [{"text": "门店态度差"}]


@pytest.mark.parametrize(
    ("content", "texts"),
    [('[{"text": "a"}, {"text": "b"}]', ["a", "b"]), ('{\n "text": "a"\n}', ["a"]), ("[]", [])],
)
async def test_a_json_file_is_an_array_or_one_message(make: Make, inbox: Path, content: str, texts: list[str]) -> None:
    (inbox / "x.json").write_text(content, "utf-8")
    heard = await hear(make(), limit=1)
    assert [message["text"] for message in heard.messages] == texts
    assert names(inbox / "done") == {"x.json"}


async def test_a_line_too_long_is_named_and_its_neighbours_are_read(
    make: Make, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonfile, "MAX_LINE_BYTES", 100)
    long = '{"text": "' + "x" * 500 + '"}'
    (inbox / "x.jsonl").write_text('{"text": "a"}\n' + long + '\n{"text": "b"}\n', "utf-8")
    heard = await hear(make())
    assert [message["text"] for message in heard.messages] == ["a", "b"]
    (missing,) = [missing for batch in heard.batches for missing in batch.missing]
    assert missing.locator["row"] == 2


async def test_equal_lines_are_two_messages_and_the_same_two_when_exported_again(make: Make, inbox: Path) -> None:
    folder = make()
    (inbox / "a.jsonl").write_text('{"text": "态度差"}\n{"text": "态度差"}\n', "utf-8")
    first = [raw.key for raw in (await hear(folder)).raws]
    (inbox / "b.jsonl").write_text('{"text": "态度差"}\n{"text": "太慢"}\n{"text": "态度差"}\n', "utf-8")
    second = [raw.key for raw in (await hear(folder)).raws]
    assert len(set(first)) == 2
    assert [second[0], second[2]] == first


def lines(count: int, *, with_ids: bool) -> str:
    texts = [
        {"text": f"第{number % 7}次投诉"} | ({"external_id": f"N-{number}"} if with_ids else {})
        for number in range(count)
    ]
    return "".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts)


@pytest.mark.parametrize("stop_after", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv"])
@pytest.mark.parametrize("with_ids", [False, True])
async def test_after_a_crash_it_goes_on_where_it_stopped(
    make: Make, inbox: Path, stop_after: int, suffix: str, with_ids: bool
) -> None:
    content = lines(10, with_ids=with_ids)
    if suffix == "json":
        content = f"[{','.join(content.splitlines())}]"
    if suffix == "csv":
        content = "投诉编号,内容\n" + "".join(f"{f'N-{n}' if with_ids else ''},第{n % 7}次投诉\n" for n in range(10))
    (inbox / f"big.{suffix}").write_text(content, "utf-8")
    heard = await Heard().hear(make(), limit=3, stop_after=stop_after)
    assert names(inbox / "done") == set()
    await heard.hear(make(), limit=3)
    keys = [raw.key for raw in heard.raws]
    assert len(keys) == len(set(keys)) == 10
    assert names(inbox / "done") == {f"big.{suffix}"}


async def test_a_file_that_changed_since_the_cursor_is_read_anew(make: Make, inbox: Path) -> None:
    (inbox / "a.jsonl").write_text(lines(4, with_ids=True), "utf-8")
    heard = await Heard().hear(make(), limit=2, stop_after=1)
    (inbox / "a.jsonl").write_text(lines(5, with_ids=True), "utf-8")
    await heard.hear(make(), limit=2)
    assert [raw.key for raw in heard.raws] == [f"N-{number}" for number in (0, 1, 0, 1, 2, 3, 4)]


async def test_a_file_that_changes_while_it_is_read_stays(make: Make, inbox: Path) -> None:
    (inbox / "a.jsonl").write_text(lines(2, with_ids=True), "utf-8")
    async for _ in make().poll(str(inbox), None, {}, 10):
        with (inbox / "a.jsonl").open("a", encoding="utf-8") as file:
            file.write(lines(1, with_ids=False))
    assert names(inbox) == {"a.jsonl"}
    assert len((await hear(make())).raws) == 3
    assert names(inbox / "done") == {"a.jsonl"}


async def test_a_half_written_file_is_left_alone_until_it_rests(make: Make, inbox: Path) -> None:
    clock = FakeClock(datetime.now(UTC))
    folder = make(clock=clock, settle_file_seconds=2)
    path = inbox / "a.jsonl"
    path.write_text('{"text": "a"}\n', "utf-8")
    assert not (await hear(folder)).batches
    clock.advance(5)
    path.write_text('{"text": "a"}\n{"text": "b"}\n', "utf-8")
    assert not (await hear(folder)).batches
    clock.advance(1.5)
    assert not (await hear(folder)).batches
    clock.advance(0.6)
    assert len((await hear(folder)).raws) == 2


async def test_what_has_lain_there_for_a_minute_is_read_at_first_sight(make: Make, inbox: Path) -> None:
    (inbox / "a.eml").write_bytes(MAIL)
    clock = FakeClock(datetime.fromtimestamp((inbox / "a.eml").stat().st_ctime + 61, UTC))
    assert len((await hear(make(clock=clock, settle_file_seconds=2))).raws) == 1


@pytest.mark.parametrize("name", [".hidden.eml", "a.eml.part", "a.eml.tmp", "b.csv~", "~$c.xlsx", "a.csv.crdownload"])
async def test_unfinished_and_hidden_files_are_ignored(make: Make, inbox: Path, log: RecordingLog, name: str) -> None:
    (inbox / name).write_bytes(MAIL)
    assert not (await hear(make())).batches
    assert not log.entries


async def test_links_and_folders_are_not_followed(make: Make, inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text('{"text": "not for you"}', "utf-8")
    (inbox / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    (inbox / "folder.eml").mkdir()
    assert not (await hear(make())).batches


async def test_unknown_files_stay_and_are_said_once(make: Make, inbox: Path, log: RecordingLog) -> None:
    (inbox / "报告.docx").write_bytes(b"PK")
    (inbox / "a.eml").write_bytes(MAIL)
    folder = make()
    await hear(folder)
    await hear(folder)
    assert names(inbox) == {"报告.docx"}
    assert [event for _, event, _ in log.entries].count("folder.unknown_files_left_alone") == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b"{", "not JSON"),
        ("a.eml", b"", "empty"),
        ("a.eml", b"x" * 2000, "larger than"),
        ("a.json", b"x" * 2000, "larger than"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 password", "password"),
        ("a.xlsx", b"PK\x05\x06" + b"\0" * 18, "workbook"),
        ("a.csv", "姓名,电话\n李雷,13800138000\n".encode(), "姓名, 电话"),
        ("a.csv", b"", "no column for the text"),
        ("a.csv", b"\x81", "encoding"),
    ],
)
async def test_a_file_that_cannot_be_read_fails_with_a_reason_in_both_languages(
    make: Make, inbox: Path, name: str, content: bytes, said: str
) -> None:
    (inbox / name).write_bytes(content)
    (inbox / "good.eml").write_bytes(MAIL)
    heard = await hear(make(max_file_bytes=1024))
    assert len(heard.raws) == 1
    (reason,) = heard.reasons
    assert said in reason
    assert names(inbox) == set()
    assert names(inbox / "failed") == {name, f"{name}.reason"}
    chinese, english = (inbox / "failed" / f"{name}.reason").read_text("utf-8").splitlines()
    assert reason == f"{english} / {chinese}"
    assert not chinese.isascii()


async def test_a_file_put_back_after_it_failed_is_a_new_letter_only_when_it_is_another(make: Make, inbox: Path) -> None:
    folder, heard = make(), Heard()
    for content in (b"{", b"{{"):
        (inbox / "a.json").write_bytes(content)
        await heard.hear(folder)
    assert len({missing.key for batch in heard.batches for missing in batch.missing}) == 2
    assert names(inbox / "failed") == {"a.json", "a.json.reason", "a.2.json", "a.2.json.reason"}


async def test_a_finished_file_that_is_moved_back_is_read_again(make: Make, inbox: Path) -> None:
    (inbox / "a.jsonl").write_text(lines(3, with_ids=True), "utf-8")
    heard = await Heard().hear(make())
    (inbox / "done" / "a.jsonl").rename(inbox / "a.jsonl")
    await heard.hear(make())
    assert len(heard.raws) == 6


async def test_a_vanished_folder_is_said_and_heard_again(make: Make, inbox: Path) -> None:
    folder = make()
    remove(inbox)
    with pytest.raises(Unavailable):
        await hear(folder)
    await folder.start()
    (inbox / "a.eml").write_bytes(MAIL)
    assert len((await hear(folder)).raws) == 1


async def test_check_says_what_lies_where(make: Make, inbox: Path) -> None:
    (inbox / "a.eml").write_bytes(MAIL)
    identity = await make().check()
    assert identity.account == str(inbox)
    assert identity.details == ("waiting: 1", "done: 0", "failed: 0")
    assert names(inbox) == {"a.eml"}


async def test_check_refuses_what_cannot_work(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError):
        await make(path=tmp_path / "file").check()
    with pytest.raises(ConfigError):
        await make(timezone="Asia/Beijin").check()


async def test_a_relative_path_lies_in_the_channels_own_folder(make: Make, tmp_path: Path) -> None:
    folder = make(path="inbox")
    await folder.start()
    (stream,) = await folder.streams()
    assert Path(stream).is_relative_to(tmp_path)
    assert names(Path(stream) / "done") == set()
    assert (await folder.check()).account == stream


@pytest.mark.parametrize("wrong", [{"encoding": "utf-99"}, {"columns": {"text": " "}}, {"columns": {"txt": "内容"}}])
def test_settings_that_cannot_work_are_errors(wrong: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"encoding|columns"):
        FolderSettings(**wrong)
