"""A journal with a few days of a shop's complaints in it, made by the real reader, rules and journal, and the
admin server in front of it."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from allears.filing.routing import to_all
from allears.http.admin import AdminServer
from allears.intake.intake import ChannelState
from allears.journal.journal import Journal
from allears.journal.records import (
    DeliveryState,
    Deposit,
    Destination,
    Frozen,
    Outcome,
    Policy,
    Reading,
)
from allears.journal.sqlite import open_journal
from allears.standing import Holder, Standing
from allears_sdk.accounts import Accounts, Quotas
from allears_sdk.connector import Gap, Missing, Threading
from allears_sdk.errors import BadMessage
from allears_sdk.message import MESSAGE_JSON, RFC822, Attachment, Message, Raw
from allears_sdk.quota import Quota
from allears_sdk.sink import Ticket
from allears_sdk.testing import MemoryLedger
from allears_sdk.testing.clock import START, FakeClock
from normalizer import readers
from normalizer.conversation import Conversation, Draft, Facts
from normalizer.derive import derive, deserves_filing

OWN_FORMAT = "application/x-own"
BORN = START - timedelta(days=4)
CONNECTORS = {"support-mail": "email", "web-form": "form", "app-store-cn": "app_store", "store-desk": "folder"}
MAIL = Policy(threading=Threading.MAIL)
ITEM = Policy(threading=Threading.ITEM)
POLICIES = {"support-mail": MAIL, "web-form": ITEM, "app-store-cn": ITEM, "store-desk": ITEM}
RESET = "connection reset by apps.example"
ROUTER = to_all([Destination(name="helpdesk"), Destination(name="archive")])


@dataclass
class Steering:
    """Stands in for the intake: remembers what it was told."""

    channels: dict[str, ChannelState] = field(default_factory=dict)
    told: list[tuple[str, str]] = field(default_factory=list)

    async def pause(self, name: str) -> None:
        self.told.append(("pause", name))
        self.channels[name] = replace(self.channels[name], state="paused")

    async def resume(self, name: str) -> None:
        self.told.append(("resume", name))
        self.channels[name] = replace(self.channels[name], state="running")

    def states(self) -> Mapping[str, ChannelState]:
        return self.channels

    def parse(self, name: str, raw: Raw) -> Sequence[Message]:
        """A format of that channel's own: a name, a line break, the file."""
        if raw.media_type != OWN_FORMAT:
            raise BadMessage("not ours")
        file, _, content = raw.body.partition(b"\n")
        return (Message(text="", attachments=(Attachment(name=file.decode(), content=content),)),)


@dataclass
class Shop:
    """What happens to the journal, in short words."""

    journal: Journal
    clock: FakeClock

    async def hear(self, channel: str, body: bytes, media_type: str, key: str, hours: float) -> None:
        """One raw that arrives `hours` after the last, read, joined and filed."""
        self.clock.advance(timedelta(hours=hours))
        raw = Raw(key=key, body=body, media_type=media_type, received_at=self.clock.now())
        await self.journal.accept(Deposit(channel=channel, raws=[raw], policy=POLICIES[channel]))
        await self.read_waiting()

    async def mail(self, mail: EmailMessage, hours: float = 1.0, channel: str = "support-mail") -> None:
        await self.hear(channel, mail.as_bytes(), RFC822, str(mail["Message-ID"]), hours)

    async def say(self, channel: str, key: str, hours: float = 1.0, **message: Any) -> None:
        body = json.dumps({"external_id": key, **message}, ensure_ascii=False).encode()
        await self.hear(channel, body, MESSAGE_JSON, f"{key}-{message.get('revision', '')}", hours)

    async def read_waiting(self) -> None:
        for stored in await self.journal.take_raws(50, 1 << 24, frozenset(POLICIES)):
            try:
                own = stored.raw.media_type == OWN_FORMAT
                messages = steering().parse(stored.channel, stored.raw) if own else readers.read(stored.raw)
            except BadMessage as error:
                await self.journal.fail_raws([stored.id], str(error), quarantine=True)
                continue
            await self.journal.join([Reading(raw_id=stored.id, messages=messages)], POLICIES, ROUTER)
        for due in await self.journal.due_conversations(self.clock.now() + timedelta(minutes=5), 50):
            facts = Facts(channel=due.channel, connector=CONNECTORS[due.channel])
            conversation = Conversation(reference=due.reference, opened_at=due.opened_at, messages=tuple(due.messages))
            record = derive(conversation, facts)
            draft = Draft(record=record, files=deserves_filing(record, public=due.channel == "app-store-cn"))
            await self.journal.file(due, draft, ROUTER, settles=False)

    async def deliver(self, destination: str, outcome: Callable[[int, str], Outcome]) -> None:
        """Every delivery that is due ends as `outcome(delivery id, complaint id)` says."""
        later = timedelta(minutes=1)
        for due in await self.journal.due_deliveries(destination, self.clock.now(), 100):
            now = self.clock.now()
            await self.journal.freeze(
                [Frozen(delivery=due.id, payload=b"{}", deadline=now + later, resolve_at=now + later)]
            )
            await self.journal.note_outcomes(destination, [outcome(due.id, due.event.complaint_id)])


