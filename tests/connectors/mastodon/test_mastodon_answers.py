"""What is fetched after a post, and what is said back."""

from __future__ import annotations

from typing import Any

import pytest

from allears_sdk.connector import Address
from allears_sdk.errors import AllearsError, InDoubt, Rejected, RetryLater, Void
from allears_sdk.message import Author, Ref
from allears_sdk.remote import PrivateAddress
from allears_sdk.testing.clock import START
from connectors.mastodon.payload import Media, Status
from tests.connectors.mastodon.conftest import Connect
from tests.connectors.mastodon.mastodon_server import Mastodon

TEXT = "We have your complaint: ALE-7K3M-Q9TX-4RWD"


def make_address(message: str) -> Address:
    return Address(to=Author(id="1"), message=message, said_at=START, reference="ALE-7K3M-Q9TX-4RWD", at=START)


@pytest.mark.parametrize(
    ("settings", "visibility"), [({}, "direct"), ({"answer_privately": False}, "unlisted")], ids=["privately", "alike"]
)
async def test_an_answer_stands_under_the_post(
    mastodon: Mastodon, connect: Connect, settings: dict[str, Any], visibility: str
) -> None:
    status = await mastodon.say("@shop refund please", visibility="unlisted")
    connector = await connect(**settings)
    for _ in range(2):
        await connector.reply(make_address(status["id"]), TEXT, "K-1")
    (answer,) = await mastodon.answers(to=status["id"])
    assert answer["visibility"] == visibility
    assert TEXT in answer["content"]


async def test_a_post_that_was_deleted_is_not_answered(mastodon: Mastodon, connect: Connect) -> None:
    status = await mastodon.say("@shop refund please")
    await mastodon.delete(status["id"])
    with pytest.raises(Void):
        await (await connect()).reply(make_address(status["id"]), TEXT, "K-1")


async def test_a_long_answer_fits(mastodon: Mastodon, connect: Connect) -> None:
    status = await mastodon.say("@shop refund please")
    await (await connect()).reply(make_address(status["id"]), "长" * 3000, "K-1")
    (answer,) = await mastodon.answers(to=status["id"])
    assert answer["content"].count("长") == 500 - len("@ana ")


@pytest.mark.parametrize(("status", "expected"), [(500, InDoubt), (422, Rejected), (429, RetryLater)])
async def test_what_hinders_an_answer(
    mastodon: Mastodon, connect: Connect, status: int, expected: type[AllearsError]
) -> None:
    asked = await mastodon.say("@shop refund please")
    connector = await connect()
    await connector.check()
    mastodon.fail("/api/v1/statuses", status)
    with pytest.raises(expected):
        await connector.reply(make_address(asked["id"]), TEXT, "K-1")


async def test_a_file_that_the_author_took_out(mastodon: Mastodon, connect: Connect) -> None:
    status = await mastodon.say("@shop refund please")
    with pytest.raises(Rejected, match="no longer has this file"):
        await (await connect()).fetch(Ref(locator={"status": status["id"], "media": "7"}))


async def test_no_more_than_is_wanted_is_fetched(mastodon: Mastodon, connect: Connect) -> None:
    media = await mastodon.upload(b"x" * 5000)
    status = await mastodon.say("@shop 发票", media=[media])
    with pytest.raises(Rejected, match="larger than 1000"):
        await (await connect(max_attachment_bytes=1000)).fetch(Ref(locator={"status": status["id"], "media": media}))


@pytest.mark.parametrize("address", ["http://127.0.0.2:8080/secret", "http://169.254.169.254/latest", "http://[::1]/"])
async def test_another_server_leads_us_nowhere_inside(
    mastodon: Mastodon, connect: Connect, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    connector = await connect()
    media = Media(id="7", remote_url=address)

    async def status(post: str) -> Status:
        return Status(id=post, created_at=START, account=(await connector._api.me()), media_attachments=[media])

    monkeypatch.setattr(connector._api, "status", status)
    with pytest.raises(PrivateAddress):
        await connector.fetch(Ref(locator={"status": "1", "media": "7"}))
