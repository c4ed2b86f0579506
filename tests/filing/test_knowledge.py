"""What the company knows of customers and products reaches the record before it is routed and filed."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from allears.filing.customers import read_customers
from allears.filing.identity import Seal
from allears.filing.knowledge import Knowledge, Library
from allears.filing.products import Catalogue, read_products
from allears.filing.routing import Routing
from allears.journal.records import Destination
from allears.settings.knowledge import CatalogueSection, CustomersSection
from allears.settings.routes import RouteSettings, RouteTarget, RoutingSection
from allears.workers.pool import Workers
from allears_sdk.complaint import Complaint
from normalizer.conversation import Draft, Facts
from tests.filing.office import Office

CUSTOMERS = """会员号,等级,手机,邮箱
M001,钻石会员,13800138000,lilei@mail.example.cn
M002,普通,13900139000,han@mail.example.cn
"""
CATALOGUE = "型号,产品线\nRC-40,厨电\nWH-1000XM5,音频\n"
HOOK = Destination(name="hook")


@pytest.fixture
def files(tmp_path: Path) -> tuple[CustomersSection, CatalogueSection]:
    (tmp_path / "customers.csv").write_text(CUSTOMERS, encoding="utf-8")
    (tmp_path / "catalogue.csv").write_text(CATALOGUE, encoding="utf-8")
    return CustomersSection(file=tmp_path / "customers.csv"), CatalogueSection(file=tmp_path / "catalogue.csv")


@pytest.fixture
def informed(office: Office, files: tuple[CustomersSection, CatalogueSection]) -> Office:
    customers, catalogue = files
    office.stage.knowledge = Knowledge(
        seal=Seal(b"s" * 32),
        clock=office.desk.clock,
        section=customers,
        customers=read_customers(customers),
        catalogue=Catalogue(read_products(catalogue)),
    )
    return office


def routes(*given: RouteSettings, **default: Any) -> Routing:
    section = RoutingSection(default=RouteTarget(**default))
    return Routing(section, given, {"hook": HOOK}, [Destination(name="jsonl")])


async def records(office: Office) -> Sequence[Complaint]:
    return [file.record for file in await office.complaints()]


async def test_a_vip_is_known_by_the_mail_address_and_routed_as_one(informed: Office) -> None:
    informed.stage.router = routes(
        RouteSettings(name="vip", customer_level=("钻石会员",), team="贵宾组", destinations=("hook",)), team="客服"
    )
    await informed.mail("m1", "外卖包装漏了一点汤，有点失望。")
    await informed.mail("m2", "外卖包装漏了一点汤，有点失望。", who="han@mail.example.cn")
    await informed.settle()
    vip, other = sorted(await records(informed), key=lambda one: one.customer.key)
    assert (vip.customer.level, vip.customer.key, vip.priority) == ("钻石会员", "M001", "P2")
    assert vip.provenance["priority"].source == "customer:level"
    assert (vip.team, vip.handler) == ("贵宾组", "贵宾组")
    assert (other.customer.level, other.team) == ("普通", "客服")
    assert other.priority in ("P3", "P4")
    assert sorted(informed.deliveries()) == [("hook", 1), ("jsonl", 1)]


async def test_a_mail_and_a_chat_of_one_customer_are_linked(informed: Office) -> None:
    await informed.mail("m1", "屏幕碎了，要求退款。我的电话 13800138000")
    await informed.settle()
    await informed.say("chat", "c1", "你们的电饭煲 RC-40 坏了，要求退货", thread="room", who="wm-li")
    await informed.say("chat", "c2", "电话 138 0013 8000", thread="room", who="wm-li")
    await informed.settle(seconds=200)
    mail, chat = await informed.complaints()
    assert list(mail.related) == [chat.record.id]
    assert list(chat.related) == [mail.record.id]
    assert mail.record.customer.key == chat.record.customer.key == "M001"
    assert chat.record.product_line == "厨电"
    assert chat.record.provenance["product_line"].source == "catalogue"
    assert mail.record.id != chat.record.id


async def test_a_later_match_adds_a_destination_and_changes_no_team(informed: Office) -> None:
    informed.stage.router = routes(
        RouteSettings(name="audio", product_line=("音频",), team="音频组", destinations=("hook",)), team="客服"
    )
    await informed.say("chat", "c1", "快递太慢了，投诉！", thread="room")
    await informed.settle(seconds=200)
    await informed.say("chat", "c2", "耳机 WH-1000XM5 到现在还没收到", thread="room")
    await informed.settle(seconds=200)
    (file,) = await informed.complaints()
    assert (file.record.product_line, file.record.team) == ("音频", "客服")
    assert informed.deliveries() == [("jsonl", 1), ("jsonl", 2), ("hook", 2)]


async def test_deriving_again_without_the_file_gives_the_same(informed: Office) -> None:
    await informed.say("chat", "d1", "外卖包装漏了一点汤", author={"id": "u1", "phone": "13800138000"}, thread="d")
    await informed.settle(seconds=200)
    assert informed.stage.knowledge is not None
    informed.stage.knowledge = replace(informed.stage.knowledge, customers=None)
    await informed.say("chat", "d2", "还是没人理", author={"id": "u1", "phone": "13800138000"}, thread="d")
    await informed.settle(seconds=200)
    (file,) = await informed.complaints()
    first = file.record
    assert len(file.events) == 2
    assert (first.customer.level, first.priority) == ("钻石会员", "P2")


async def test_without_linking_nothing_is_kept(
    office: Office, files: tuple[CustomersSection, CatalogueSection]
) -> None:
    section = files[0].model_copy(update={"linked_days": 0})
    office.stage.knowledge = Knowledge(seal=Seal(b"s" * 32), clock=office.desk.clock, section=section)
    await office.mail("m1", "屏幕碎了，要求退款。")
    await office.settle()
    assert office.desk.rows("SELECT count(*) FROM links") == [(0,)]


async def test_the_journal_keeps_no_identifier_in_clear(informed: Office) -> None:
    await informed.mail("m1", "屏幕碎了，要求退款。我的电话 13800138000")
    await informed.settle()
    rows = informed.desk.rows("SELECT identity, customer FROM links")
    assert len(rows) == 2
    assert all(abs(identity) > 1 << 40 for identity, _ in rows)


async def test_a_broken_file_keeps_the_old_one_and_says_so(
    files: tuple[CustomersSection, CatalogueSection], said: list[MutableMapping[str, Any]]
) -> None:
    customers, catalogue = files
    assert customers.file is not None
    library = Library(Workers(1))
    before, products = await library.read(customers, catalogue)
    assert before is not None and len(before) == 2 and products is not None
    customers.file.write_text("姓名,等级\n李雷,VIP\n", encoding="utf-8")
    after, _ = await library.read(customers, catalogue)
    assert after is before
    (refused,) = [one for one in said if one["event"] == "file_refused"]
    assert "has no column for phones" in refused["reason"]
    assert refused["advice"] == "the one read before goes on"
    customers.file.write_text(CUSTOMERS + "M003,VIP,13700137000,\n", encoding="utf-8")
    mended, _ = await library.read(customers, catalogue)
    assert mended is not None and len(mended) == 3
    assert await library.read(CustomersSection(), CatalogueSection()) == (None, None)


def test_one_draft_that_cannot_be_completed_is_filed_as_it_is(
    office: Office, said: list[MutableMapping[str, Any]]
) -> None:
    def broken(identifier: str) -> int:
        raise ZeroDivisionError

    knowledge = Knowledge(seal=broken, clock=office.desk.clock)  # type: ignore[arg-type]  # it raises, that is the point
    record = Complaint(
        id="", title="x", nature="complaint", received_at=office.desk.clock.now(), customer_id="li@example.cn"
    )
    draft = Draft(record=record, files=True)
    assert knowledge.complete(draft, Facts(channel="mail", connector="email")) is draft
    assert [one["event"] for one in said] == ["incomplete"]
