"""Our Salesforce in small keeps to what the documents say, and a client that others wrote takes it for Salesforce."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce as Client
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)

from bench.servers.desk import Mishap
from bench.servers.salesforce import CLIENT_ID, CLIENT_SECRET, Salesforce
from bench.servers.salesforce_org import KEY_FIELD, Column

KEY = "ALE-7K3M-Q9TX-4RWD-AB12CD"


class Plain(HTTPAdapter):
    """The client knows https only; the simulator is plain."""

    def send(self, request: PreparedRequest, **options: Any) -> Response:  # type: ignore[override]  # options as they come
        assert request.url is not None
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, **options)


@pytest.fixture
async def desk() -> AsyncIterator[Salesforce]:
    desk = Salesforce()
    await desk.start()
    yield desk
    await desk.stop()


async def take_token(desk: Salesforce, **form: str) -> dict[str, Any]:
    given = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **form}
    async with aiohttp.ClientSession() as session, session.post(f"{desk.url}/services/oauth2/token", data=given) as got:
        answer: dict[str, Any] = await got.json()
        return answer


async def with_client(desk: Salesforce, work: Callable[[Any], Any]) -> Any:
    token = (await take_token(desk))["access_token"]

    def run() -> Any:
        with Session() as session:
            session.mount("https://", Plain())
            return work(Client(instance_url=desk.url, session_id=token, session=session, version="66.0"))

    return await asyncio.to_thread(run)


async def test_a_case_is_made_found_commented_and_given_a_file(desk: Salesforce) -> None:
    def work(client: Any) -> tuple[Any, Any, Any]:
        case = client.Case.create({"Subject": "屏幕碎了😡", KEY_FIELD: KEY, "Priority": "High"})["id"]
        client.CaseComment.create({"ParentId": case, "CommentBody": "还没解决", "IsPublished": False})
        data = base64.b64encode("照片".encode()).decode()
        file = client.ContentVersion.create({"Title": "照片", "PathOnClient": "照片.jpg", "VersionData": data})["id"]
        document = client.ContentVersion.get(file)["ContentDocumentId"]
        link = {"LinkedEntityId": case, "ContentDocumentId": document, "ShareType": "V"}
        client.ContentDocumentLink.create(link)
        with pytest.raises(SalesforceMalformedRequest, match="DUPLICATE_VALUE"):
            client.ContentDocumentLink.create(link)
        found = client.query(f"SELECT Id, CaseNumber, {KEY_FIELD} FROM Case WHERE {KEY_FIELD} = '{KEY}'")
        return case, found, client.Case.get_by_custom_id(KEY_FIELD, KEY)

    case, found, row = await with_client(desk, work)
    assert [one["Id"] for one in found["records"]] == [case] == [row["Id"]]
    assert found["records"][0]["CaseNumber"] == "00001026"
    assert desk.files(case) == [("照片.jpg", "照片".encode())]
    assert [one["CommentBody"] for one in desk.comments(case)] == ["还没解决"]


async def test_a_key_is_given_once(desk: Salesforce) -> None:
    def work(client: Any) -> None:
        client.Case.create({"Subject": "one", KEY_FIELD: KEY})
        with pytest.raises(SalesforceMalformedRequest, match=f"duplicate value found: {KEY_FIELD} duplicates value on"):
            client.Case.create({"Subject": "two", KEY_FIELD: KEY.lower()})

    await with_client(desk, work)
    assert len(desk.cases()) == 1


async def test_an_upsert_makes_updates_or_refuses_to_choose(desk: Salesforce) -> None:
    desk.org.schema["Case"][KEY_FIELD] = Column(is_external_id=True)

    def work(client: Any) -> None:
        assert client.Case.upsert(f"{KEY_FIELD}/{KEY}", {"Subject": "one"}) == 201
        assert client.Case.upsert(f"{KEY_FIELD}/{KEY}", {"Subject": "agents' words are gone"}) == 200
        client.Case.create({"Subject": "two", KEY_FIELD: KEY})
        with pytest.raises(SalesforceMoreThanOneRecord):
            client.Case.upsert(f"{KEY_FIELD}/{KEY}", {"Subject": "three"})

    await with_client(desk, work)
    assert [case["Subject"] for case in desk.cases()] == ["agents' words are gone", "two"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Nonsense__c": "x"}, "INVALID_FIELD"),
        ({"Subject": "长" * 256}, "STRING_TOO_LONG"),
        ({"Category__c": "无此值"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"SuppliedEmail": "nobody"}, "INVALID_EMAIL_ADDRESS"),
        ({"Received_At__c": "yesterday"}, "JSON_PARSER_ERROR"),
        ({"CaseNumber": "1"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
    ],
)
async def test_what_does_not_fit_is_refused(desk: Salesforce, fields: dict[str, str], code: str) -> None:
    def work(client: Any) -> None:
        with pytest.raises(SalesforceMalformedRequest, match=code):
            client.Case.create({"Subject": "one", **fields})

    await with_client(desk, work)
    assert desk.cases() == []


async def test_comments_are_measured_in_bytes_and_end_with_their_case(desk: Salesforce) -> None:
    def work(client: Any) -> None:
        case = client.Case.create({"Subject": "one"})["id"]
        client.CaseComment.create({"ParentId": case, "CommentBody": "碎" * 1333})
        with pytest.raises(SalesforceMalformedRequest, match="STRING_TOO_LONG"):
            client.CaseComment.create({"ParentId": case, "CommentBody": "碎" * 1334})
        desk.delete(case)
        with pytest.raises(SalesforceMalformedRequest, match="ENTITY_IS_DELETED"):
            client.CaseComment.create({"ParentId": case, "CommentBody": "hello"})
        with pytest.raises(SalesforceResourceNotFound):
            client.Case.get(case)

    await with_client(desk, work)


async def test_all_or_none_of_a_composite_request_is_done(desk: Salesforce) -> None:
    def work(client: Any) -> tuple[Any, Any]:
        data = f"/services/data/v{client.sf_version}/sobjects"
        case = {"method": "POST", "url": f"{data}/Case", "referenceId": "case", "body": {"Subject": "one"}}
        said = {"ParentId": "@{case.id}", "CommentBody": "说明"}
        comment = {"method": "POST", "url": f"{data}/CaseComment", "referenceId": "said", "body": said}
        wrong = {**comment, "referenceId": "wrong", "body": {**said, "CommentBody": "x" * 4001}}
        asked = [[case, comment], [case, comment, wrong]]
        bodies = [{"allOrNone": True, "compositeRequest": one} for one in asked]
        return tuple(client.restful("composite", method="POST", json=body)["compositeResponse"] for body in bodies)

    done, undone = await with_client(desk, work)
    assert [one["httpStatusCode"] for one in done] == [201, 201]
    assert [one["httpStatusCode"] for one in undone] == [400, 400, 400]
    assert [one["body"][0]["errorCode"] for one in undone] == [
        "PROCESSING_HALTED",
        "PROCESSING_HALTED",
        "STRING_TOO_LONG",
    ]
    assert len(desk.cases()) == len(desk.comments()) == 1


async def test_a_long_answer_comes_in_pages(desk: Salesforce) -> None:
    desk.page_size = 2

    def work(client: Any) -> list[str]:
        for number in range(5):
            client.Case.create({"Subject": f"{number}"})
        return [row["Subject"] for row in client.query_all_iter("SELECT Subject FROM Case ORDER BY Subject DESC")]

    assert await with_client(desk, work) == ["4", "3", "2", "1", "0"]


async def test_sessions_end_and_wrong_secrets_get_none(desk: Salesforce) -> None:
    def work(client: Any) -> None:
        desk.end_sessions()
        with pytest.raises(SalesforceExpiredSession, match="INVALID_SESSION_ID"):
            client.query("SELECT Id FROM Case")

    await with_client(desk, work)
    assert (await take_token(desk, client_secret="wrong"))["error"] == "invalid_client"  # it is wrong
    assert (await take_token(desk, grant_type="password"))["error"] == "unsupported_grant_type"


async def test_a_lost_answer_leaves_the_case_there_and_late_work_is_done_later(desk: Salesforce) -> None:
    token = (await take_token(desk))["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    desk.plan(Mishap.BROKEN_AFTER)
    async with aiohttp.ClientSession(desk.url, headers=headers) as session:
        async with session.post("/services/data/v66.0/sobjects/Case", json={"Subject": "one"}) as answer:
            assert answer.status == 500
        desk.has_quota = False
        async with session.post("/services/data/v66.0/sobjects/Case", json={"Subject": "two"}) as answer:
            assert (answer.status, (await answer.json())[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert [case["Subject"] for case in desk.cases()] == ["one"]