def letter_mail(
    sender: str, subject: str, text: str, *, at: datetime, ident: str, files: Sequence[tuple[str, str, bytes]] = ()
) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, "Support <support@shop.example>", subject
    mail["Date"], mail["Message-ID"] = at, f"<{ident}@mail.example>"
    mail.set_content(text)
    for name, media_type, content in files:
        main, _, sub = media_type.partition("/")
        mail.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return mail


PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


async def fill(journal: Journal, clock: FakeClock) -> None:
    """Four days of a shop, in Chinese and English."""
    shop = Shop(journal, clock)
    await _first_days(shop)
    await shop.deliver("helpdesk", _sent)
    await shop.deliver("archive", _archived)
    await _last_day(shop)
    await _troubles(shop)


def _archived(delivery: int, complaint: str) -> Outcome:
    return Outcome(delivery=delivery, state=DeliveryState.SENT, ticket=Ticket(id=f"archive:{delivery}"))


def _sent(delivery: int, complaint: str) -> Outcome:
    number = 41_200 + delivery
    ticket = Ticket(id=f"HD-{number}", url=f"https://helpdesk.shop.example/tickets/{number}")
    return Outcome(delivery=delivery, state=DeliveryState.SENT, ticket=ticket)


async def _first_days(shop: Shop) -> None:
    now = shop.clock.now
    await shop.mail(
        letter_mail(
            "王小丽 <xiaoli.wang@mail.example>",
            "电饭煲第三次坏了，要求退款",
            "你们好：\n\n我 10 月 3 日在你们旗舰店买的 RC-5000 电饭煲，订单号 20261003-88172，"
            "昨天煮饭时突然冒烟，插头都烧黑了，"
            "差点着火！家里还有老人和孩子，太危险了😡\n\n这已经是第三次联系你们，前两次客服都说会回电，结果没有任何人联系我。"
            "我要求全额退款，并给出书面解释。再不处理我就向 12315 投诉。\n\n"
            "联系电话 13812348000，微信 xiaoli_w88。\n\n王小丽",
            at=now() + timedelta(hours=5),
            ident="a1",
            files=[("插头烧黑.png", "image/png", PIXEL), ("购买凭证.pdf", "application/pdf", b"%PDF-1.4 demo")],
        ),
        hours=5,
    )
    await shop.mail(
        letter_mail(
            "Jonathan Reyes <j.reyes@mail.example>",
            "Order 114-5520983 marked delivered but never arrived",
            "Hello,\n\nTracking 1Z999AA10123456784 says my parcel was delivered on Tuesday. It was not. Nobody in the "
            "building "
            "has it and the courier left no card.\n\nI paid $249.00 for the AeroPress Max and need it before Friday. "
            "Please "
            "send a replacement or refund me. You can call me on +1 415-555-0132.\n\nThanks,\nJonathan",
            at=now() + timedelta(hours=9),
            ident="b1",
        ),
        hours=9,
    )
    await shop.say(
        "web-form",
        "form-0007",
        hours=8,
        author={"name": "陈先生", "phone": "13900001234"},
        subject="发票一直没开",
        text="上个月 12 号下的单，订单 A20261012-3391，到现在发票还没有开。打了两次客服电话，每次都要排队半个多小时，"
        "最后说让我自己在 App 里申请，可是 App 里根本没有这个入口。请尽快补开发票。",
    )
    await shop.say(
        "app-store-cn",
        "review-88121",
        hours=11,
        author={"name": "山里的风", "handle": "shanlidefeng"},
        rating={"value": 1},
        visibility="public",
        subject="更新后闪退",
        text="更新到 5.2 之后每次打开就闪退，卸载重装也没有用。我的会员还有半年，登录都登不上去，麻烦尽快修复。",
        revision="1",
        permalink="https://apps.apple.com/cn/app/id0000000000?see-all=reviews",
    )


