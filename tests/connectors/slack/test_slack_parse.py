"""Payloads in, messages out, exact."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from allears_sdk.errors import BadMessage
from allears_sdk.message import Attachment, Author, Kind, Message, Raw, Ref, Role, Visibility
from allears_sdk.slack.escapes import escaped
from allears_sdk.testing.clock import START
from connectors.slack import SlackConnector, SlackSettings
from connectors.slack.events import moment_of, ts_of
from connectors.slack.text import readable, words_of
from tests.connectors.slack.slack_payloads import (
    AGENT,
    BOT,
    BOT_USER,
    IM,
    KIM,
    LI_LEI,
    SUPPORT,
    TEAM,
    changed,
    deleted,
    event,
    stamp,
)

TS = "1750000000.000200"
AT = datetime(2025, 6, 15, 15, 6, 40, 200, tzinfo=UTC)
SETTINGS = SlackSettings.model_validate({"bot_token": "xoxb-1"})
POST = {"type": "message", "user": LI_LEI, "text": "订单 77 到手就碎了", "ts": TS, "team": TEAM}
OURS = {"staff": [AGENT]}
FILE = {
    "id": "F01",
    "name": "碎屏 1.png",
    "title": "碎屏",
    "mimetype": "image/png",
    "size": 48_211,
    "mode": "hosted",
    "url_private": "https://files.slack.com/files-pri/T01-F01/1.png",
    "url_private_download": "https://files.slack.com/files-pri/T01-F01/download/1.png",
}


def raw_of(payload: dict[str, Any], *, ordinal: int = 1, **context: Any) -> Raw:
    body = json.dumps(payload, ensure_ascii=False).encode()
    return Raw(key="k", body=body, media_type="application/json", received_at=START, ordinal=ordinal, context=context)


def read(payload: dict[str, Any], *, ordinal: int = 1, settings: SlackSettings = SETTINGS, **context: Any) -> Message:
    (message,) = SlackConnector.parse(raw_of(payload, ordinal=ordinal, **context), settings)
    return message


def settings_of(**more: Any) -> SlackSettings:
    return SlackSettings.model_validate({"bot_token": "xoxb-1", **more})


def test_a_usual_message_that_was_pushed() -> None:
    assert read(event(SUPPORT, POST)) == Message(
        text="订单 77 到手就碎了",
        external_id=f"{SUPPORT}:{TS}",
        revision="said",
        thread=(f"{SUPPORT}:{LI_LEI}",),
        author=Author(id=LI_LEI, profile=Ref(locator={"user": LI_LEI, "channel": SUPPORT})),
        posted_at=AT,
        visibility=Visibility.PUBLIC,
    )


def test_a_message_with_all_that_is_known_around_it() -> None:
    post = {
        **POST,
        "subtype": "file_share",
        "text": "cc <@U01AGENT> <https://acme.example.com/o/77|Order 77> &lt;3 :rage:",
        "thread_ts": stamp(1),
        "files": [FILE],
    }
    people = {
        LI_LEI: {"name": "李雷", "handle": "lilei", "email": "lilei@mail.example.cn"},
        AGENT: {"name": "Ana Ruiz"},
    }
    message = read(post, channel=SUPPORT, kind="channel", url="https://acme.slack.com/", people=people)
    assert message == Message(
        text="cc @Ana Ruiz Order 77 (https://acme.example.com/o/77) <3 :rage:",
        external_id=f"{SUPPORT}:{TS}",
        revision="said",
        thread=(f"{SUPPORT}:{stamp(1)}",),
        author=Author(id=LI_LEI, name="李雷", handle="lilei", email="lilei@mail.example.cn"),
        posted_at=AT,
        attachments=(
            Attachment(
                name="碎屏 1.png",
                title="碎屏",
                media_type="image/png",
                size=48_211,
                ref=Ref(
                    locator={
                        "file": "F01",
                        "channel": SUPPORT,
                        "media_type": "image/png",
                        "url": FILE["url_private_download"],
                    }
                ),
            ),
        ),
        permalink=f"https://acme.slack.com/archives/{SUPPORT}/p1750000000000200?thread_ts={stamp(1)}&cid={SUPPORT}",
        visibility=Visibility.PUBLIC,
    )


def test_an_envelope_of_socket_mode_reads_like_the_request() -> None:
    payload = event(SUPPORT, POST)
    assert read({"envelope_id": "e-1", "type": "events_api", "payload": payload}) == read(payload)


def test_pushed_and_listed_messages_read_alike() -> None:
    assert read(POST, channel=SUPPORT, kind="channel") == read(event(SUPPORT, POST))


@pytest.mark.parametrize(
    ("more", "channel", "settings", "thread"),
    [
        ({}, SUPPORT, {}, (f"{SUPPORT}:{LI_LEI}",)),
        ({}, SUPPORT, {"one_complaint_per": "post"}, ()),
        ({"thread_ts": TS}, SUPPORT, {"one_complaint_per": "post"}, ()),
        ({"thread_ts": stamp(1)}, SUPPORT, {}, (f"{SUPPORT}:{stamp(1)}",)),
        ({"thread_ts": stamp(1), "subtype": "thread_broadcast"}, SUPPORT, {}, (f"{SUPPORT}:{stamp(1)}",)),
        ({"text": "<@U03KIM> same here", "user": LI_LEI}, SUPPORT, {}, (f"{SUPPORT}:{LI_LEI}",)),
        (
            {"text": "<@U02LILEI> <@U03KIM> 已退款", "user": AGENT},
            SUPPORT,
            OURS,
            (f"{SUPPORT}:{LI_LEI}", f"{SUPPORT}:{KIM}"),
        ),
        ({"text": "稍等", "user": AGENT}, SUPPORT, OURS, (f"{SUPPORT}:{AGENT}",)),
        ({"text": "<@U03KIM> 稍等", "user": AGENT, "thread_ts": stamp(1)}, SUPPORT, OURS, (f"{SUPPORT}:{stamp(1)}",)),
        ({"user": None}, SUPPORT, {}, ()),
        ({}, IM, {"one_complaint_per": "post"}, (IM,)),
        ({"thread_ts": stamp(1)}, IM, {}, (f"{IM}:{stamp(1)}", IM)),
        ({"channel_type": "mpim"}, "C07GROUPDM", {}, ("C07GROUPDM",)),
    ],
)
def test_what_belongs_together(
    more: dict[str, Any], channel: str, settings: dict[str, Any], thread: tuple[str, ...]
) -> None:
    kind = more.pop("channel_type", "im" if channel == IM else "channel")
    assert read(event(channel, {**POST, **more}, kind), settings=settings_of(**settings)).thread == thread


@pytest.mark.parametrize(
    ("more", "settings", "role", "name"),
    [
        ({}, {}, Role.CUSTOMER, ""),
        ({"user_profile": {"real_name": "李雷"}}, {}, Role.CUSTOMER, "李雷"),
        ({"user": AGENT}, {"staff": [AGENT]}, Role.COMPANY, ""),
        ({"user": KIM}, {"staff_teams": [TEAM]}, Role.COMPANY, ""),
        ({"user": KIM, "user_team": "T09SHOP"}, {"staff_teams": [TEAM]}, Role.CUSTOMER, ""),
        ({"user": KIM, "source_team": "T09SHOP"}, {"staff_teams": [TEAM]}, Role.CUSTOMER, ""),
        ({"user": BOT_USER, "bot_id": BOT, "bot_profile": {"name": "allears"}}, {}, Role.BOT, "allears"),
        ({"user": None, "bot_id": BOT, "subtype": "bot_message", "username": "报障"}, {}, Role.BOT, "报障"),
        ({"user": None, "bot_id": BOT, "username": "报障"}, {"customer_bots": [BOT]}, Role.CUSTOMER, "报障"),
        ({"user": "USLACKBOT"}, {}, Role.BOT, ""),
    ],
)
def test_who_speaks(more: dict[str, Any], settings: dict[str, Any], role: Role, name: str) -> None:
    author = read(event(SUPPORT, {**POST, **more}), settings=settings_of(**settings)).author
    assert (author.role, author.name) == (role, name)


@pytest.mark.parametrize(
    ("more", "channel", "settings", "visibility"),
    [
        ({}, SUPPORT, {}, Visibility.PUBLIC),
        ({}, SUPPORT, {"visibility": "private"}, Visibility.PRIVATE),
        ({"text": f"<@{BOT_USER}> 退款"}, SUPPORT, {}, Visibility.PRIVATE),
        ({"user": AGENT}, SUPPORT, OURS, Visibility.PRIVATE),
        ({}, IM, {}, Visibility.PRIVATE),
    ],
)
def test_what_is_meant_for_us(
    more: dict[str, Any], channel: str, settings: dict[str, Any], visibility: Visibility
) -> None:
    message = read(event(channel, {**POST, **more}), settings=settings_of(**settings), bot=BOT_USER)
    assert message.visibility is visibility


def test_revisions_in_whatever_order_they_come() -> None:
    edited = {**POST, "text": "订单 78 到手就碎了", "edited": {"user": LI_LEI, "ts": "1750000060.000000"}}
    second = read(changed(SUPPORT, edited, POST), ordinal=2)
    assert (second.kind, second.text, second.revision) == (
        Kind.EDITED,
        "订单 78 到手就碎了",
        "edited 1750000060.000000",
    )
    assert second.posted_at == AT + timedelta(seconds=59.9998)
    first_heard_edited = read(edited, channel=SUPPORT)
    assert (first_heard_edited.kind, first_heard_edited.posted_at) == (Kind.SAID, AT)
    assert SlackConnector.parse(raw_of(event(SUPPORT, POST), ordinal=2), SETTINGS) == ()


def test_what_is_deleted_is_withdrawn() -> None:
    gone = read(deleted(SUPPORT, POST, "1750000090.000000"), ordinal=2)
    assert (gone.kind, gone.external_id, gone.text) == (Kind.WITHDRAWN, f"{SUPPORT}:{TS}", POST["text"])
    assert gone.posted_at == moment_of("1750000090.000000")
    tombstone = {**POST, "subtype": "tombstone", "text": "This message was deleted.", "user": "USLACKBOT"}
    found = read(tombstone, ordinal=2, channel=SUPPORT)
    assert (found.kind, found.author) == (Kind.WITHDRAWN, Author())
    unseen = event(SUPPORT, {"type": "message", "subtype": "message_deleted", "deleted_ts": TS, "ts": stamp(9)})
    assert SlackConnector.parse(raw_of(unseen), SETTINGS) == ()
    assert read(unseen, ordinal=2).kind is Kind.WITHDRAWN


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"mode": "tombstone"}, "deleted"),
        ({"mode": "hidden_by_limit"}, "plan"),
        ({"file_access": "access_denied"}, "bot not read"),
        ({"mode": "external", "is_external": True}, "outside Slack: https://files.slack.com"),
    ],
)
def test_files_that_slack_does_not_hand_over_say_why(more: dict[str, Any], reason: str) -> None:
    (file,) = read(event(SUPPORT, {**POST, "files": [{**FILE, **more}]})).attachments
    assert reason in file.skipped
    assert file.ref is None


def test_a_file_of_a_shared_channel_is_looked_up_first() -> None:
    (file,) = read(event(SUPPORT, {**POST, "files": [{"id": "F9", "file_access": "check_file_info"}]})).attachments
    assert file.ref is not None
    assert file.ref.locator == {"file": "F9", "channel": SUPPORT, "media_type": ""}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<@U02LILEI> <@U09|kim> <@U77>", "@李雷 @kim @U77"),
        ("<#C01|general> <#C02>", "#general #C02"),
        ("<!here> <!channel|channel> <!subteam^S01|@客服组>", "@here channel @客服组"),
        ("<!date^1750000000^{date}|2025-06-15>", "2025-06-15"),
        ("<https://a.example.com/x?a=1&amp;b=2>", "https://a.example.com/x?a=1&b=2"),
        ("<http://a.example.com|a.example.com>", "http://a.example.com"),
        ("<mailto:li@mail.example.cn|li@mail.example.cn>", "li@mail.example.cn"),
        ("<tel:+8613800138000|138 0013 8000>", "138 0013 8000 (+8613800138000)"),
        ("*退款* _now_ `x` 😡 :rage: 1 &lt; 2 &amp;&amp; 3 &gt; 2", "*退款* _now_ `x` 😡 :rage: 1 < 2 && 3 > 2"),
        ("&amp;lt;@U1&amp;gt; <> < a", "&lt;@U1&gt; <> < a"),
        ("", ""),
    ],
)
def test_mrkdwn_as_people_read_it(written: str, shown: str) -> None:
    assert readable(written, {"U02LILEI": "李雷"}) == shown


def test_what_we_send_mentions_nobody() -> None:
    assert readable(escaped("<!channel> & <@U1> ALE-7K3M"), {}) == "<!channel> & <@U1> ALE-7K3M"


def test_a_message_that_was_shared_comes_with_its_words() -> None:
    share = {"is_share": True, "author_name": "Kim", "text": "screen &amp; case broken\nrefund"}
    preview = {"title": "A page", "text": "about something else"}
    assert words_of({"text": "同样的问题", "attachments": [share, preview, "odd"]}) == (
        "同样的问题\n\n> Kim\n> screen &amp; case broken\n> refund"
    )
    form = [{"type": "section", "text": {"type": "mrkdwn", "text": "*订单* 77"}, "fields": [{"text": "退款"}]}]
    assert words_of({"text": "", "blocks": form}) == "*订单* 77\n退款"


@pytest.mark.parametrize(
    "post",
    [
        {**POST, "text": 7},
        {**POST, "files": ["F01"]},
        {**POST, "files": [{"id": 7}]},
        {**POST, "user": {"id": "U1"}},
        {**POST, "subtype": "channel_join"},
        {**POST, "ts": 1750000000.0002},
    ],
)
def test_what_does_not_fit_is_named(post: dict[str, Any]) -> None:
    for raw in (raw_of(event(SUPPORT, post)), raw_of(post, channel=SUPPORT)):
        with pytest.raises(BadMessage):
            SlackConnector.parse(raw, SETTINGS)


def test_times_lose_no_digits() -> None:
    for ts in ("1750000000.000200", "1750000000.999999", "0000000000.000000"):
        assert ts_of(moment_of(ts)) == ts
