"""Posts in a Slack channel: the contract suite on the workspace in miniature, and what is Slack's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.complaint import Event
from allears_sdk.context import Context
from allears_sdk.errors import ConfigError, InDoubt, Rejected, TicketGone
from allears_sdk.masking import mask_payload
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Progress, Ticket
from allears_sdk.slack.escapes import unescaped
from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.components import absent
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored
from bench.servers.fault_proxy import FaultProxy
from sink.slack_notice import SlackNoticeSettings, SlackNoticeSink
from tests.connectors.slack.slack_payloads import BOT_TOKEN, SUPPORT, Json
from tests.connectors.slack.slack_server import Call, Refusal, SlackServer
from tests.sink.storms import Storms

Make = Callable[..., SlackNoticeSink]
CODES = {Fault.EXPIRED: "token_revoked", Fault.REJECT: "msg_too_long", Fault.GONE: "thread_not_found"}
KEY = ticket_key(make_event().complaint_id, "destination")


class Workspace(SlackServer):
    """Keeps the metadata of posts and hands it out to who asks for it; a post under one that is gone is refused."""

    def __init__(self, began: int) -> None:
        super().__init__(began)
        self.faults: list[str] = []
        """Codes that the next posts get; nothing is posted. "garbage": it is, and a page comes back."""

    def _post_message(self, call: Call) -> Json:
        fault = self.faults.pop(0) if self.faults else ""
        if fault not in ("", "garbage"):
            raise Refusal(fault)
        if call.text("thread_ts") and call.text("thread_ts") not in self.posts[call.text("channel")]:
            raise Refusal("thread_not_found")
        answer = super()._post_message(call)
        answer["message"]["metadata"] = call.given["metadata"]
        return {} if fault else answer

    def _history(self, call: Call) -> Json:
        return _with_metadata(super()._history(call), call)

    def _replies(self, call: Call) -> Json:
        return _with_metadata(super()._replies(call), call)

    def ours(self) -> list[Json]:
        return [post for posts in self.posts.values() for post in posts.values() if "metadata" in post]


def _with_metadata(answer: Json, call: Call) -> Json:
    if call.text("include_all_metadata") in ("1", "true", "True"):
        return answer
    bare = [{name: value for name, value in post.items() if name != "metadata"} for post in answer["messages"]]
    return {**answer, "messages": bare}


def settings(slack: SlackServer, **more: Any) -> SlackNoticeSettings:
    given = {"bot_token": BOT_TOKEN, "channel": SUPPORT, "url": f"{slack.url}/api/", "calls_per_minute": 1000}
    return SlackNoticeSettings.model_validate({**given, **more})


class SlackStore:
    @pytest.fixture(autouse=True)
    async def workspace(self, clock: FakeClock) -> AsyncIterator[None]:
        self.slack = Workspace(int(clock.now().timestamp()))
        await self.slack.start()
        self.stopped = False
        yield
        if not self.stopped:
            await self.slack.stop()

    def make_sink(self, context: Context) -> SlackNoticeSink:
        return SlackNoticeSink(settings(self.slack), context)

    async def stored(self) -> list[Stored]:
        ours = self.slack.ours()
        return [Stored(one["metadata"]["event_payload"]["key"], unescaped(one["text"])) for one in ours]


class TestSlackNoticeStorm(SlackStore, Storms):
    @pytest.fixture(autouse=True)
    async def proxy(self, workspace: None) -> AsyncIterator[None]:
        async with FaultProxy(self.slack.url) as self.between:
            yield

    def make_sink(self, context: Context) -> SlackNoticeSink:
        return SlackNoticeSink(settings(self.slack, url=f"{self.between.url}/api/"), context)

    def faults(self) -> FaultProxy:
        return self.between


class TestSlackNotice(SlackStore, SinkContract):
    async def fail_next(self, fault: Fault) -> None:
        if fault is Fault.LOSE_ANSWER:
            self.slack.broken["chat.postMessage"] = 1
        elif fault is Fault.TOO_MANY:
            self.slack.limited["chat.postMessage"] = [7]
        elif fault is Fault.UNREACHABLE:
            self.stopped = True
            await self.slack.stop()
        elif fault is Fault.LATE:
            absent("late posts")
        else:
            codes = {
                Fault.EXPIRED: "token_revoked",
                Fault.REJECT: "msg_blocks_too_long",
                Fault.GONE: "thread_not_found",
            }
            self.slack.faults.append(codes.get(fault, "garbage"))


@pytest.fixture
async def slack() -> AsyncIterator[Workspace]:
    slack = Workspace(int(FakeClock().now().timestamp()))
    await slack.start()
    yield slack
    await slack.stop()


@pytest.fixture
async def make(slack: Workspace, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Make]:
    context = make_context("destination", tmp_path, clock=clock)
    yield lambda **more: SlackNoticeSink(settings(slack, **more), context)
    await context.remote.aclose()


async def forget(note: object) -> None:
    """A progress note that nobody needs."""


PROGRESS = Progress(note={}, save=forget)


async def open_it(sink: SlackNoticeSink, event: Event | None = None) -> Ticket:
    payload = mask_payload(sink.render(event or make_event(), KEY), sink.settings.mask)
    return await sink.open(payload, KEY, PROGRESS)


async def follow_up(sink: SlackNoticeSink, ticket: Ticket, event: Event) -> None:
    key = event_key(KEY, event.id)
    await sink.follow_up(ticket, sink.render(event, key), key, PROGRESS)


async def test_a_post_shows_no_contact_data_and_mentions_nobody(make: Make, slack: Workspace) -> None:
    text = "<!channel> @here 我的电话 13800138000，邮箱 lilei@mail.example.cn & <https://evil.example|点这里>"
    await open_it(make(), make_event(text=text))
    (post,) = slack.ours()
    assert "13800138000" not in post["text"]
    assert "lilei@" not in post["text"]
    assert "138****8000" in post["text"]
    assert "&lt;!channel&gt;" in post["text"]
    assert "&lt;https://evil.example|点这里&gt;" in post["text"]
    assert post["metadata"]["event_payload"]["key"] == KEY, "what is masked is no key"


async def test_follow_ups_hang_in_the_thread(make: Make, slack: Workspace) -> None:
    sink = make()
    ticket = await open_it(sink)
    await follow_up(sink, ticket, make_event(2))
    root, answer = slack.ours()
    assert answer["thread_ts"] == root["ts"] == ticket.id


@pytest.mark.parametrize("broadcast", [False, True])
async def test_follow_ups_are_shown_in_the_channel_where_that_is_asked_for(
    make: Make, slack: Workspace, broadcast: bool
) -> None:
    sink = make(broadcast=broadcast)
    await follow_up(sink, await open_it(sink), make_event(2))
    assert slack.asked[-1][1]["reply_broadcast"] is broadcast


async def test_a_post_is_found_among_many_pages_and_only_as_far_back_as_said(
    make: Make, slack: Workspace, clock: FakeClock
) -> None:
    slack.page_items = 3
    ticket = await open_it(make())
    for number in range(10):
        slack.say(f"闲聊 {number}")
    found = await make().find(KEY)
    assert found is not None
    assert found.id == ticket.id
    assert slack.calls.count("conversations.history") == 4
    clock.advance(8 * 86_400)
    assert await make().find(KEY) is None
    assert await make(look_back_days=9).find(KEY) == found


async def test_posts_of_others_are_none_of_ours(make: Make, slack: Workspace) -> None:
    slack.say(f"[{KEY}] quoted by a person")
    forged = slack.say("by another app")
    slack.posts[SUPPORT][forged]["metadata"] = {"event_type": "other", "event_payload": {"key": KEY}}
    assert await make().find(KEY) is None


async def test_a_post_that_was_deleted_is_gone(make: Make, slack: Workspace) -> None:
    sink = make()
    ticket = await open_it(sink)
    slack.delete(ticket.id)
    with pytest.raises(TicketGone):
        await follow_up(sink, ticket, make_event(2))
    with pytest.raises(TicketGone):
        await sink.find_follow_ups(ticket, ["x"])


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("channel_not_found", ConfigError),
        ("not_in_channel", ConfigError),
        ("is_archived", ConfigError),
        ("missing_scope", ConfigError),
        ("internal_error", InDoubt),
        ("fatal_error", InDoubt),
        ("msg_too_long", Rejected),
    ],
)
async def test_what_codes_ask_for(make: Make, slack: Workspace, code: str, error: type[Exception]) -> None:
    slack.faults.append(code)
    with pytest.raises(error) as caught:
        await open_it(make())
    assert type(caught.value) is error


async def test_check_says_where_posts_go(make: Make) -> None:
    identity = await make().check()
    assert identity.account == "allears @ Acme 商城"
    assert identity.details == (f"posts to {SUPPORT}",)


async def test_check_says_that_the_app_is_not_in_the_channel(make: Make) -> None:
    with pytest.raises(ConfigError, match="invite"):
        await make(channel="C0NOSUCH").check()


@pytest.mark.parametrize(
    "bad",
    [
        {"channel": "#general"},
        {"fields": {"id": "x"}},
        {"files": {"mode": "upload"}},
        {"public_notes": True},
        {"url": "http://slack.com/api/"},
    ],
)
async def test_settings_refuse(slack: Workspace, bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(slack, **bad)
