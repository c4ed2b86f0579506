"""Bodies of the admin's own making: the contract suite on a no-code platform in miniature, and templates."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from allears_sdk.complaint import Event
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, InDoubt, Rejected, RetryLater, TicketGone, Unavailable
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.signing import verify_standard
from allears_sdk.sink import Certainty, Progress, Ticket
from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.components import absent
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored
from bench.servers.desk import Mishap
from bench.servers.mingdao import APP_KEY, COMPLAINTS, FOLLOW_UPS, SIGN, Mingdao
from sink.json_post import JsonPostSettings, JsonPostSink
from sink.json_post.template import fill, finish
from tests.sink.marks import first_mark
from tests.sink.storms import Storms

Make = Callable[..., JsonPostSink]
KEY = ticket_key(make_event().complaint_id, "destination")
SIGNING = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
LOGIN = {"appKey": APP_KEY, "sign": "$secret:sign"}


def mapping(url: str) -> dict[str, Any]:
    """As in docs/sinks/json_post.md."""

    def row(sheet: str, **controls: str) -> dict[str, Any]:
        listed = [{"controlId": name, "value": value} for name, value in controls.items()]
        return {"url": f"{url}/v2/open/worksheet/addRow", "body": {**LOGIN, "worksheetId": sheet, "controls": listed}}

    def look_up(sheet: str, key: str) -> dict[str, Any]:
        condition = {"controlId": "allears", "dataType": 2, "spliceType": 1, "filterType": 2, "value": key}
        body = {**LOGIN, "worksheetId": sheet, "pageSize": 100, "pageIndex": 1, "filters": [condition]}
        places = {"rows": "data.rows", "key": "allears", "id": "rowid", "text": "text"}
        return {"url": f"{url}/v2/open/worksheet/getFilterRows", "body": body, **places}

    facts = {"no": "{{ id }}", "title": "{{ subject }}", "text": "{{ text }}", "priority": "{{ urgency }}"}
    return {
        "create": row(COMPLAINTS, **facts, allears="{{ key }}"),
        "add": row(FOLLOW_UPS, no="{{ id }}", text="{{ text }}", allears="{{ ticket_key }}"),
        "find": look_up(COMPLAINTS, "{{ key }}"),
        "find_notes": look_up(FOLLOW_UPS, "{{ ticket_key }}"),
        "answer": {
            "id": "data",
            "ok": "error_code",
            "ok_values": [1],
            "busy_values": [10106],
            "login_values": [10001],
            "gone_values": [10007],
        },
        "secrets": {"sign": SIGN},
        "values": {"priority": {"P1": "紧急", "P2": "高"}},
        "files": {"mode": "link"},
        "allow_private_network": True,
    }


def settings(url: str, **more: Any) -> JsonPostSettings:
    given = {**mapping(url), **more}
    return JsonPostSettings.model_validate({name: value for name, value in given.items() if value is not None})


class MingdaoStore:
    more: dict[str, Any] = {}  # noqa: RUF012  # constant

    @pytest.fixture(autouse=True)
    async def desk(self, clock: FakeClock) -> AsyncIterator[None]:
        self.store = Mingdao(lambda: clock.now().timestamp())
        await self.store.start()
        yield
        await self.store.stop()

    def make_sink(self, context: Context) -> JsonPostSink:
        return JsonPostSink(settings(self.store.url, **self.more), context)

    async def stored(self) -> list[Stored]:
        openings = [Stored(row["allears"], row["text"]) for row in self.store.created]
        notes = [row["text"] for row in self.store.comments]
        return openings + [Stored(first_mark(text), text) for text in notes]

    async def fail_next(self, fault: Fault) -> None:
        await self.store.fail_next(fault)


class TestJsonPost(MingdaoStore, SinkContract):
    pass


class TestJsonPostStorm(MingdaoStore, Storms):
    def faults(self) -> Mingdao:
        return self.store


class TestJsonPostThatLooksNothingUpStorm(TestJsonPostStorm):
    more = {"find": None, "find_notes": None}  # noqa: RUF012  # constant


class TestJsonPostThatSendsAgainStorm(TestJsonPostStorm):
    more = {"find": None, "find_notes": None, "when_in_doubt": "send_again"}  # noqa: RUF012  # constant


class TestJsonPostThatLooksNothingUp(TestJsonPost):
    more = {"find": None, "find_notes": None}  # noqa: RUF012  # constant

    async def fail_next(self, fault: Fault) -> None:
        if fault is Fault.LOSE_ANSWER:
            absent("look-up")
        await super().fail_next(fault)


@pytest.fixture
async def desk() -> AsyncIterator[Mingdao]:
    desk = Mingdao()
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
async def make(desk: Mingdao, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Make]:
    context = make_context("destination", tmp_path, clock=clock)
    yield lambda **more: JsonPostSink(settings(desk.url, **more), context)
    await context.remote.aclose()


async def forget(note: object) -> None:
    """A progress note that nobody needs."""


PROGRESS = Progress(note={}, save=forget)


async def open_it(sink: JsonPostSink, event: Event | None = None) -> Ticket:
    return await sink.open(sink.render(event or make_event(), KEY), KEY, PROGRESS)


async def test_a_row_holds_what_the_template_says(make: Make, desk: Mingdao) -> None:
    ticket = await open_it(make())
    (row,) = desk.created
    assert ticket.id == row["rowid"]
    assert (row["no"], row["priority"], row["allears"]) == (make_event().complaint_id, "高", KEY)
    assert row["title"].startswith(f"[{row['no']}] 屏幕碎了😡")


async def test_its_class_is_what_its_settings_make_it(make: Make) -> None:
    assert make().spec.open_certainty is Certainty.B
    assert make(find=None, find_notes=None).spec.open_certainty is Certainty.D
    assert JsonPostSink.spec.open_certainty is Certainty.D


async def test_secrets_are_not_in_what_is_frozen(make: Make, desk: Mingdao) -> None:
    sink = make()
    payload = sink.render(make_event(), KEY)
    assert SIGN.encode() not in payload
    await sink.open(payload, KEY, PROGRESS)
    assert json.loads(desk.calls[-1].body)["sign"] == SIGN


@pytest.mark.parametrize("words", ["$secret:sign", "$ticket", '{"$later": "$secret:sign"}', "{{ key }}", "{% raw %}"])
async def test_a_customer_cannot_ask_for_secrets(make: Make, desk: Mingdao, words: str) -> None:
    event = make_event(text=words)
    record = replace(event.record, title=words, customer_id=words)
    create = mapping(desk.url)["create"]
    create["body"]["controls"] = [
        {"controlId": "title", "value": "{{ customer_id }}"},
        {"controlId": "allears", "value": "{{ key }}"},
    ]
    sink = make(create=create)
    await open_it(sink, replace(event, record=record))
    assert desk.created[0]["title"] == words


def test_values_keep_their_type_where_they_stand_alone() -> None:
    facts = {"n": 7, "many": ("a", "b"), "field": {"level": True}, "text": "x", "at": make_event().at}
    body = {"n": "{{ n }}", "s": "no {{ n }}", "l": "{{many}}", "f": "{{ field.level }}", "k": 3, "at": "{{ at }}"}
    assert fill(body, facts) == {
        "n": 7,
        "s": "no 7",
        "l": ["a", "b"],
        "f": True,
        "k": 3,
        "at": "2026-11-22T04:00:42Z",
    }


def test_json_as_a_text() -> None:
    """氚云 takes an object as a text."""
    body = {"ActionName": "CreateBizObject", "BizObject": {"$json": {"F1": "{{ text }}", "F2": "$ticket"}}}
    filled = fill(body, {"text": '他说："坏了"\n'})
    made = finish(json.loads(json.dumps(filled)), "T-1", lambda name: name)
    assert json.loads(made["BizObject"]) == {"F1": '他说："坏了"\n', "F2": "T-1"}


@pytest.mark.parametrize(
    ("code", "error"),
    [(10106, RetryLater), (10001, AuthError), (10007, TicketGone), (10002, Rejected), (True, Rejected)],
)
async def test_what_stands_in_an_answer(make: Make, code: Any, error: type[Exception]) -> None:
    app = web.Application()

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"error_code": code})

    app.router.add_post("/", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    with pytest.raises(error) as caught:
        await open_it(make(create={"url": url, "body": {"k": "{{ key }}"}}))
    assert type(caught.value) is error
    await runner.cleanup()


@pytest.mark.parametrize("trouble", [Mishap.CUT_BEFORE, Mishap.BROKEN_AFTER, Mishap.TIMED_OUT_AFTER, Fault.GARBAGE])
async def test_a_broken_answer_is_doubt(make: Make, desk: Mingdao, trouble: Fault | Mishap) -> None:
    desk.plan(trouble)
    with pytest.raises(InDoubt):
        await open_it(make())


async def test_a_filter_that_is_ignored_adopts_nothing(make: Make, desk: Mingdao) -> None:
    await open_it(make())
    find = mapping(desk.url)["find"]
    find["body"]["filters"][0]["controlId"] = "no_such_control"
    other = ticket_key(make_event(who="mail-18").complaint_id, "destination")
    assert await make(find=find).find(other) is None
    assert await make(find=find).find(KEY) is not None


async def test_calls_are_signed_where_that_was_asked_for(make: Make, desk: Mingdao, clock: FakeClock) -> None:
    await open_it(make(signing_secret=SIGNING, headers={"X-Key": "gate-7f3a9c"}))
    call = desk.calls[-1]
    verify_standard(
        [SIGNING],
        webhook_id=call.headers["webhook-id"],
        timestamp=call.headers["webhook-timestamp"],
        signature=call.headers["webhook-signature"],
        body=call.body,
        now=clock.now(),
    )
    assert call.headers["x-key"] == "gate-7f3a9c"
    assert call.headers["webhook-id"] == KEY


async def test_a_follow_up_can_name_the_ticket(make: Make, desk: Mingdao) -> None:
    add = mapping(desk.url)["add"]
    add["body"]["controls"].append({"controlId": "title", "value": "$ticket"})
    sink = make(add=add)
    ticket = await open_it(sink)
    event = make_event(2)
    key = event_key(KEY, event.id)
    await sink.follow_up(ticket, sink.render(event, key), key, PROGRESS)
    assert desk.comments[0]["title"] == ticket.id


async def test_check_looks_for_nobody(make: Make, desk: Mingdao) -> None:
    assert (await make().check()).details == ("looks tickets up",)
    desk.sign = "another"
    with pytest.raises(AuthError):
        await make().check()


async def test_check_without_a_look_up_takes_any_answer(make: Make) -> None:
    identity = await make(find=None, find_notes=None).check()
    assert identity.details[0] == "answers HEAD with 405"


async def test_check_says_that_no_rows_stand_there(make: Make, desk: Mingdao) -> None:
    with pytest.raises(ConfigError, match="no list"):
        await make(find={**mapping(desk.url)["find"], "rows": "data"}).check()
    with pytest.raises(Unavailable):
        await make(find={**mapping(desk.url)["find"], "rows": "data.nothing"}).check()


async def test_private_addresses_need_permission(make: Make) -> None:
    with pytest.raises(ConfigError, match="allow_private_network"):
        await open_it(make(allow_private_network=False))


@pytest.mark.parametrize(
    "bad",
    [
        {"create": {"url": "ftp://x", "body": {}}},
        {"create": {"url": "https://x", "body": {"a": "{{ nobody }}"}}},
        {"create": {"url": "https://x", "body": {"a": "{% for"}}},
        {"create": {"url": "https://x", "body": {"a": "$nobody"}}},
        {"create": {"url": "https://x", "body": {"a": "$secret:nobody"}}},
        {"find_notes": None},
        {"headers": {"Webhook-Id": "x"}},
        {"headers": {"X-Key": "a\r\nHost: x"}},
        {"signing_secret": "short"},
        {"files": {"mode": "upload"}},
        {"answer": {"id": "data..id"}},
    ],
)
def test_settings_refuse(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        settings("https://api.example.com", **bad)
    assert SIGN not in str(caught.value)


@pytest.mark.parametrize("page", ["json_post.md", "json_post.zh-CN.md"])
def test_the_examples_of_the_page_are_valid(page: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / "sinks" / page).read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 4
    for example in examples:
        for given in tomllib.loads(example)["destinations"].values():
            JsonPostSettings.model_validate(given)
