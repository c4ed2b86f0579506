"""X's own library at the posts we test with. It names some fields after posts, X's documents after tweets."""

from __future__ import annotations

from typing import Any

import pytest
from xdk.schemas import Expansions, Post, User

from allears_sdk.codec import encode
from allears_sdk.message import Kind, Message, Raw
from allears_sdk.testing.clock import START
from connectors.x import XConnector
from tests.connectors.x.conftest import ANA, X, make_settings, user_of

NEWER = {
    "edit_history_tweet_ids": "edit_history_post_ids",
    "referenced_tweets": "referenced_posts",
    "note_tweet": "note_post",
}


@pytest.fixture
def post() -> dict[str, Any]:
    """An answer to a post of ours that is long, and was edited."""
    written = X().write(1, "第7741单还没退款…", in_reply_to_user_id="4711")
    return written | {
        "edit_history_tweet_ids": ["1934000000000000001", written["id"]],
        "referenced_tweets": [{"type": "replied_to", "id": "1934000000000000000"}],
        "note_tweet": {"text": "第7741单还没退款，客服不理，要求赔偿"},
    }


def renamed(post: dict[str, Any]) -> dict[str, Any]:
    return {NEWER.get(name, name): value for name, value in post.items()}


def ours(post: dict[str, Any]) -> list[Message]:
    body = encode({"post": post, "user": user_of(ANA)})
    raw = Raw(key=post["id"], body=body, media_type="application/json", received_at=START)
    return list(XConnector.parse(raw, make_settings()))


def test_it_reads_the_same(post: dict[str, Any]) -> None:
    theirs = Post.model_validate(renamed(post))
    [message] = ours(renamed(post))
    assert theirs.note_post is not None
    assert (theirs.id, theirs.author_id, theirs.note_post.text) == (message.revision, message.author.id, message.text)
    assert theirs.edit_history_post_ids
    assert (message.external_id, message.kind) == (theirs.edit_history_post_ids[0], Kind.EDITED)
    assert message.posted_at
    assert theirs.created_at == message.posted_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_it_knows_who_wrote() -> None:
    [user] = Expansions.model_validate({"users": [user_of(ANA)]}).users or []
    assert isinstance(user, User)
    assert (user.id, user.username) == (ANA, "ana_demo")


def test_either_name_says_the_same(post: dict[str, Any]) -> None:
    assert ours(post) == ours(renamed(post))
    passed_on = post | {"referenced_tweets": [{"type": "retweeted", "id": "1934000000000000000"}]}
    assert ours(passed_on) == ours(renamed(passed_on)) == []
