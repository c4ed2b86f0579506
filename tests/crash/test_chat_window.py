"""A kill in the middle of a chat: what was said before, meanwhile and afterwards is one matter, told once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bench.crash import Daemon
from bench.servers.process import free_port
from bench.servers.telegram import TOKEN, Telegram

CONFIGURATION = """
[allears]
data_folder = "data"
[public]
port = {public}
[admin]
port = {admin}
[channels.bot]
connector = "telegram"
token = "{token}"
url = "{url}"
poll_seconds = 1
settle_seconds = {settle}
idle_hours = 24
{more}
[destinations.file]
sink = "jsonl"
path = "{folder}/filed.jsonl"
"""
PUSHED = """
webhook_url = "http://127.0.0.1:{public}/in/bot"
webhook_secret = "push-secret_0123456789"
"""
PHOTO = {"file_unique_id": "AQ", "file_size": 9, "width": 90, "height": 90}


class Desk:
    """A daemon that one bot's customers write to."""

    def __init__(self, folder: Path, telegram: Telegram) -> None:
        self.folder = folder
        self.telegram = telegram
        self.daemon = Daemon(folder)

    def configure(self, settle: float, *, is_pushed: bool = False, more: str = "") -> None:
        public = free_port()
        more = PUSHED.format(public=public) if is_pushed else more
        text = CONFIGURATION.format(
            public=public, admin=free_port(), token=TOKEN, url=self.telegram.url, settle=settle, more=more,
            folder=self.folder,
        )  # fmt: skip
        (self.folder / "allears.toml").write_text(text, encoding="utf-8")

    async def until(self, condition: Callable[[], object], what: str) -> None:
        try:
            async with asyncio.timeout(25):
                while not condition():  # noqa: ASYNC110 - what another process does rings no bell
                    await asyncio.sleep(0.05)
        except TimeoutError:
            log = (self.folder / "daemon.log").read_text("utf-8", "replace")
            raise AssertionError(f"never came true: {what}\n{log[-3000:]}") from None

    async def until_stored(self) -> None:
        """Telegram forgets only what is."""
        await self.until(lambda: not self.telegram.queue, "all was taken")

    async def until_filed(self, count: int) -> list[dict[str, Any]]:
        await self.until(lambda: len(self.filed()) >= count, f"{count} events")
        await asyncio.sleep(1.5)  # what would come twice would come now
        return self.filed()

    def filed(self) -> list[dict[str, Any]]:
        path = self.folder / "filed.jsonl"
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]


