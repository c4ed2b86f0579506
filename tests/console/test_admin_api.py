"""The JSON API, and the figures and health a monitor reads."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from allears.http.admin_health import Readiness, judge
from allears.intake.intake import ChannelState
from allears.journal.errors import JournalBroken, JournalUnavailable
from allears_sdk.message import RFC822
from tests.console.conftest import House, MakeHouse, Shop, stand

NOTICE = b"From: Ann <ann@corp.example>\r\nSubject: Automatic reply: kettle\r\n\r\nIt leaks!\r\n"
DOCS = Path(__file__).parents[2] / "docs"


async def fetch(house: House, path: str, *, status: int = 200) -> Any:
    async with house.session.get(house.url(path)) as answer:
        assert answer.status == status
        return await answer.json()


async def order(house: House, path: str, *, status: int = 200, **headers: str) -> Any:
    async with house.session.post(house.url(path), json={}, headers=headers) as answer:
        assert answer.status == status
        return await answer.json()


async def test_channels_hold_the_journals_counts_and_the_live_state(house: House) -> None:
    rows = {row["name"]: row for row in (await fetch(house, "/api/channels"))["channels"]}
    mail, store = rows["support-mail"], rows["app-store-cn"]
    assert (mail["seen"], mail["stored"], mail["quarantined"], mail["state"]) == (5, 5, 1, "running")
    assert (store["state"], store["reason"]) == ("failing", "connection reset by apps.example")
    assert all(row["configured"] for row in rows.values())


async def test_complaints_are_found_and_read(house: House) -> None:
    found = await fetch(house, "/api/complaints?query=Charged&channel=support-mail")
    assert (found["total"], found["page"], found["pages"]) == (1, 1, 1)
    (row,) = found["complaints"]
    assert (row["category"], row["customer"]) == ("billing.payment", "Margaret O'Neill")
    assert (await fetch(house, "/api/complaints?priority=P1"))["total"] == 1
    file = await fetch(house, f"/api/complaints/{row['id']}")
    assert file["record"]["schema"] == "allears.complaint/1"
    assert file["messages"][0]["message"]["text"].startswith("Hi,")
    assert {row["destination"] for row in file["deliveries"]} == {"helpdesk", "archive"}
    assert await fetch(house, "/api/complaints/ALE-nothing", status=404) == {"error": "There is nothing here."}


async def test_contacts_are_masked_until_asked(house: House) -> None:
    reference = await house.complaint("电饭煲")
    masked = str(await fetch(house, f"/api/complaints/{reference}"))
    shown = str(await fetch(house, f"/api/complaints/{reference}?reveal=1"))
    for secret in ("13812348000", "xiaoli.wang@mail.example", "xiaoli_w88"):
        assert secret not in masked
        assert secret in shown


async def test_deliveries_and_destinations(house: House) -> None:
    rows = (await fetch(house, "/api/deliveries?destination=helpdesk&state=doubt"))["deliveries"]
    assert [row["reason"] for row in rows] == ["the answer was lost: time-out after 30 s"]
    rows = {row["name"]: row for row in (await fetch(house, "/api/destinations"))["destinations"]}
    assert (rows["helpdesk"]["doubt"], rows["helpdesk"]["pending"], rows["helpdesk"]["letters"]) == (1, 1, 1)


async def test_letters_are_replayed_and_discarded_once(house: House) -> None:
    letters = {one["kind"]: one for one in (await fetch(house, "/api/letters"))["letters"]}
    refused, gap = letters["delivery"]["id"], letters["gap"]["id"]
    assert await order(house, f"/api/letters/{refused}/replay") == {"id": refused, "done": "replayed"}
    assert await order(house, f"/api/letters/{gap}/discard") == {"id": gap, "done": "discarded"}
    await order(house, f"/api/letters/{refused}/replay", status=409)
    await order(house, f"/api/letters/{letters['missing']['id']}/replay", status=409)
    await order(house, "/api/letters/99999/replay", status=404)
    await order(house, f"/api/letters/{refused}/explode", status=404)
    assert (await fetch(house, f"/api/letters/{gap}"))["state"] == "discarded"
    assert refused not in [one["id"] for one in (await fetch(house, "/api/letters"))["letters"]]
    assert [one["id"] for one in (await fetch(house, "/api/letters?state=discarded"))["letters"]] == [gap]


async def test_channels_are_paused_and_resumed(house: House) -> None:
    assert await order(house, "/api/channels/web-form/pause") == {"channel": "web-form", "done": "paused"}
    rows = (await fetch(house, "/api/channels"))["channels"]
    assert [row["state"] for row in rows if row["name"] == "web-form"] == ["paused"]
    assert await order(house, "/api/channels/web-form/resume") == {"channel": "web-form", "done": "resumed"}
    await order(house, "/api/channels/nowhere/pause", status=404)


async def test_a_change_by_the_api_is_json_or_carries_the_token(make_house: MakeHouse) -> None:
    house = await make_house(token="t0ken")
    headers = {"Authorization": "Bearer t0ken"}
    async with house.session.post(house.url("/api/channels/web-form/pause"), headers=headers) as answer:
        assert answer.status == 200
    bare = await make_house(filled=False)
    async with bare.session.post(bare.url("/api/channels/web-form/pause"), data={"a": "b"}) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("error", [JournalUnavailable(), JournalBroken()])
async def test_a_journal_that_cannot_be_reached_is_said(
    house: House, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(house.journal, "channels", fail)
    monkeypatch.setattr(house.journal, "ready", fail)
    assert "Nothing is lost" in (await fetch(house, "/api/channels", status=503))["error"]
    ready = await fetch(house, "/readyz", status=503)
    assert ready["status"] == "not_ready"
    assert ready["reasons"][0].startswith("journal: ")
    await fetch(house, "/healthz", status=500 if isinstance(error, JournalBroken) else 200)


# Readiness

RUNNING, FAILING = ChannelState(state="running", reason=""), ChannelState(state="failing", reason="time-out")
STOPPED, PAUSED = ChannelState(state="stopped", reason="login refused"), ChannelState(state="paused", reason="")


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ([], Readiness.READY),
        ([RUNNING, RUNNING], Readiness.READY),
        ([RUNNING, PAUSED], Readiness.READY),
        ([PAUSED], Readiness.READY),
        ([RUNNING, FAILING], Readiness.DEGRADED),
        ([PAUSED, FAILING], Readiness.DEGRADED),
        ([FAILING, FAILING], Readiness.NOT_READY),
        ([RUNNING, STOPPED], Readiness.NOT_READY),
    ],
)
def test_readiness(states: list[ChannelState], status: Readiness) -> None:
    assert judge({f"c{index}": state for index, state in enumerate(states)}).status is status


def test_reasons_name_the_channel_and_mask_contacts() -> None:
    stopped = replace(STOPPED, reason="login of li.lei@mail.example refused")
    assert judge({"mail": stopped, "form": RUNNING}).reasons == [
        "channel mail stopped: login of l***@mail.example refused"
    ]


# Metrics


async def scrape(house: House) -> dict[str, dict[tuple[str, ...], float]]:
    """Sample name → label values, sorted by label → value."""
    async with house.session.get(house.url("/metrics")) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await answer.text()
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


async def test_figures_are_the_journals(house: House) -> None:
    figures = await scrape(house)
    raws = figures["allears_channel_raws_total"]
    assert raws["support-mail", "seen"] == raws["support-mail", "stored"] == 5
    assert raws["web-form", "quarantined"] == 1
    assert figures["allears_channel_up"] == {
        ("support-mail",): 1, ("web-form",): 1, ("store-desk",): 1, ("app-store-cn",): 0,
    }  # fmt: skip
    assert figures["allears_channel_state"]["app-store-cn", "failing"] == 1
    assert figures["allears_channel_refused_total"]["web-form",] == 3
    assert figures["allears_deliveries"]["helpdesk", "letter"] == 1
    assert figures["allears_deliveries"]["helpdesk", "doubt"] == 1
    assert figures["allears_delivery_oldest_pending_seconds"]["helpdesk",] > 3600
    assert figures["allears_delivery_oldest_pending_seconds"]["archive",] == 0
    assert figures["allears_letters_open"] == {("raw",): 2, ("delivery",): 1, ("missing",): 1, ("gap",): 1}
    assert figures["allears_journal_bytes"][()] > 10_000
    assert figures["allears_channel_lag_seconds"]["web-form",] == 0
    assert figures["process_resident_memory_bytes"][()] > 1_000_000
    assert list(figures["allears_build_info"]) == [("3." + figures_python(figures), "0.1.0")]


def figures_python(figures: dict[str, dict[tuple[str, ...], float]]) -> str:
    return next(iter(figures["allears_build_info"]))[0].removeprefix("3.")


@pytest.mark.parametrize("page", ["monitoring.md", "monitoring.zh-CN.md"])
async def test_every_figure_is_documented_with_its_labels(house: House, page: str) -> None:
    await Shop(house.journal, house.clock).hear("support-mail", NOTICE, RFC822, "away", 0.1)
    stand(house)
    async with house.session.get(house.url("/metrics")) as answer:
        families = list(text_string_to_metric_families(await answer.text()))
    exported = {
        sample.name: {name for name in sample.labels if sample.name != "allears_build_info"}
        for family in families
        for sample in family.samples
        if sample.name.startswith("allears_")
    }
    rows = re.findall(r"^\| `(allears_\w+)` \| ([^|]*) \|", (DOCS / page).read_text("utf-8"), re.MULTILINE)
    documented = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    documented["allears_build_info"] = set()
    assert documented == exported


async def test_a_hostile_channel_name_breaks_no_metrics(make_house: MakeHouse) -> None:
    house = await make_house(filled=False)
    house.steering.channels['a"b\\c\nd'] = RUNNING
    assert (await scrape(house))["allears_channel_up"]['a"b\\c\nd',] == 1


async def test_an_empty_house_is_ready_and_counted(make_house: MakeHouse) -> None:
    house = await make_house(filled=False)
    house.steering.channels.clear()
    assert await fetch(house, "/readyz") == {"status": "ready", "reasons": []}
    figures = await scrape(house)
    assert figures["allears_letters_open"] == {("raw",): 0, ("delivery",): 0, ("missing",): 0, ("gap",): 0}


async def test_what_was_not_filed_is_found_and_filed_by_hand(house: House) -> None:
    shop = Shop(house.journal, house.clock)
    before = {one["nature"]: one["count"] for one in (await fetch(house, "/api/unfiled"))["counts"]}
    await shop.hear("support-mail", NOTICE, RFC822, "away", 0.1)
    found = await fetch(house, "/api/unfiled?nature=automatic&channel=support-mail")
    assert {one["nature"]: one["count"] for one in found["counts"]}["automatic"] == before.get("automatic", 0) + 1
    row = found["unfiled"][0]
    assert (row["nature"], row["reason"]) == ("automatic", "subject: Automatic reply:")
    page = await house.page("/unfiled?nature=automatic")
    assert row["reference"] in page
    assert "subject: Automatic reply:" in page
    assert f'href="/raws/{row["raw_id"]}"' in page
    path = f"/api/unfiled/{row['reference']}/file"
    assert await order(house, path) == {"reference": row["reference"], "done": "filed"}
    await order(house, path, status=404)
    await order(house, "/api/unfiled/ALE-nothing/file", status=404)
    assert row["reference"] not in str(await fetch(house, "/api/unfiled"))
