"""The simulated Chatwoot: what a sink may and may not rely on, and what another client makes of it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession, FormData
from chatwoot import ChatwootClient

from allears_sdk.testing.memory import Fault
from bench.servers import chatwoot
from bench.servers.chatwoot import ACCOUNT, BOT_TOKEN, INBOX, KEY, TOKEN, WEBHOOK_SECRET, WIDGET, Chatwoot
from bench.servers.desk import Mishap

LILEI = {"inbox_id": INBOX, "name": "李雷", "email": "lilei@mail.example.cn", "identifier": "c-17"}
WORDS = {"content": "屏幕碎了😡 申请退款 {{contact.name}}", "message_type": "incoming"}


class Client:
    def __init__(self, desk: Chatwoot, http: ClientSession) -> None:
        self.desk, self.http = desk, http

    async def ask(
        self, method: str, path: str, json: Any = None, token: str = TOKEN, form: FormData | None = None
    ) -> tuple[int, Any]:
        url = f"{self.desk.url}/api/v1/accounts/{ACCOUNT}{path}"
        async with self.http.request(method, url, json=json, data=form, headers={"api_access_token": token}) as answer:
            return answer.status, await answer.json()

    async def contact(self, **changed: Any) -> int:
        _, answer = await self.ask("POST", "/contacts", {**LILEI, **changed})
        return int(answer["payload"]["contact"]["id"])

    async def open(self, contact: int, key: str = "ALE-1", **changed: Any) -> tuple[int, Any]:
        given = {"inbox_id": INBOX, "contact_id": contact, "source_id": key, "custom_attributes": {KEY: key}}
        return await self.ask("POST", "/conversations", {**given, "message": WORDS, **changed})

    async def say(self, conversation: int, **message: Any) -> tuple[int, Any]:
        return await self.ask("POST", f"/conversations/{conversation}/messages", message)

    async def found(self, key: str, attribute: str = KEY) -> tuple[int, list[str]]:
        condition = {"attribute_key": attribute, "filter_operator": "equal_to", "values": [key], "query_operator": None}
        status, answer = await self.ask("POST", "/conversations/filter", {"payload": [condition]})
        return status, [one["custom_attributes"][KEY] for one in answer.get("payload", ())]


@pytest.fixture
async def desk() -> AsyncIterator[Chatwoot]:
    desk = Chatwoot(now=lambda: 1_795_320_000.0)
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
async def client(desk: Chatwoot) -> AsyncIterator[Client]:
    async with ClientSession() as http:
        yield Client(desk, http)


async def test_a_conversation_and_its_first_message_are_made_together(desk: Chatwoot, client: Client) -> None:
    status, conversation = await client.open(await client.contact())
    assert (status, conversation["status"], conversation["priority"]) == (200, "open", None)
    (message,) = desk.created[1].messages
    assert (message["content"], message["message_type"], message["private"]) == (WORDS["content"], 0, False)
    await client.open(101, "ALE-2", message={"content": "x" * 150_001})
    assert len(desk.created) == 1, "a message that is refused leaves no conversation behind"


@pytest.mark.parametrize(
    ("changed", "attributes"),
    [
        ({"email": "LiLei@mail.example.cn", "identifier": "c-18"}, ["email"]),
        ({"email": "", "identifier": "c-17"}, ["identifier"]),
        ({"email": "not an address", "identifier": "c-18"}, ["email"]),
        ({"email": "", "identifier": "c-18", "phone_number": "13800138000"}, ["phone_number"]),
    ],
)
async def test_a_contact_that_is_taken_or_malformed_is_refused(
    client: Client, changed: dict[str, Any], attributes: list[str]
) -> None:
    await client.contact()
    status, answer = await client.ask("POST", "/contacts", {**LILEI, **changed})
    assert (status, answer["attributes"]) == (422, attributes)


async def test_contacts_are_found_by_any_part(client: Client) -> None:
    await client.contact()
    await client.contact(email="xlilei@mail.example.cn", identifier="c-170")
    _, answer = await client.ask("GET", "/contacts/search?q=c-17")
    assert [one["identifier"] for one in answer["payload"]] == ["c-17", "c-170"]


async def test_a_filter_sees_every_write_at_once_and_no_case(client: Client) -> None:
    await client.open(await client.contact())
    await client.open(101, "ALE-2")
    assert await client.found("ale-2") == (200, ["ALE-2"])
    assert await client.found("ALE-3") == (200, [])
    assert (await client.found("ALE-1", "no_such_attribute"))[0] == 422


async def test_each_source_has_one_conversation_where_the_inbox_is_locked(desk: Chatwoot, client: Client) -> None:
    await client.open(await client.contact())
    desk.inboxes[INBOX].lock_to_single_conversation = True
    _, again = await client.open(101)
    _, other = await client.open(101, "ALE-2")
    assert (again["id"], other["id"]) == (1, 2)
    assert len(desk.created[1].messages) == 2


async def test_a_source_of_another_contact_is_refused(desk: Chatwoot, client: Client) -> None:
    first = await client.contact()
    second = await client.contact(email="", identifier="c-18")
    await client.open(first)
    status, answer = await client.open(second)
    assert (status, answer["error"]) == (422, "source_id should be unique")
    desk.merge_contacts(second, first)
    assert (await client.open(second, "ALE-2"))[0] == 200
    assert desk.created[1].contact == second


async def test_only_api_inboxes_take_a_customers_words(desk: Chatwoot, client: Client) -> None:
    contact = await client.contact()
    assert (await client.open(contact, inbox_id=WIDGET))[0] == 500
    assert not desk.created
    await client.open(contact, inbox_id=WIDGET, message=None)
    assert (await client.say(1, **WORDS))[0] == 422


async def test_a_customers_words_reopen_what_was_resolved_and_a_note_does_not(desk: Chatwoot, client: Client) -> None:
    await client.open(await client.contact())
    desk.change(1, status="resolved")
    status, note = await client.say(1, content="客户等级已变", private=True)
    assert (status, note["private"], note["message_type"], desk.created[1].status) == (200, True, 1, "resolved")
    await client.say(1, **WORDS)
    assert desk.created[1].status == "open"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("您好 {{contact.name}}", "您好 李雷"),
        ("价格是{{ 500 元 }}！", "价格是！"),
        ("`{{ 代码 }}`", "`{{ 代码 }}`"),
        ("{% 100 %}", ""),
        ("{ 单个 }", "{ 单个 }"),
    ],
)
async def test_liquid_eats_braces_in_what_agents_write(client: Client, written: str, kept: str) -> None:
    await client.open(await client.contact())
    assert (await client.say(1, content=written, private=True))[1]["content"] == kept


async def test_forms_are_nested_and_carry_files(desk: Chatwoot, client: Client) -> None:
    form = FormData(
        {"inbox_id": str(INBOX), "contact_id": str(await client.contact()), f"custom_attributes[{KEY}]": "A"}
    )
    form.add_field("message[content]", "见照片")
    form.add_field("message[message_type]", "incoming")
    for name in ("碎屏 照片.jpg", "b.pdf"):
        form.add_field("message[attachments][]", name.encode(), filename=name, content_type="image/jpeg")
    status, _ = await client.ask("POST", "/conversations", form=form)
    assert (status, desk.created[1].custom_attributes) == (200, {KEY: "A"})
    files = desk.created[1].messages[0]["attachments"]
    assert [one["sha256"] for one in files] == [
        hashlib.sha256(name.encode()).hexdigest() for name in ("碎屏 照片.jpg", "b.pdf")
    ]


async def test_programs_and_too_many_or_too_large_files_are_refused(
    desk: Chatwoot, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chatwoot, "MAX_FILE_BYTES", 10)
    await client.open(await client.contact())
    for name, kind, count in (
        ("a.exe", "application/x-msdownload", 1),
        ("a.jpg", "image/jpeg", 15),
        ("l" * 11, "a/b", 1),
    ):
        form = FormData({"content": "x", "message_type": "incoming"})
        for _ in range(count):
            form.add_field("attachments[]", name.encode(), filename=name, content_type=kind)
        assert (await client.ask("POST", "/conversations/1/messages", form=form))[0] == 422
    assert len(desk.created[1].messages) == 1


async def test_messages_are_listed_from_the_newest_and_after_one(desk: Chatwoot, client: Client) -> None:
    await client.open(await client.contact())
    for number in range(129):
        await client.say(1, content=f"{number}", private=True, source_id=f"ALE-1-{number}")
    ids = [one["id"] for one in desk.created[1].messages]

    async def listed(query: str) -> list[int]:
        _, answer = await client.ask("GET", f"/conversations/1/messages{query}")
        return [one["id"] for one in answer["payload"]]

    assert await listed("") == ids[-20:]
    assert await listed(f"?before={ids[-20]}") == ids[-40:-20]
    assert await listed("?after=0") == ids[:100]
    assert desk.created[1].messages[-1]["source_id"] == "ALE-1-128"


async def test_a_flood_in_one_conversation_is_refused(desk: Chatwoot, client: Client) -> None:
    desk.messages_a_minute = 2
    await client.open(await client.contact())
    assert (await client.say(1, content="1"))[0] == 200
    status, answer = await client.say(1, content="2")
    assert (status, answer["error"]) == (422, "Validation failed: Too many messages")


async def test_what_is_gone_forbidden_or_for_people_only(desk: Chatwoot, client: Client) -> None:
    await client.open(await client.contact())
    assert (await client.ask("GET", "/contacts/search?q=x", token=BOT_TOKEN))[0] == 401
    assert (await client.ask("POST", "/conversations/filter", {}, token=BOT_TOKEN))[0] == 401
    desk.members = {WIDGET}
    assert (await client.say(1, content="x"))[0] == 401
    assert await client.found("ALE-1") == (200, [])
    desk.delete(1)
    assert (await client.say(1, content="x"))[0] == 404
    assert (await client.ask("GET", "/conversations/1", token="wrong"))[0] == 401


@pytest.mark.parametrize(("trouble", "made"), [(Fault.LOSE_ANSWER, 1), (Fault.LATE, 0), (Mishap.CUT_BEFORE, 0)])
async def test_troubles_wait_for_what_files(desk: Chatwoot, client: Client, trouble: Fault | Mishap, made: int) -> None:
    desk.plan(trouble)
    contact = await client.contact()
    with pytest.raises(ClientConnectionError):
        await client.open(contact)
    assert len(desk.created) == made
    await desk.land()
    assert len(desk.created) == made + (trouble is Fault.LATE)


async def test_webhooks_are_signed_with_their_time(desk: Chatwoot, client: Client) -> None:
    await client.open(await client.contact())
    headers, body = desk.hook(1)
    signed = headers["X-Chatwoot-Timestamp"].encode() + b"." + body
    expected = hmac.new(WEBHOOK_SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["X-Chatwoot-Signature"] == f"sha256={expected}"


async def test_another_client_gets_along_with_it(desk: Chatwoot) -> None:
    def work() -> list[Any]:
        with ChatwootClient(base_url=desk.url, api_token=TOKEN) as api:
            made = api.contacts.create(ACCOUNT, inbox_id=INBOX, name="李雷", email="lilei@mail.example.cn")
            contacts: Any = api.contacts.search(ACCOUNT, query="lilei")
            source_id = made.contact_inbox.source_id
            talk = api.conversations.create(ACCOUNT, source_id=source_id, inbox_id=INBOX, contact_id=made.contact.id)
            api.messages.create(ACCOUNT, talk.id, "屏幕碎了", message_type="incoming")
            note = api.messages.create(ACCOUNT, talk.id, "已升级", private=True)
            texts = [message.content for message in api.messages.list(ACCOUNT, talk.id)]
            api.conversations.update(ACCOUNT, talk.id, priority="urgent")
            api.conversations.toggle_status(ACCOUNT, talk.id, status="resolved")
            seen = api.conversations.get(ACCOUNT, talk.id)
            return [api.profile.get().name, contacts[0].id, note.private, texts, str(seen.priority), str(seen.status)]

    name, found, is_private, texts, priority, status = await asyncio.to_thread(work)
    assert (name, found, is_private, texts) == ("全听", 101, True, ["屏幕碎了", "已升级"])
    assert "urgent" in priority.lower()
    assert "resolved" in status.lower()