def told(notices: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    return [(one["event"]["kind"], one["event"]["messages"]) for one in notices]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    telegram = Telegram()
    await telegram.start()
    desk = Desk(tmp_path, telegram)
    yield desk
    await desk.daemon.kill()
    await telegram.stop()


async def test_a_burst_cut_by_a_kill_is_one_complaint(desk: Desk) -> None:
    desk.configure(settle=6)
    await desk.daemon.start()
    desk.telegram.say("收到的空气炸锅插上电不加热")
    desk.telegram.say("订单号 77412")
    await desk.until_stored()
    await desk.daemon.kill()
    assert desk.filed() == [], "it was told before the customer had finished"
    await desk.daemon.start()
    desk.telegram.say("要求退款")
    (notice,) = await desk.until_filed(1)
    assert told([notice]) == [("opened", ["555/11", "555/12", "555/13"])]
    assert notice["complaint"]["product_or_order"] == "77412"
    assert "refund" in notice["complaint"]["expectation"]


async def test_a_window_that_ran_out_while_we_were_dead_is_told_once(desk: Desk) -> None:
    desk.configure(settle=2)
    await desk.daemon.start()
    desk.telegram.say("The kettle stopped working after two days.")
    await desk.until_stored()
    await desk.daemon.kill()
    await asyncio.sleep(2.5)
    desk.telegram.say("Support never answered, I want a refund.")
    await desk.daemon.start()
    await desk.until(lambda: "555/12" in str(desk.filed()), "both were told")
    await asyncio.sleep(1.5)
    notices = desk.filed()
    assert sorted(name for _, names in told(notices) for name in names) == ["555/11", "555/12"]
    assert len({notice["complaint"]["id"] for notice in notices}) == 1
    assert [kind for kind, _ in told(notices)] in (["opened"], ["opened", "followed_up"])


async def test_what_is_said_after_the_opening_follows_up_across_a_kill(desk: Desk) -> None:
    desk.configure(settle=1)
    await desk.daemon.start()
    opening = desk.telegram.say("快递显示已签收，但我没有收到")
    await desk.until_filed(1)
    desk.telegram.say("已经第三天了")
    await desk.until_stored()
    await desk.daemon.kill()
    desk.telegram.say("再不处理我就打 12315")
    desk.telegram.edit(opening, "快递显示已签收，但我没有收到，单号 SF1234567890123")
    await desk.daemon.start()
    await desk.until(lambda: "SF1234567890123" in str(desk.filed()), "the edit was told")
    await asyncio.sleep(1.5)
    notices = desk.filed()
    assert len({notice["complaint"]["id"] for notice in notices}) == 1
    assert told(notices)[0][0] == "opened"
    said = [name for kind, names in told(notices) if kind != "edited" for name in names]
    assert {"555/12", "555/13"} <= set(said)
    assert len(said) - said.count("555/11") == 2, "a follow-up was told twice"
    assert notices[-1]["complaint"]["priority"] == "P1"


async def test_whoever_opens_a_complaint_is_answered_once_across_a_kill(desk: Desk) -> None:
    desk.configure(settle=1, more="[channels.bot.acknowledge]")
    await desk.daemon.start()
    await asyncio.wait_for(desk.telegram.is_asked.wait(), 25)
    await asyncio.sleep(1.1)  # dates have whole seconds: what seems said before the journal's birth is not answered
    said = desk.telegram.say("收到的手机屏幕碎了，要求退款")
    await desk.until(lambda: desk.telegram.sent, "an answer")
    await desk.until_filed(1)  # a ticket in doubt would hold up the next event for a minute and a half
    await desk.daemon.kill()
    desk.telegram.say("怎么还没人处理")
    await desk.daemon.start()
    notices = await desk.until_filed(2)
    (answer,) = desk.telegram.sent
    assert notices[0]["complaint"]["id"] in answer["text"]
    assert (answer["chat_id"], answer["reply_parameters"]["message_id"]) == (555, said["message_id"])


async def test_an_album_pushed_twice_and_cut_by_a_kill_is_one_turn(desk: Desk) -> None:
    for number in range(3):
        desk.telegram.add_file(f"AgAC-{number}", f"photos/file_{number}.jpg", b"\xff\xd8jpeg" + bytes([number]))
    desk.telegram.repeats_pushes = True
    desk.configure(settle=6, is_pushed=True)
    await desk.daemon.start()
    await desk.until(lambda: desk.telegram.hook, "the webhook is set")
    show(desk.telegram, 0, caption="三处裂痕，要求换货")
    show(desk.telegram, 1)
    await desk.until_stored()
    await desk.daemon.kill()
    show(desk.telegram, 2)
    await desk.until(lambda: desk.telegram.pushes[0], "a push at a dead door")
    await desk.daemon.start()
    notices = await desk.until_filed(1)
    assert told(notices[:1]) == [("opened", ["555/11", "555/12", "555/13"])]
    files = notices[-1]["complaint"]["attachments"]
    assert len(files) == 3
    assert all(file["sha256"] for file in files), "a file was not fetched"


def show(telegram: Telegram, number: int, **caption: str) -> None:
    photo = [{"file_id": f"AgAC-{number}", **PHOTO, "file_unique_id": f"AQ{number}"}]
    telegram.say(photo=photo, media_group_id="13579", **caption)
