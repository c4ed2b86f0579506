"""What people see: every page in both languages, evidence on the exact words, contacts masked, nothing from outside
taken for markup."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from allears.filing.routing import to_all
from allears.journal.records import DeliveryState, Destination, LetterKind, Outcome, Reply, Route
from allears_sdk.testing.clock import FakeClock
from tests.console.conftest import OWN_FORMAT, House, MakeHouse, Shop

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}{% raw %}"


def words(page: str) -> str:
    """The page's visible text."""
    body = page[page.index("<main") :]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


def marks(page: str) -> list[tuple[str, str]]:
    """(title, marked words) in the order they stand."""
    found = re.findall(r'<mark class="[^"]*" title="([^"]*)">(.*?)</mark>', page, re.DOTALL)
    return [(title, html.unescape(re.sub(r"<[^>]+>", "", text))) for title, text in found]


async def test_the_overview_begins_with_what_needs_a_person(house: House) -> None:
    text = words(await house.page("/"))
    assert text.index("Needs a person") < text.index("helpdesk: 1 delivery was refused") < text.index("Channels")
    assert "422: field “group” is required" in text
    assert "app-store-cn: 1 span of time the source no longer gives back" in text
    assert "Channel app-store-cn is failing" in text
    assert "connection reset by apps.example" in text
    assert "Destination helpdesk: 1 delivery in doubt" in text
    assert "https://ears.shop.example" in await house.page("/")


async def test_the_overview_in_chinese(house: House) -> None:
    page = await house.page("/", language="zh-CN,zh;q=0.9")
    text = words(page)
    assert '<html lang="zh-Hans">' in page
    assert "需要人工处理" in text
    assert "helpdesk：1 条投递被拒绝" in text
    assert "渠道 app-store-cn 连接异常" in text
    assert "40 秒前" in text


async def test_an_empty_house_says_that_all_is_well(make_house: MakeHouse) -> None:
    house = await make_house(filled=False)
    house.steering.channels.clear()
    text = words(await house.page("/"))
    assert "Nothing needs a person right now." in text
    assert "No channel is configured yet." in text
    assert "No complaint has been filed yet." in words(await house.page("/complaints"))
    assert "Everything was read and delivered." in words(await house.page("/letters"))
    assert "Nothing is delivered to another system" in words(await house.page("/deliveries"))
    assert "No delivery matches." in words(await house.page("/deliveries?state=sent"))


