"""Our HubSpot in small keeps to what the documents say, and HubSpot's own client takes it for HubSpot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from bench.servers.desk import Mishap
from bench.servers.hubspot import TOKEN, Hubspot
from bench.servers.hubspot_records import KEY_PROPERTY

KEY = "ALE-7K3M-Q9TX-4RWD-AB12CD"
TICKET = {"subject": "屏幕碎了😡", "hs_pipeline": "0", "hs_pipeline_stage": "1", KEY_PROPERTY: KEY}


@pytest.fixture
async def desk() -> AsyncIterator[Hubspot]:
    desk = Hubspot()
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
async def session(desk: Hubspot) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(desk.url, headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        yield session


async def post(session: aiohttp.ClientSession, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
    async with session.post(path, json=body) as answer:
        return answer.status, await answer.json()


async def with_client(desk: Hubspot, work: Callable[[Any], Any]) -> Any:
    from hubspot import HubSpot

    client = HubSpot(access_token=TOKEN, host=desk.url)
    return await asyncio.to_thread(work, client)


async def test_the_vendors_client_makes_finds_and_notes(desk: Hubspot) -> None:
    contact = desk.add_contact("lilei@mail.example.cn")

    def work(client: Any) -> Any:
        from hubspot.crm.associations.v4 import models
        from hubspot.crm.objects.notes import SimplePublicObjectInputForCreate as Note
        from hubspot.crm.tickets import SimplePublicObjectInputForCreate as Ticket

        to = {"id": contact}
        types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 16}]
        asked = Ticket(properties=TICKET, associations=[{"to": to, "types": types}])
        ticket = client.crm.tickets.basic_api.create(simple_public_object_input_for_create=asked)
        found = client.crm.tickets.basic_api.get_by_id(KEY, id_property=KEY_PROPERTY, properties=[KEY_PROPERTY])
        assert (found.id, found.properties[KEY_PROPERTY]) == (ticket.id, KEY)
        body = Note(properties={"hs_timestamp": "2026-11-22T04:00:00Z", "hs_note_body": "还没解决"})
        note = client.crm.objects.notes.basic_api.create(simple_public_object_input_for_create=body)
        client.crm.associations.v4.basic_api.create_default("notes", note.id, "tickets", ticket.id)
        page = client.crm.associations.v4.basic_api.get_page("tickets", ticket.id, "notes")
        assert isinstance(page, models.CollectionResponseMultiAssociatedObjectWithLabelForwardPaging)
        assert [str(one.to_object_id) for one in page.results] == [note.id]
        return ticket.id

    ticket = await with_client(desk, work)
    assert [note.properties["hs_note_body"] for note in desk.notes(ticket)] == ["还没解决"]
    assert (ticket, contact) in desk.links


@pytest.mark.parametrize(("way", "status"), [("invalid", 400), ("conflict", 409)])
async def test_a_key_is_given_once(desk: Hubspot, session: aiohttp.ClientSession, way: Any, status: int) -> None:
    desk.duplicates = way
    assert (await post(session, "/crm/v3/objects/tickets", properties=TICKET))[0] == 201
    assert (await post(session, "/crm/v3/objects/tickets", properties=TICKET))[0] == status
    assert len(desk.tickets()) == 1


async def test_an_upsert_overwrites_what_agents_wrote(desk: Hubspot, session: aiohttp.ClientSession) -> None:
    one = {"idProperty": KEY_PROPERTY, "id": KEY, "properties": {"subject": "one", "hs_pipeline_stage": "1"}}
    _, first = await post(session, "/crm/v3/objects/tickets/batch/upsert", inputs=[one])
    desk.tickets()[0].properties["subject"] = "agents' words"
    _, second = await post(session, "/crm/v3/objects/tickets/batch/upsert", inputs=[one])
    assert [first["results"][0]["new"], second["results"][0]["new"]] == [True, False]
    assert desk.tickets()[0].properties["subject"] == "one"


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"nonsense": "x"}, "PROPERTY_DOESNT_EXIST"),
        ({"hs_ticket_priority": "P1"}, "INVALID_OPTION"),
        ({"hs_pipeline_stage": "New"}, "INVALID_OPTION"),
        ({"createdate": "2026-11-22"}, "READ_ONLY_VALUE"),
    ],
)
async def test_what_does_not_fit_is_refused(
    desk: Hubspot, session: aiohttp.ClientSession, properties: dict[str, str], code: str
) -> None:
    status, answer = await post(session, "/crm/v3/objects/tickets", properties={**TICKET, **properties})
    assert (status, answer["category"]) == (400, "VALIDATION_ERROR")
    assert code in answer["message"]
    assert desk.tickets() == []


async def test_a_look_up_needs_a_unique_property(desk: Hubspot, session: aiohttp.ClientSession) -> None:
    await post(session, "/crm/v3/objects/tickets", properties=TICKET)
    path = f"/crm/v3/objects/tickets/{KEY}"
    for query, status in (("", 404), ("?idProperty=ale_channel", 400), (f"?idProperty={KEY_PROPERTY}", 200)):
        async with session.get(path + query) as answer:
            assert answer.status == status, query


async def test_merged_tickets_lead_on_and_deleted_ones_are_gone(desk: Hubspot, session: aiohttp.ClientSession) -> None:
    made = [await post(session, "/crm/v3/objects/tickets", properties={**TICKET, KEY_PROPERTY: one}) for one in "AB"]
    first, second = (answer["id"] for _, answer in made)
    desk.archive(first, into=second)
    async with session.get(f"/crm/v3/objects/tickets/{first}") as answer:
        assert (await answer.json())["id"] == second
    desk.archive(second)
    async with session.get(f"/crm/v3/objects/tickets/{second}") as answer:
        assert answer.status == 404


async def test_some_that_are_not_there_make_it_207(desk: Hubspot, session: aiohttp.ClientSession) -> None:
    note = {"hs_timestamp": "2026-11-22T04:00:00Z", "hs_note_body": "one"}
    _, made = await post(session, "/crm/v3/objects/notes", properties=note)
    inputs = [{"id": made["id"]}, {"id": "1"}]
    status, answer = await post(session, "/crm/v3/objects/notes/batch/read", inputs=inputs, properties=["hs_note_body"])
    assert (status, answer["numErrors"], len(answer["results"])) == (207, 1, 1)


async def test_a_file_needs_a_folder_and_says_who_may_see_it(desk: Hubspot, session: aiohttp.ClientSession) -> None:
    for options, folder, status in (("{}", "/allears", 400), ('{"access": "PRIVATE"}', "/allears", 201)):
        form = aiohttp.FormData({"options": options, "folderPath": folder}, quote_fields=False)
        form.add_field("file", "照片".encode(), filename="照片.jpg", content_type="image/jpeg")
        async with session.post("/files/v3/files", data=form) as answer:
            assert answer.status == status
    assert list(desk.uploads.values()) == [("照片.jpg", "照片".encode())]


async def test_a_ticket_is_there_though_its_answer_was_500(desk: Hubspot, session: aiohttp.ClientSession) -> None:
    desk.plan(Mishap.BROKEN_AFTER)
    async with session.post("/crm/v3/objects/tickets", json={"properties": TICKET}) as answer:
        assert answer.status == 500
    assert len(desk.tickets()) == 1
    async with session.get("/crm/v3/objects/tickets/1", headers={"Authorization": "Bearer pat-wrong"}) as answer:
        assert (answer.status, (await answer.json())["category"]) == (401, "INVALID_AUTHENTICATION")
