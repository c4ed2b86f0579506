"""Posts as other servers write them, and what cannot be read. Shapes: Mastodon's "Status" and "Notification"."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from allears_sdk.errors import BadMessage
from allears_sdk.markup import plain
from allears_sdk.message import Attachment, Author, Message, Ref, Visibility
from allears_sdk.testing.clock import START
from connectors.mastodon import MastodonConnector
from connectors.mastodon.raws import Item, mention
from tests.connectors.mastodon.conftest import make_settings

ME = "14715"
MENTION = (
    '<span class="h-card" translate="no"><a href="https://mastodon.example/@shop" class="u-url mention">'
    "@<span>shop</span></a></span>"
)


def make_status(**fields: Any) -> dict[str, Any]:
    account = {"id": "10889", "acct": "ana@example.social", "display_name": " Ana ", "bot": False}
    return {
        "id": "108914343542683797",
        "created_at": "2026-11-21T23:09:52.359Z",
        "in_reply_to_id": None,
        "in_reply_to_account_id": None,
        "spoiler_text": "",
        "visibility": "unlisted",
        "language": None,
        "uri": "https://example.social/objects/64b196c6",
        "url": None,
        "edited_at": None,
        "content": f"<p>{MENTION} 收到的是空盒</p>",
        "account": account,
        "mentions": [{"id": ME, "acct": "shop", "url": "https://mastodon.example/@shop"}],
        "media_attachments": [],
        "poll": None,
        **fields,
    }


def make_item(status: Any, **fields: Any) -> Item:
    notification = {"id": "68739215", "type": "mention", "status": status, **fields}
    return mention(json.dumps(notification).encode(), ME, START)


def read(status: Any) -> list[Message]:
    return list(MastodonConnector.parse(make_item(status).raw, make_settings("https://mastodon.example")))


def test_a_post_of_another_server() -> None:
    assert read(make_status()) == [
        Message(
            text="@shop 收到的是空盒",
            external_id="108914343542683797",
            known_as=("108914343542683797/10889",),
            author=Author(id="10889", name="Ana", handle="@ana@example.social"),
            posted_at=datetime(2026, 11, 21, 23, 9, 52, 359000, UTC),
            permalink="https://example.social/objects/64b196c6",
            visibility=Visibility.PUBLIC,
        )
    ]


def test_pictures_and_a_warning_and_a_poll() -> None:
    media: list[dict[str, Any]] = [
        {"id": "22345792", "type": "image", "url": "https://files.mastodon.example/1.jpg", "description": "破损的屏幕"},
        {"id": "22345793", "type": "unknown", "url": None, "remote_url": "https://example.social/2.bin"},
    ]
    poll = {"options": [{"title": "退款", "votes_count": 3}, {"title": "换货"}]}
    (message,) = read(make_status(media_attachments=media, spoiler_text="吐槽", poll=poll, content="<p>怎么办</p>"))
    assert (message.subject, message.text) == ("吐槽", "怎么办\n- 退款\n- 换货\n[image: 破损的屏幕]")
    locators = [{"status": "108914343542683797", "media": one["id"]} for one in media]
    assert message.attachments == (
        Attachment(name="", title="image", media_type="image/jpeg", ref=Ref(locator=locators[0])),
        Attachment(name="", title="unknown", ref=Ref(locator=locators[1])),
    )


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("", ""),
        ("<p>one</p><p>two<br>three<br/>four</p>", "one\n\ntwo\nthree\nfour"),
        ("a &lt;b&gt; &amp; caf&eacute; &#128545;", "a <b> & café 😡"),
        ("<p>x</p><ul><li>一</li><li>二</li></ul>", "x\n\n- 一\n- 二"),
        (
            '<a href="https://shop.example/orders/7741"><span class="invisible">https://</span>'
            '<span class="ellipsis">shop.example/or</span><span class="invisible">ders/7741</span></a>',
            "https://shop.example/orders/7741",
        ),
        ("<p>not closed <b>at all", "not closed at all"),
        ("无标记的文字", "无标记的文字"),
    ],
)
def test_words_of_the_markup(markup: str, text: str) -> None:
    assert plain(markup) == text


def test_counts_and_addresses_are_no_news() -> None:
    media = {"id": "1", "type": "image", "url": "https://files.example/1.jpg?X-Amz-Signature=a"}
    before = make_item(make_status(media_attachments=[media], favourites_count=1))
    after = make_item(make_status(media_attachments=[{**media, "url": "b"}], favourites_count=9))
    assert before.raw.digest == after.raw.digest
    assert before.raw.digest != make_item(make_status(media_attachments=[])).raw.digest


def test_a_mention_whose_post_is_gone_says_nothing() -> None:
    item = make_item(None)
    assert (item.id, item.raw.key) == ("68739215", "notification:68739215")
    assert read(None) == []


@pytest.mark.parametrize(
    "status", [7, "x", [], make_status(created_at="yesterday"), make_status(content=None), make_status(account=None)]
)
def test_a_bad_post_is_a_letter_and_reading_goes_on(status: Any) -> None:
    item = make_item(status)
    assert item.id == "68739215"
    assert item.raw.key
    with pytest.raises(BadMessage):
        MastodonConnector.parse(item.raw, make_settings())
