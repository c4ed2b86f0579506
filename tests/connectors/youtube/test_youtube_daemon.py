"""The whole daemon on a project whose quota is used up: nobody asks again, also after a restart, and all is shown."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from allears_sdk.signing import sha256_hex
from tests.connectors.youtube.conftest import CHANNEL, DAILY, KEY, YouTube
from tests.daemon.house import TOKEN, House

CHANNELS = f"""
[channels.videos]
connector = "youtube"
channel_id = "{CHANNEL}"
api_key = "{KEY}"
url = "{{url}}"
[channels.shorts]
connector = "youtube"
channel_id = "{CHANNEL}"
api_key = "{KEY}"
url = "{{url}}"
"""


def make_noon_in_california(folder: Path) -> None:
    """For whoever looks for zones in that folder first: the quota's day does not end while this runs. POSIX turns the
    sign of zones around."""
    hours_ahead = 12 - datetime.now(UTC).hour
    zone = folder / DAILY.zone
    zone.parent.mkdir(parents=True)
    zone.write_bytes((files("tzdata") / "zoneinfo" / "Etc" / f"GMT{-hours_ahead:+}").read_bytes())


def states(house: House) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in house.api("/api/channels")["channels"]}


def figures(house: House) -> dict[str, float]:
    request = Request(house.addresses["console"] + "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    with urlopen(request, timeout=10) as response:  # our own
        text = response.read().decode()
    return {name: float(value) for name, value in re.findall(r"(?m)^(allears_quota_\w+)\{[^\n]*\} (\S+)$", text)}


def is_postponed(house: House, name: str) -> bool:
    channel = states(house)[name]
    return channel["state"] == "running" and "used up" in str(channel["reason"])


def live(house: House, youtube: YouTube) -> None:
    youtube.write(1, "视频里说的优惠码用不了，客服不理人，要求退款")
    for _ in range(2):
        youtube.fail(403, "quotaExceeded")
    house.configure(CHANNELS.format(url=youtube.url))
    house.start()
    house.until(lambda: is_postponed(house, "videos") and is_postponed(house, "shorts"), "both to rest")
    asked = len(youtube.asked)
    [quota] = states(house)["videos"]["quotas"]
    assert (quota["account"], quota["left"], quota["most"]) == (f"youtube:{sha256_hex(KEY)[:16]}", 0, 8000)
    assert (figures(house)["allears_quota_left"], figures(house)["allears_quota_limit"]) == (0, 8000)
    assert house.stop() == 0
    house.start()
    house.until(lambda: is_postponed(house, "videos"), "videos to rest after the restart")
    assert len(youtube.asked) == asked
    house.edit("[channels.shorts]", 'quota_project = "another"\n[channels.shorts]')
    assert house.stop() == 0
    youtube.failures.clear()
    house.start()
    (opened,) = house.until_filed(1)
    assert opened["complaint"]["channel"] == "videos"
    assert house.stop() == 0
    assert "Traceback" not in house.log
    assert "channel_down" not in house.log
    assert KEY not in house.log


async def test_what_is_used_up_is_asked_for_by_nobody(
    house: House, youtube: YouTube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_noon_in_california(tmp_path / "zones")
    monkeypatch.setenv("PYTHONTZPATH", str(tmp_path / "zones"))
    await asyncio.to_thread(live, house, youtube)