async def _last_day(shop: Shop) -> None:
    now = shop.clock.now
    await shop.mail(
        letter_mail(
            "Margaret O'Neill <margaret.oneill@mail.example>",
            "Charged twice for one subscription",
            "Hi,\n\nMy card was charged twice on 18 November for the same yearly plan (2 x £59.99). Your chat agent "
            "told me it "
            "would be refunded within 24 hours. That was four days ago and nothing has happened.\n\nPlease refund "
            "the second "
            "payment and tell me why this happened.\n\nMargaret O'Neill",
            at=now() + timedelta(hours=30),
            ident="c1",
        ),
        hours=30,
    )
    await shop.say(
        "store-desk",
        "desk-2026-11-21-004",
        hours=14,
        author={"name": "刘女士", "phone": "13700005678"},
        text="顾客反映在南山店购买的羽绒服（款号 DX-2231）洗一次就掉毛、开线，店员态度很差，说“洗坏了不管”。"
        "顾客要求换货并道歉。",
    )
    mail = letter_mail(
        "王小丽 <xiaoli.wang@mail.example>",
        "Re: 电饭煲第三次坏了，要求退款",
        "补充一下：昨天又有客服打电话来，说只能维修，不能退款。我不接受维修，只要退款，另外要求赔偿烧坏的插座 80 元。",
        at=now() + timedelta(hours=7),
        ident="a2",
    )
    mail["In-Reply-To"] = mail["References"] = "<a1@mail.example>"
    await shop.mail(mail, hours=7)
    await shop.say(
        "web-form",
        "form-0008",
        hours=4,
        author={"name": "Priya N.", "email": "priya.n@mail.example"},
        subject="Jacket colour is nothing like the picture",
        text="The jacket (SKU JK-1180) looks dark green on your site. The one I got is bright turquoise. "
        "I would like to exchange it for the colour I ordered.",
    )


async def _troubles(shop: Shop) -> None:
    """What needs a person: letters of every kind, deliveries in every state, channels in several."""
    clock, journal = shop.clock, shop.journal
    await shop.hear("web-form", b'{"text": "broken', MESSAGE_JSON, "form-bad", 0.2)
    too_large = Raw(
        key="<big@mail.example>",
        body=b"From: Zhao <zhao@mail.example>\r\nSubject: =?utf-8?b?6KeG6aKR6K+B5o2u?=\r\n\r\n",
        media_type=RFC822,
        received_at=clock.now(),
        quarantine="larger than 50 MiB: only its header was fetched",
        context={"folder": "INBOX", "uid": "48213"},
    )
    missing = Missing(
        key="uid 48190", reason="the server lists it but answers NO to FETCH", locator={"folder": "INBOX", "uid": 48190}
    )
    gap = Gap(
        since=clock.now() - timedelta(hours=9),
        until=clock.now() - timedelta(hours=3),
        reason="reviews older than 500 are no longer listed",
    )
    await journal.accept(Deposit(channel="support-mail", raws=[too_large], policy=MAIL, missing=[missing]))
    await journal.accept(Deposit(channel="app-store-cn", raws=[], policy=ITEM, gaps=[gap]))
    ends = iter((DeliveryState.LETTER, DeliveryState.DOUBT, DeliveryState.PENDING))

    def outcome(delivery: int, complaint: str) -> Outcome:
        state = next(ends, DeliveryState.SENT)
        if state is DeliveryState.LETTER:
            return Outcome(
                delivery=delivery,
                state=state,
                reason="422: field “group” is required",
                detail='{"errors":{"group":["required"]},"requester":"xiaoli.wang@mail.example"}',
            )
        if state is DeliveryState.DOUBT:
            return Outcome(
                delivery=delivery,
                state=state,
                at=clock.now() + timedelta(minutes=2),
                reason="the answer was lost: time-out after 30 s",
            )
        if state is DeliveryState.PENDING:
            return Outcome(
                delivery=delivery, state=state, at=clock.now() + timedelta(minutes=4), reason="503 Service Unavailable"
            )
        return _sent(delivery, complaint)

    await shop.deliver("helpdesk", outcome)
    await shop.deliver("archive", _archived)
    await journal.note_channel("app-store-cn", connector="app_store", state="failing", reason=RESET)
    clock.advance(timedelta(minutes=20))
    for name in ("support-mail", "web-form", "store-desk"):
        await journal.note_channel(name, connector=CONNECTORS[name], state="running", success=True)
    clock.advance(timedelta(seconds=40))