async def test_where_only_views_are_the_list_is_named(make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await make_house(filled=False)
    monkeypatch.setattr("tests.console.conftest.ROUTER", to_all([Destination(name="list", is_view=True)]))
    await Shop(house.journal, house.clock).say("web-form", "f-1", text="退款一直没到账，打 12315 也没用")
    assert "Nothing has been filed yet" not in words(await house.page("/"))
    assert "Filed in the built-in list: 1 complaint" in words(await house.page("/"))
    page = words(await house.page(f"/complaints/{await house.complaint('退款')}", language="zh"))
    assert "已记入内置列表。" in page
    assert "12315" in page


async def test_the_footer_and_the_receivers_know_their_dates(house: House) -> None:
    page = words(await house.page("/"))
    assert re.search(r"Journal since \d{4}-\d\d-\d\d", page)
    form = (await house.page("/")).split('id="channel-web-form"')[1].partition("</tr>")[0]
    assert "never" not in form


async def test_a_channel_only_the_journal_remembers_is_shown_but_cannot_be_paused(house: House) -> None:
    del house.steering.channels["store-desk"]
    page = await house.page("/")
    assert "no longer configured" in words(page)
    assert "/channels/store-desk/" not in page
    assert "/channels/web-form/pause" in page


async def test_the_list_finds_filters_and_pages(house: House) -> None:
    everything = words(await house.page("/complaints"))
    assert "8 complaints" not in everything  # one of the eight raws was broken, one a follow-up
    assert "7 complaints" in everything
    found = words(await house.page("/complaints?query=" + "电饭煲"))
    assert "1 complaint" in found
    assert "电饭煲第三次坏了，要求退款" in found
    urgent = words(await house.page("/complaints?priority=P1&channel=support-mail"))
    assert "电饭煲" in urgent
    assert "Charged twice" not in urgent
    assert "No complaint matches." in words(await house.page("/complaints?query=nobody-said-this"))
    assert "7 complaints" in words(await house.page("/complaints?page=0&query="))
    assert await house.page("/complaints?page=99999999999999999999") != ""


async def test_many_complaints_are_paged(make_house: MakeHouse) -> None:
    house = await make_house(filled=False)
    shop = Shop(house.journal, house.clock)
    for number in range(53):
        await shop.say(
            "web-form", f"f-{number}", hours=0.1, text=f"快递 {number} 号一直没到，我要退款", subject=f"没到 {number}"
        )
    first = await house.page("/complaints?query=" + "没到")
    assert "53 complaints" in words(first)
    assert "Page 1 of 2" in words(first)
    assert "没到 52" in words(first)
    following = html.unescape(re.findall(r'rel="next" href="([^"]+)"', first)[0])
    second = words(await house.page(following))
    assert "Page 2 of 2" in second
    assert "没到 0 " in second
    assert "没到 52" not in second


async def test_a_complaint_stands_beside_its_words(house: House) -> None:
    reference = await house.complaint("电饭煲")
    page = await house.page(f"/complaints/{reference}", language="zh")
    text = words(page)
    labels = (
        "客户标识 客户联系方式 投诉渠道 投诉时间 涉及产品/订单 问题分类 问题详细描述 紧急程度 客户期望 附件/证据 受理人"
    )
    assert [label for label in labels.split() if label not in text] == []
    assert "昨天煮饭时突然冒烟" in text
    assert "我不接受维修，只要退款" in text
    assert "P1 紧急" in text
    assert "追加" in text
    assert "HD-41201" in text
    assert "插头烧黑.png" in text


async def test_evidence_is_marked_in_the_original_and_linked_from_the_record(house: House) -> None:
    reference = await house.complaint("电饭煲")
    page = await house.page(f"/complaints/{reference}", language="zh")
    marked = marks(page)
    assert any("涉及产品/订单" in title and text == "20261003-88172" for title, text in marked)
    assert any("紧急程度" in title and text == "冒烟" for title, text in marked)
    file = await house.journal.complaint(reference)
    assert file is not None
    priority = file.record.provenance["priority"]
    assert priority.source.removeprefix("rule:") in page
    linked = set(re.findall(r'href="#([\w-]+)"', page)) - {"content"}
    assert linked
    assert linked <= set(re.findall(r'<span id="([\w-]+)"></span>', page))


async def test_contacts_are_masked_until_asked_and_asking_is_logged(house: House) -> None:
    reference = await house.complaint("电饭煲")
    masked = await house.page(f"/complaints/{reference}")
    for secret in ("13812348000", "xiaoli.wang@mail.example", "xiaoli_w88"):
        assert secret not in masked
    assert "138****8000" in masked
    with capture_logs() as logs:
        shown = await house.page(f"/complaints/{reference}?reveal=1")
    for secret in ("13812348000", "xiaoli.wang@mail.example", "xiaoli_w88"):
        assert secret in shown
    assert [(line["event"], line["path"], line["by"]) for line in logs] == [
        ("contacts_revealed", f"/complaints/{reference}", "open")
    ]
    assert "13812348000" not in str(logs)


async def test_a_stranger_writes_no_markup(make_house: MakeHouse) -> None:
    house = await make_house(filled=False)
    shop = Shop(house.journal, house.clock)
    await shop.say(
        "web-form",
        HOSTILE,
        subject=HOSTILE,
        text=f"退款！{HOSTILE} 订单 20261003-88172",
        author={"name": HOSTILE, "handle": HOSTILE, "email": '"><script>@x.example'},
        permalink="javascript:alert(3)",
        attachments=[
            {"name": HOSTILE + ".html", "media_type": "text/html", "content": "PHNjcmlwdD4="},
            {"name": "b", "media_type": HOSTILE, "skipped": HOSTILE},
        ],
    )
    await shop.deliver(
        "helpdesk",
        lambda delivery, complaint: Outcome(
            delivery=delivery, state=DeliveryState.LETTER, reason=HOSTILE, detail=HOSTILE
        ),
    )
    (row,), _ = await house.journal.complaints()
    (letter,) = await house.journal.letters()
    file = await house.journal.complaint(row.id)
    assert file is not None
    paths = ["/", "/complaints", f"/complaints/{row.id}", "/deliveries", "/letters", f"/letters/{letter.id}"]
    paths += [f"/raws/{file.messages[0].raw_id}", "/complaints?query=%3Cscript%3E&channel=%22%3E%3Cimg"]
    for path in paths:
        page = await house.page(path)
        assert "<script>" not in page, path
        assert "<img src=x" not in page, path
        assert "onerror=alert(2)>" not in page, path
        assert "javascript:" not in page.replace("text/javascript", "").partition("plain")[0], path
        assert "49" not in re.findall(r"<h1>(.*?)</h1>", page, re.DOTALL)[0], path
        assert re.findall(r'\son\w+="', page) == [], path
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in await house.page(f"/complaints/{row.id}")


async def test_deliveries_can_be_filtered(house: House) -> None:
    letters = words(await house.page("/deliveries?state=letter"))
    assert "Followed up" in letters
    assert "archive:" not in letters
    assert "422: field “group” is required" in letters
    pending = words(await house.page("/deliveries?destination=helpdesk&state=pending"))
    assert "503 Service Unavailable" in pending
    assert words(await house.page("/deliveries?state=nonsense")).count("archive:") > 3


async def test_letters_show_their_place_and_what_can_be_done(house: House) -> None:
    letters = {letter.kind: letter for letter in await house.journal.letters()}
    refused = await house.page(f"/letters/{letters[LetterKind.DELIVERY].id}")
    assert f"/letters/{letters[LetterKind.DELIVERY].id}/replay" in refused
    assert "xiaoli.wang" not in refused
    assert "x***@mail.example" in refused
    gap = await house.page(f"/letters/{letters[LetterKind.GAP].id}")
    assert "/replay" not in gap
    assert "/discard" in gap
    assert "its line moves on" in refused
    unread = await house.page(f"/letters/{letters[LetterKind.RAW].id}")
    assert "unread, and makes no complaint" in unread
    assert "its line moves on" not in unread
    missing = words(await house.page(f"/letters/{letters[LetterKind.MISSING].id}"))
    assert "folder=INBOX" in missing
    assert "uid=48190" in missing


async def test_a_letter_says_where_its_message_was_found(house: House) -> None:
    (letter,) = [one for one in await house.journal.letters() if "larger than 50 MiB" in one.reason]
    assert "folder=INBOX uid=48213" in words(await house.page(f"/letters/{letter.id}"))


@pytest.mark.parametrize(("language", "called"), [("en", "acknowledgement"), ("zh", "受理回执")])
async def test_an_acknowledgement_is_called_one(
    make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch, language: str, called: str
) -> None:
    house = await make_house(filled=False)
    reply = Reply(destination="reply:web-form", payload=b"{}", who="w", max_per_day=3)
    route = Route(destinations=[Destination(name="helpdesk")], responder=lambda *_: reply)
    monkeypatch.setattr("tests.console.conftest.ROUTER", lambda _: route)
    await Shop(house.journal, house.clock).say("web-form", "f-1", text="退款一直没到账，再不处理就投诉")
    for path in ("/", "/deliveries", f"/complaints/{await house.complaint('退款')}"):
        text = words(await house.page(path, language=language))
        assert f"reply:web-form {called}" in text
        assert f"helpdesk {called}" not in text


async def test_what_was_not_filed_can_be_narrowed_to_a_channel_and_widened_again(make_house: MakeHouse) -> None:
    house = await make_house(filled=False)
    shop = Shop(house.journal, house.clock)
    await shop.say("web-form", "f-1", text="客服非常耐心，特意来表扬，谢谢！")
    assert "All channels" not in await house.page("/unfiled")
    await shop.say("store-desk", "d-1", text="门店服务很好，非常满意，谢谢！")
    assert '<a class="chip" href="/unfiled" aria-current="true">All channels</a>' in await house.page("/unfiled")
    assert '<a class="chip" href="/unfiled">All channels</a>' in await house.page("/unfiled?channel=web-form")


async def test_a_quarantined_raw_is_shown_as_text(house: House) -> None:
    letter = next(
        one for one in await house.journal.letters() if one.kind is LetterKind.RAW and one.place == "web-form"
    )
    page = await house.page(f"/raws/{letter.raw_id}")
    assert "{&#34;text&#34;: &#34;broken" in page
    assert f"/raws/{letter.raw_id}/download" in page


async def test_a_long_raw_is_cut_on_the_page_and_whole_as_a_file(make_house: MakeHouse) -> None:
    house = await make_house(filled=False)
    body = b'{"text": "' + "长".encode() * 40_000
    await Shop(house.journal, house.clock).hear("web-form", body, "application/json", "long", 1)
    (letter,) = await house.journal.letters()
    assert "The first 64 KB of 117 KB are shown." in words(await house.page(f"/raws/{letter.raw_id}"))
    async with house.session.get(house.url(f"/raws/{letter.raw_id}/download")) as answer:
        assert await answer.read() == body
        assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="raw-{letter.raw_id}.json"')


async def test_attachments_are_only_ever_downloads(house: House) -> None:
    reference = await house.complaint("电饭煲")
    with capture_logs() as logs:
        async with house.session.get(house.url(f"/complaints/{reference}/attachments/0/1")) as answer:
            assert answer.status == 200
            assert await answer.read() == b"%PDF-1.4 demo"
            headers = answer.headers
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert headers["Content-Disposition"] == (
        "attachment; filename=\"____.pdf\"; filename*=UTF-8''%E8%B4%AD%E4%B9%B0%E5%87%AD%E8%AF%81.pdf"
    )
    assert [line["event"] for line in logs] == ["contacts_revealed"]
    for path in ("attachments/0/9", "attachments/7/0"):
        await house.page(f"/complaints/{reference}/{path}", status=404)


async def test_a_file_in_a_format_of_the_channels_own_is_read_by_its_connector(make_house: MakeHouse) -> None:
    house = await make_house(filled=False)
    shop = Shop(house.journal, house.clock)
    await shop.hear("web-form", "裂纹.jpg\n".encode() + b"\xff\xd8\xffjpeg", OWN_FORMAT, "file-1", 1)
    rows, _ = await house.journal.complaints()
    async with house.session.get(house.url(f"/complaints/{rows[0].id}/attachments/0/0")) as answer:
        assert (answer.status, await answer.read()) == (200, b"\xff\xd8\xffjpeg")


async def test_what_is_not_there_is_said_in_the_readers_language(house: House) -> None:
    assert "There is nothing here." in words(await house.page("/complaints/ALE-0000-0000-0000", status=404))
    assert "这里没有内容。" in words(await house.page("/letters/999", language="zh", status=404))
    assert "There is nothing here." in words(await house.page("/nowhere", status=404))


async def test_the_language_stays_chosen(house: House) -> None:
    async with house.session.get(
        house.url("/language/zh?next=/letters%3Fstate%3Dreplayed"), allow_redirects=False
    ) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == "/letters?state=replayed"
    assert "信件" in await house.page("/letters", language="en")
    page = await house.page("/letters?lang=en&state=replayed", language="zh")
    assert "<h1>Letters</h1>" in page
    assert "/language/zh?next=%2Fletters%3Fstate%3Dreplayed" in html.unescape(page)
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example", "/\tevil"):
        async with house.session.get(
            house.url("/language/en"), params={"next": elsewhere}, allow_redirects=False
        ) as answer:
            assert answer.headers["Location"] == "/"


async def test_pages_need_no_stranger_and_static_files_are_kept(house: House) -> None:
    page = await house.page("/")
    resources = re.findall(r'<(?:link|script|img)[^>]+(?:href|src)="([^"]+)"', page)
    assert len(resources) == 4
    for path in set(resources):
        async with house.session.get(house.url(path)) as answer:
            assert answer.status == 200
            assert "immutable" in answer.headers["Cache-Control"]
    assert " style=" not in page
    await house.page("/static/0/console.css", status=404)
    await house.page(resources[0].rsplit("/", 1)[0] + "/../pages.py", status=404)


@pytest.mark.parametrize(("hours", "expected"), [(0.1, False), (2, True)])
async def test_a_backlog_shows_only_when_it_is_old(make_house: MakeHouse, hours: float, expected: bool) -> None:
    house = await make_house(filled=False)
    shop, clock = Shop(house.journal, house.clock), house.clock
    assert isinstance(clock, FakeClock)
    await shop.say("web-form", "one", text="我要退款，机器坏了")
    clock.advance(timedelta(hours=hours))
    assert ("oldest delivery has waited 2 h" in words(await house.page("/"))) is expected
