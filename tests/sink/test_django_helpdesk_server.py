"""django-helpdesk itself, as its sink relies on it: what is tried here is true of the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from bench.servers.django_helpdesk import STAFF, STRANGER, DjangoHelpdesk


@pytest.fixture(scope="module")
def server() -> Iterator[DjangoHelpdesk]:
    with DjangoHelpdesk() as server:
        yield server


@pytest.fixture
async def helpdesk(server: DjangoHelpdesk) -> AsyncIterator[DjangoHelpdesk]:
    await server.clear()
    yield server


async def call(server: DjangoHelpdesk, method: str, path: str, **request: Any) -> httpx.Response:
    return await server.ask(method, f"/api/{path}", auth=request.pop("auth", STAFF), **request)


async def make_ticket(server: DjangoHelpdesk, **fields: Any) -> dict[str, Any]:
    ticket = {"queue": server.queue, "title": "屏幕碎了😡", "description": "第一天就碎", "priority": 2, **fields}
    made = await call(server, "POST", "tickets/", json=ticket)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


async def test_no_filter_finds_a_ticket_but_its_page_shows_it_at_once(helpdesk: DjangoHelpdesk) -> None:
    for number in range(3):
        await make_ticket(helpdesk, custom_complaint_id=f"ALE-{number}")
        page = await call(helpdesk, "GET", "tickets/?page_size=2&page=last")
        assert page.json()["results"][-1]["custom_complaint_id"] == f"ALE-{number}"
    for query in ("search=ALE-1", "custom_complaint_id=ALE-1"):
        assert (await call(helpdesk, "GET", f"tickets/?{query}")).json()["count"] == 3
    assert (await call(helpdesk, "GET", "tickets/?page_size=2&page=9")).status_code == 404


async def test_an_unknown_field_vanishes_and_options_name_those_there_are(helpdesk: DjangoHelpdesk) -> None:
    ticket = await make_ticket(helpdesk, custom_nosuch="x")
    assert "custom_nosuch" not in ticket
    fields = (await call(helpdesk, "OPTIONS", "tickets/")).json()["actions"]["POST"]
    assert {name for name in fields if name.startswith("custom_")} == {
        "custom_complaint_id",
        "custom_channel",
        "custom_category",
        "custom_expectation",
    }


async def test_a_comment_is_rendered_as_a_template(helpdesk: DjangoHelpdesk) -> None:
    ticket = (await make_ticket(helpdesk))["id"]

    async def comment(text: str) -> str | int:
        made = await call(helpdesk, "POST", "followups/", json={"ticket": ticket, "comment": text})
        return str(made.json()["comment"]) if made.status_code == 201 else made.status_code

    assert await comment("{{ ticket.title }}") == "屏幕碎了😡", "the store's words stand where the customer's stood"
    assert await comment("还{# 这句不见了 #}在") == "还在"
    assert await comment("{{ not a variable }}") == 500
    assert await comment("100 %} off") == 500
    assert await comment('{{ "{" }}{ ticket.title }} {{ "{" }}% x %{{ "}" }}') == "{{ ticket.title }} {% x %}"
    (there,) = await helpdesk.tickets()
    assert len(there["followup_set"]) == 4


@pytest.mark.parametrize(("status", "resolution"), [(3, "还是坏的"), (4, "换新")])
async def test_a_comment_to_a_resolved_ticket_takes_the_place_of_its_resolution(
    helpdesk: DjangoHelpdesk, status: int, resolution: str
) -> None:
    ticket = (await make_ticket(helpdesk))["id"]
    await call(helpdesk, "PATCH", f"tickets/{ticket}/", json={"status": status, "resolution": "换新"})
    await call(helpdesk, "POST", "followups/", json={"ticket": ticket, "comment": "还是坏的"})
    (there,) = await helpdesk.tickets()
    assert (there["status"], there["resolution"]) == (status, resolution)


async def test_a_title_in_a_comment_becomes_the_ticket_s(helpdesk: DjangoHelpdesk) -> None:
    ticket = (await make_ticket(helpdesk))["id"]
    await call(helpdesk, "POST", "followups/", json={"ticket": ticket, "comment": "x", "title": "新标题"})
    (there,) = await helpdesk.tickets()
    assert there["title"] == "新标题"


async def test_files_keep_their_names(helpdesk: DjangoHelpdesk) -> None:
    ticket = {"queue": "1", "title": "t", "description": "d", "priority": "1"}
    files = [("attachment", ("碎屏 照片.jpg", b"\xff\xd8\x00", "image/jpeg"))]
    made = (await call(helpdesk, "POST", "tickets/", data=ticket, files=files)).json()
    comment = {"ticket": str(made["id"]), "comment": "两张", "public": "false"}
    files = [("attachments", (name, b"\x00", "image/png")) for name in ("一.png", "二.png")]
    await call(helpdesk, "POST", "followups/", data=comment, files=files)
    (there,) = await helpdesk.tickets()
    names = [file["filename"] for followup in there["followup_set"] for file in followup["followupattachment_set"]]
    assert sorted(names) == sorted(["碎屏 照片.jpg", "一.png", "二.png"])


async def test_what_is_refused(helpdesk: DjangoHelpdesk) -> None:
    good = {"queue": 1, "title": "t", "description": "d", "priority": 1}
    for wrong, field in (({"queue": 9}, "queue"), ({"priority": 9}, "priority"), ({"title": "长" * 201}, "title")):
        answer = await call(helpdesk, "POST", "tickets/", json={**good, **wrong})
        assert (answer.status_code, list(answer.json())) == (400, [field])
    gone = await call(helpdesk, "POST", "followups/", json={"ticket": 999, "comment": "x"})
    assert (gone.status_code, list(gone.json())) == (400, ["ticket"])
    assert (await call(helpdesk, "GET", "tickets/999/")).status_code == 404
    assert (await call(helpdesk, "GET", "tickets/", auth=STRANGER)).status_code == 403
    assert (await call(helpdesk, "GET", "tickets/", auth=(STAFF[0], "wrong"))).status_code == 401
    large = await call(helpdesk, "POST", "tickets/", json={**good, "description": "x" * 3_000_000})
    assert large.status_code == 400
    assert await helpdesk.tickets() == []
