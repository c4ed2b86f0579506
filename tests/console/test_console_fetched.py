"""What was fetched after its message, and what was not, as people see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from allears_sdk.connector import Media
from tests.console.conftest import House, Shop

PHOTO = b"\xff\xd8\xff\xe0 broken screen"

MakeHouse = Callable[..., Awaitable[House]]


@pytest.fixture
async def shop(make_house: MakeHouse) -> tuple[House, Shop]:
    """A complaint with three files that were still at the platform when it was said: one has come, one is gone."""
    house = await make_house(filled=False)
    shop = Shop(house.journal, house.clock)
    files = [{"name": f"{name}.jpg", "ref": {"locator": {"id": name}}} for name in ("屏幕", "外壳", "发票")]
    await shop.say("web-form", "f-1", text="手机屏幕碎了，要求退款", attachments=files)
    fetches = house.journal.fetches
    first, second, third = await fetches.due(house.clock.now(), {"web-form"}, 3, 3)
    await fetches.keep(first.id, Media(content=PHOTO, media_type="image/jpeg"))
    await fetches.skip(second.id, "the file has expired over there")
    await fetches.release([third.id])
    await shop.read_waiting()
    return house, shop


async def test_a_complaint_says_what_has_come_and_what_has_not(shop: tuple[House, Shop]) -> None:
    house, _ = shop
    (row,), _ = await house.journal.complaints()
    page = await house.page(f"/complaints/{row.id}")
    assert "not kept: the file has expired over there" in page
    assert "still at the platform; being fetched" in page
    assert "尚在平台，正在获取" in await house.page(f"/complaints/{row.id}", language="zh")
    statuses = []
    for place in range(3):
        async with house.session.get(house.url(f"/complaints/{row.id}/attachments/0/{place}")) as answer:
            statuses.append(answer.status)
            body = await answer.read()
            assert answer.status == 404 or body == PHOTO
    assert statuses == [200, 404, 404]


async def test_the_overview_and_the_api_count_them(shop: tuple[House, Shop]) -> None:
    house, _ = shop
    assert "1 file on its way · 1 file not to be had" in await house.page("/")
    async with house.session.get(house.url("/api/channels")) as answer:
        channels = {one["name"]: one for one in (await answer.json())["channels"]}
    assert (channels["web-form"]["fetches_waiting"], channels["web-form"]["fetches_skipped"]) == (1, 1)
    assert channels["support-mail"]["fetches_waiting"] == 0
    async with house.session.get(house.url("/metrics")) as answer:
        metrics = await answer.text()
    assert 'allears_fetches{channel="web-form",state="waiting"} 1.0' in metrics
    assert 'allears_fetches{channel="web-form",state="skipped"} 1.0' in metrics


async def test_a_file_fetched_for_one_complaint_is_not_anothers(shop: tuple[House, Shop]) -> None:
    """Whoever names a stranger's file by its digest does not get it."""
    house, counter = shop
    ((row,), _), digest = await house.journal.complaints(), ""
    file = await house.journal.complaint(row.id)
    assert file is not None
    digest = file.record.attachments[0].sha256
    await counter.say("web-form", "f-2", text="我也要那张照片", attachments=[{"name": "x.jpg", "sha256": digest}])
    rows, _ = await house.journal.complaints()
    (other,) = [one.id for one in rows if one.id != row.id]
    await house.page(f"/complaints/{other}/attachments/0/0", status=404)