def steering() -> Steering:
    return Steering(
        channels={
            "support-mail": ChannelState(state="running", reason=""),
            "web-form": ChannelState(state="running", reason="", refused=3),
            "app-store-cn": ChannelState(state="failing", reason=RESET),
            "store-desk": ChannelState(state="running", reason=""),
        }
    )


@dataclass
class House:
    """The filled journal, its admin server, and a browser that keeps no cookies unless told."""

    journal: Journal
    clock: FakeClock
    steering: Steering
    server: AdminServer
    session: aiohttp.ClientSession

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.port}{path}"

    async def page(self, path: str, *, language: str = "en", status: int = 200) -> str:
        headers = {"Accept": "text/html", "Accept-Language": language}
        async with self.session.get(self.url(path), headers=headers) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return text

    async def complaint(self, words: str) -> str:
        """The reference of the complaint whose title holds these words."""
        rows, _ = await self.journal.complaints()
        return next(row.id for row in rows if words in row.title)


def stand(house: House) -> None:
    """Quotas and credentials for a house that has none."""
    now, quotas = house.clock.now(), Quotas()
    mail, store, desk = (Accounts(MemoryLedger(), quotas, house.clock) for _ in range(3))
    midnight = now + timedelta(hours=9)
    units = Quota(name="units", left=9876, most=10_000, resets_at=midnight, told_at=now)
    store.note("youtube:project 1234", units)
    store.note("meta ab12cd34", Quota(name="percent", left=12, most=100, told_at=now))
    again = "log in again: allears channels login support-mail"
    mail.expires("refresh token", now + timedelta(days=6.5), advice=again)
    mail.expires("certificate", now + timedelta(days=200), advice="renew it")
    desk.expires("client secret", now + timedelta(days=90), advice="make a new one")
    channels = house.steering.channels
    channels["support-mail"] = replace(channels["support-mail"], credentials=mail.credentials)
    channels["app-store-cn"] = replace(channels["app-store-cn"], quotas=store.quotas)
    holders = [("channel", "support-mail", mail), ("channel", "app-store-cn", store), ("destination", "helpdesk", desk)]
    held = [Holder(kind=kind, name=name, accounts=accounts) for kind, name, accounts in holders]
    house.server.state.standing = Standing(quotas, lambda: held, house.clock, warning=timedelta(days=14))


MakeHouse = Callable[..., Awaitable[House]]


@pytest.fixture
async def make_house(tmp_path: Path) -> AsyncIterator[MakeHouse]:
    """A function that opens a house: `filled` or empty, and with the admin server's own arguments."""
    opened: list[House] = []

    async def make(*, filled: bool = True, **arguments: Any) -> House:
        clock = FakeClock(BORN)
        journal = await open_journal(tmp_path / f"data{len(opened)}", clock)
        if filled:
            await fill(journal, clock)
        controls = steering()
        server = AdminServer(
            journal, controls, clock=clock, version="0.1.0", public_url="https://ears.shop.example", **arguments
        )
        await server.start()
        session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        house = House(journal=journal, clock=clock, steering=controls, server=server, session=session)
        opened.append(house)
        return house

    yield make
    for house in opened:
        await house.session.close()
        await house.server.stop()
        await house.journal.close()


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house()
