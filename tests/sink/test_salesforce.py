"""Salesforce cases: the contract, and what is Salesforce's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import respx
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from allears_sdk.complaint import Contact, Event
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, InDoubt, Rejected, RetryLater, TicketGone
from allears_sdk.masking import mask_payload
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.remote import Remote
from allears_sdk.sink import Progress, Ticket
from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.context import MemoryFiles, RecordingLog
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import Notes, SinkContract, Stored, with_files
from bench.servers.desk import Mishap
from bench.servers.salesforce import CLIENT_ID, CLIENT_SECRET, USERNAME, Salesforce
from bench.servers.salesforce_org import KEY_FIELD, Column
from sink.salesforce import SalesforceSettings, SalesforceSink
from tests.sink.marks import first_mark
from tests.sink.storms import Storms

COMMIT = r"POST .*/composite$"
KEY = ticket_key(make_event().complaint_id, "destination")
NEXT_KEY = event_key(KEY, make_event(2).id)


def settings(desk: Salesforce, **given: Any) -> SalesforceSettings:
    usual = {"url": desk.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return SalesforceSettings.model_validate({**usual, **given})


class SalesforceStore:
    @pytest.fixture(autouse=True)
    async def store(self, clock: FakeClock) -> AsyncIterator[None]:
        self.desk = Salesforce(lambda: clock.now().timestamp())
        await self.desk.start()
        yield
        await self.desk.stop()

    def make_sink(self, context: Context) -> SalesforceSink:
        return SalesforceSink(settings(self.desk), context)

    async def stored(self) -> list[Stored]:
        cases = [Stored(case[KEY_FIELD], case["Description"]) for case in self.desk.cases()]
        comments = [Stored(first_mark(row["CommentBody"]), row["CommentBody"]) for row in self.desk.comments()]
        return cases + comments

    async def stored_files(self) -> list[tuple[str, bytes]]:
        return [file for case in self.desk.cases() for file in self.desk.files(case["Id"])]

    async def fail_next(self, fault: Fault) -> None:
        await self.desk.fail_next(fault)


class TestContract(SalesforceStore, SinkContract):
    pass


class TestStorm(SalesforceStore, Storms):
    def faults(self) -> Salesforce:
        return self.desk


@pytest.fixture
async def desk() -> AsyncIterator[Salesforce]:
    desk = Salesforce(now=lambda: FakeClock().now().timestamp())
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
def sink(desk: Salesforce, context: Context) -> SalesforceSink:
    return SalesforceSink(settings(desk), context)


async def open_(sink: SalesforceSink, event: Event | None = None) -> Ticket:
    return await sink.open(sink.render(event or make_event(), KEY), KEY, Notes().progress(KEY))


async def follow_up(sink: SalesforceSink, ticket: Ticket, event: Event | None = None) -> None:
    payload = sink.render(event or make_event(2), NEXT_KEY)
    await sink.follow_up(ticket, payload, NEXT_KEY, Notes().progress(NEXT_KEY))


async def test_a_case_as_an_agent_sees_it(desk: Salesforce, context: Context) -> None:
    mapping = {
        "category": "Category__c",
        "expectation": "Expectation__c",
        "received_at": "Received_At__c",
        "product_or_order": "Order__c",
        "id": "Complaint_Reference__c",
    }
    values = {"category": {"product.material_defect": "Product", "*": "Other"}}
    made = settings(desk, fields=mapping, values=values, constants={"Origin": "Web", "Subject": "never mine"})
    ticket = await open_(SalesforceSink(made, context))
    (case,) = desk.cases()
    assert ticket == Ticket(id=case["Id"], url=f"{desk.url}/{case['Id']}")
    assert case["Subject"].startswith(f"[{make_event().complaint_id}] 屏幕碎了😡")
    shown = {name: case[name] for name in (*mapping.values(), "Priority", "Origin", KEY_FIELD)}
    assert shown == {
        "Category__c": "Product",
        "Expectation__c": "refund",
        "Received_At__c": "2026-11-22T03:59:42Z",
        "Order__c": "2026112200017",
        "Complaint_Reference__c": make_event().complaint_id,
        "Priority": "High",
        "Origin": "Web",
        KEY_FIELD: KEY,
    }
    supplied = [case[name] for name in ("SuppliedName", "SuppliedEmail", "SuppliedPhone")]
    assert supplied == ["李雷", "lilei@mail.example.cn", "13800138000"]


@pytest.mark.parametrize("address", ["李雷@例子.中国", "nobody", "a" * 80 + "@example.com", "li lei@example.com"])
async def test_an_address_that_would_be_refused_stays_in_the_text(
    desk: Salesforce, sink: SalesforceSink, address: str
) -> None:
    event = make_event()
    contact = Contact(name="李" * 100, email=address, phone="1" * 60)
    await open_(sink, replace(event, record=replace(event.record, contact=contact)))
    (case,) = desk.cases()
    assert case["SuppliedEmail"] is None
    assert address in case["Description"]


async def test_a_masked_address_is_not_given_as_one(desk: Salesforce, context: Context) -> None:
    sink = SalesforceSink(settings(desk, mask=["email", "phone"]), context)
    await sink.open(mask_payload(sink.render(make_event(), KEY), sink.settings.mask), KEY, Notes().progress(KEY))
    (case,) = desk.cases()
    assert case["SuppliedEmail"] is None
    assert "lilei@mail.example.cn" not in case["Description"]
    assert case[KEY_FIELD] == KEY


async def test_mapped_text_longer_than_its_field_is_cut_and_stands_whole_in_the_description(
    desk: Salesforce, context: Context
) -> None:
    sink = SalesforceSink(settings(desk, fields={"product_or_order": "Order__c"}), context)
    event, long = make_event(), "订单" * 200
    await open_(sink, replace(event, record=replace(event.record, product_or_order=long)))
    (case,) = desk.cases()
    assert len(case["Order__c"]) == 255
    assert long in case["Description"]


async def test_a_long_follow_up_comes_in_numbered_comments_or_not_at_all(
    desk: Salesforce, sink: SalesforceSink
) -> None:
    ticket = await open_(sink)
    text = "屏幕碎了😡<b>" * 600
    await follow_up(sink, ticket, make_event(2, text=text))
    bodies = [row["CommentBody"] for row in desk.comments(ticket.id)]
    assert [body.partition(" ")[0] for body in bodies] == [
        f"({one}/{len(bodies)})" for one in range(1, len(bodies) + 1)
    ]
    assert len(bodies) > 3
    assert text in "".join(body.partition(" ")[2] for body in bodies)
    desk.org.schema["CaseComment"]["CommentBody"] = Column(kind="textarea", length=2000)
    with pytest.raises(Rejected, match=r"STRING_TOO_LONG \(CommentBody\)"):
        await follow_up(sink, ticket, make_event(2, text="甲" * 1400))
    assert len(desk.comments(ticket.id)) == len(bodies)


@pytest.mark.parametrize(
    "body",
    [
        [],
        [{}],
        {},
        None,
        [{"success": False, "errors": []}],
        [{"success": "yes"}],
        [{"success": False, "errors": [{"statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": "x"}]}],
    ],
)
async def test_an_answer_that_does_not_speak_of_the_comment_is_doubt(
    desk: Salesforce, sink: SalesforceSink, body: Any
) -> None:
    ticket = await open_(sink)
    with respx.mock(assert_all_mocked=False) as router:
        router.post(path__regex="/composite/sobjects$").respond(200, json=body)
        plain = Remote(clock=FakeClock(), transport=httpx.AsyncHTTPTransport)
        mocked = SalesforceSink(sink.settings, replace(sink.context, remote=plain))
        with pytest.raises(InDoubt):
            await follow_up(mocked, ticket)
        await plain.aclose()


@pytest.mark.parametrize("is_public", [False, True])
async def test_comments_are_internal_unless_the_settings_say_so(
    desk: Salesforce, context: Context, is_public: bool
) -> None:
    sink = SalesforceSink(settings(desk, public_notes=is_public), context)
    await follow_up(sink, await open_(sink))
    assert [row["IsPublished"] for row in desk.comments()] == [is_public]


async def test_a_repetition_finds_the_case_and_leaves_what_agents_wrote(desk: Salesforce, sink: SalesforceSink) -> None:
    first = await open_(sink)
    desk.cases()[0].update({"Subject": "agents' words", "Status": "Closed"})
    assert await open_(sink) == first
    assert [(case["Subject"], case["Status"]) for case in desk.cases()] == [("agents' words", "Closed")]


async def test_a_twin_that_is_still_running_makes_no_second_case(desk: Salesforce, sink: SalesforceSink) -> None:
    desk.plan(Fault.LATE)
    with pytest.raises(InDoubt):
        await open_(sink)
    second = await open_(sink)
    await desk.land()
    assert [case["Id"] for case in desk.cases()] == [second.id]


async def test_a_case_that_sharing_rules_hide_is_doubt_and_never_doubled(
    desk: Salesforce, sink: SalesforceSink
) -> None:
    desk.org.hidden.add((await open_(sink)).id)
    with pytest.raises(InDoubt, match="does the app's user see all cases"):
        await open_(sink)
    assert len(desk.cases()) == 1


async def test_another_field_that_has_its_value_already_is_a_refusal(desk: Salesforce, context: Context) -> None:
    desk.org.schema["Case"]["Order__c"] = Column(is_unique=True, is_external_id=True)
    sink = SalesforceSink(settings(desk, fields={"product_or_order": "Order__c"}), context)
    await open_(sink)
    other = ticket_key(make_event().complaint_id, "second")
    with pytest.raises(Rejected, match="DUPLICATE_VALUE"):
        await sink.open(sink.render(make_event(), other), other, Notes().progress(other))


async def test_a_deleted_case_is_gone_for_follow_ups_files_and_look_ups(
    desk: Salesforce, sink: SalesforceSink, files: MemoryFiles
) -> None:
    ticket = await open_(sink)
    desk.delete(ticket.id)
    with pytest.raises(TicketGone):
        await follow_up(sink, ticket)
    with pytest.raises(TicketGone):
        await sink.find_follow_ups(ticket, [NEXT_KEY])
    payload = sink.render(with_files(make_event(2), files), NEXT_KEY)
    with pytest.raises(TicketGone):
        await sink.complete(ticket, payload, NEXT_KEY, Notes().progress(NEXT_KEY))
    assert await sink.find(KEY) is None


async def test_a_case_that_is_hidden_takes_no_comment(desk: Salesforce, sink: SalesforceSink) -> None:
    ticket = await open_(sink)
    desk.org.hidden.add(ticket.id)
    with pytest.raises(TicketGone):
        await follow_up(sink, ticket)


async def test_marks_are_found_behind_many_comments(desk: Salesforce, sink: SalesforceSink) -> None:
    desk.page_size = 3
    ticket = await open_(sink)
    for number in range(7):
        desk.org.create("CaseComment", {"ParentId": ticket.id, "CommentBody": f"客服 agent {number}"})
    await follow_up(sink, ticket)
    assert await sink.find_follow_ups(ticket, [NEXT_KEY, f"{KEY}-0000000000"]) == {NEXT_KEY}


@pytest.mark.parametrize("mishap", [Fault.LOSE_ANSWER, Mishap.BROKEN_AFTER, Mishap.TWICE])
async def test_files_are_linked_once_whatever_became_of_the_answers(
    desk: Salesforce, sink: SalesforceSink, files: MemoryFiles, mishap: Fault | Mishap
) -> None:
    ticket, notes = await open_(sink), Notes()
    payload = sink.render(with_files(make_event(2), files), NEXT_KEY)
    desk.plan(mishap, on=r"POST .*/ContentVersion")
    desk.plan(mishap, on=COMMIT)
    for _ in range(4):
        try:
            await sink.complete(ticket, payload, NEXT_KEY, notes.progress(NEXT_KEY))
        except InDoubt:
            continue
    assert sorted(name for name, _ in desk.files(ticket.id)) == ["invoice 2026.pdf", "碎屏 照片.jpg"]


async def test_files_are_not_doubled_after_a_restore(
    desk: Salesforce, sink: SalesforceSink, files: MemoryFiles
) -> None:
    ticket = await open_(sink)
    payload = sink.render(with_files(make_event(2), files), NEXT_KEY)
    for _ in range(2):
        await sink.complete(ticket, payload, NEXT_KEY, Notes().progress(NEXT_KEY))
    assert len(desk.files(ticket.id)) == 2


async def test_a_file_that_is_no_more_or_not_taken_keeps_no_other_back(
    desk: Salesforce, sink: SalesforceSink, files: MemoryFiles, log: RecordingLog
) -> None:
    ticket = await open_(sink)
    event = with_files(make_event(2), files)
    del files.contents[event.record.attachments[0].sha256]
    await sink.complete(ticket, sink.render(event, NEXT_KEY), NEXT_KEY, Notes().progress(NEXT_KEY))
    assert [name for name, _ in desk.files(ticket.id)] == ["invoice 2026.pdf"]
    assert [name for _, name, _ in log.entries] == ["file_refused"]
    desk.plan(Fault.REJECT, on=r"POST .*/ContentVersion")
    other = replace(event, id=make_event(3).id)
    await sink.complete(ticket, sink.render(other, NEXT_KEY), NEXT_KEY, Notes().progress(NEXT_KEY))


async def test_a_session_that_ended_is_replaced_once(desk: Salesforce, sink: SalesforceSink) -> None:
    ticket = await open_(sink)
    desk.end_sessions()
    await follow_up(sink, ticket)
    assert len(desk.comments()) == 1
    tokens = [call for call in desk.calls if call.path.endswith("/token")]
    assert len(tokens) == 2


async def test_a_used_up_quota_waits(desk: Salesforce, sink: SalesforceSink) -> None:
    desk.has_quota = False
    with pytest.raises(RetryLater, match="REQUEST_LIMIT_EXCEEDED") as caught:
        await open_(sink)
    assert caught.value.after_seconds == 300


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"client_secret": "wrong"}, AuthError, "invalid_client"),
        ({"client_id": "3MVG9wrong"}, AuthError, "invalid_client_id"),
        ({"api_version": "v99.0"}, ConfigError, "NOT_FOUND"),
    ],
)
async def test_what_cannot_work_says_what_to_look_at(
    desk: Salesforce, context: Context, given: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        await SalesforceSink(settings(desk, **given), context).check()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


def jwt_settings(desk: Salesforce, key: rsa.RSAPrivateKey, **given: Any) -> SalesforceSettings:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return settings(desk, **{"client_secret": None, "username": USERNAME, "private_key": pem, **given})


async def test_a_signed_assertion_gets_in_too(desk: Salesforce, context: Context, key: rsa.RSAPrivateKey) -> None:
    desk.public_key = key.public_key()
    await open_(SalesforceSink(jwt_settings(desk, key), context))
    assert len(desk.cases()) == 1
    with pytest.raises(AuthError, match="invalid_grant"):
        await SalesforceSink(jwt_settings(desk, key, username="somebody@else.example"), context).check()


async def test_a_key_that_is_none_is_a_matter_of_settings(desk: Salesforce, context: Context, key: Any) -> None:
    made = jwt_settings(desk, key, private_key="-----BEGIN PRIVATE KEY-----\nnone")
    with pytest.raises(ConfigError, match="not an RSA key"):
        await SalesforceSink(made, context).check()


@pytest.mark.parametrize(
    "given",
    [
        {"client_secret": None},
        {"private_key": "x"},
        {"client_secret": None, "private_key": "x"},
        {"url": "https://login.salesforce.com/lightning"},
        {"url": "http://example.my.salesforce.com"},
        {"key_field": "Id OR Id != null"},
        {"api_version": "latest"},
    ],
)
async def test_settings_that_cannot_be_meant(desk: Salesforce, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(desk, **given)


async def test_the_check_says_whose_org_it_is_and_makes_nothing(desk: Salesforce, sink: SalesforceSink) -> None:
    identity = await sink.check()
    assert (identity.account, identity.details) == ("示例商城 Example Shop", ("sandbox",))
    assert {call.method for call in desk.calls if not call.path.endswith("/token")} == {"GET"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"fields": {"category": "Categorie__c"}}, 'did you mean "Category__c"'),
        ({"fields": {"category": "CaseNumber"}}, "no such field"),
        ({"constants": {"Region__c": "华东"}}, "Region__c"),
        ({"values": {"priority": {"P1": "Urgent"}}}, 'knows no "Urgent"'),
        ({"fields": {"category": "Category__c"}, "values": {"category": {"*": "其他"}}}, "it has: Product"),
        ({"key_field": "Complaint_Key__c"}, "create it"),
    ],
)
async def test_the_check_finds_a_mapping_that_cannot_work(
    desk: Salesforce, context: Context, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        await SalesforceSink(settings(desk, **given), context).check()


async def test_the_check_wants_a_key_that_is_unique(desk: Salesforce, sink: SalesforceSink) -> None:
    desk.org.schema["Case"][KEY_FIELD] = Column(is_external_id=True)
    with pytest.raises(ConfigError, match="External ID and Unique"):
        await sink.check()


async def test_a_look_up_that_finds_something_else_adopts_nothing(
    desk: Salesforce, sink: SalesforceSink, log: RecordingLog
) -> None:
    desk.org.create("Case", {"Subject": "imported", KEY_FIELD: KEY.lower()})
    assert await sink.find(KEY) is None
    desk.org.schema["Case"][KEY_FIELD] = Column(is_external_id=True)
    made = [desk.org.create("Case", {"Subject": "one", KEY_FIELD: KEY}) for _ in range(2)]
    found = await sink.find(KEY)
    assert found is not None
    assert found.id == made[0]
    assert [name for _, name, _ in log.entries] == ["several_cases_with_one_key"]


async def test_a_ticket_that_is_no_case_of_theirs_is_refused(sink: SalesforceSink) -> None:
    progress = Progress(note={}, save=Notes().progress(KEY).save)
    with pytest.raises(Rejected, match="not the id of a case"):
        await sink.follow_up(Ticket(id="x' OR Id != '"), sink.render(make_event(2), NEXT_KEY), NEXT_KEY, progress)
