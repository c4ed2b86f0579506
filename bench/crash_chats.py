"""Customers who chat while the daemon is killed: with a bot that is asked, with one that is pushed to, with an
Official Account whose callbacks are encrypted, and with a customer service whose callbacks only signal, when they come
at all. Whoever pushes messages keeps what got no good answer, and sends it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from itertools import count
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from bench.servers.kf import ACCOUNT, Kf
from bench.servers.telegram import TOKEN, Telegram
from connectors._wechat.crypto import Envelope, signature

OA_APP = "wx1234567890abcdef"
KF_CORP = "ww1234567890abcdef"
CALLBACK_TOKEN = "crashTestToken"
CALLBACK_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
PUSH_SECRET = "crash-test-secret_0123456789"
CHANNELS = """
[channels.bot]
connector = "telegram"
token = "{token}"
url = "{asked}"
poll_seconds = 5
{settling}
[channels.hook]
connector = "telegram"
token = "{token}"
url = "{pushed}"
webhook_url = "http://127.0.0.1:{public}/in/hook"
webhook_secret = "{secret}"
{settling}
[channels.oa]
connector = "wechat_oa"
app_id = "{app}"
token = "{callback_token}"
encoding_aes_key = "{callback_key}"
{settling}
[channels.oa.passive_reply]
[channels.kf]
connector = "wechat_kf"
corp_id = "{corp}"
secret = "kf-secret-of-nobody"
url = "{kf}"
token = "{callback_token}"
encoding_aes_key = "{callback_key}"
ask_profile = false
interval_seconds = 5
{settling}
"""
SETTLING = "settle_seconds = 1\nsettle_max_seconds = 4"
CUSTOMERS = 20
"""At a time, in each channel. They come and go: everybody speaks a few times, and no talk grows for ever."""
BURSTS = 3
"""After so many of a channel one customer goes and another comes."""
EDITED = 0.08
REPEATED = 0.2
"""Of the good answers, those that are lost on their way: the sender sends again."""

SIGNALLED = 0.5
"""Of the messages of the customer service, those a callback tells of: once, whoever listens."""

Say = Callable[[], tuple[str, str]]
"""A token, and a complaint that holds it."""


class Chats:
    """`said` (token → channel) is filled as things are said: pushed ones once they were answered."""

    def __init__(self, rng: random.Random, said: dict[str, str], say: Say) -> None:
        self.rng = rng
        self.said = said
        self.say = say
        self.asked, self.pushed = Telegram(), Telegram()
        self.pushed.repeats_pushes = True
        self.names: dict[str, str] = {}
        """A message's id → its token."""
        self.edits: dict[str, str] = {}
        """A message's id → the token of its newest words."""
        self.changed: list[str] = []
        """Callbacks whose answer was another when they were sent again."""
        self.kf = Kf()
        self._number = 24_681_357_908_000_000

    async def start(self, public: int) -> None:
        self._public = public
        self._session = ClientSession(timeout=ClientTimeout(6))
        for platform in (self.asked, self.pushed, self.kf):
            await platform.start()

    async def stop(self) -> None:
        for platform in (self.asked, self.pushed, self.kf):
            await platform.stop()
        await self._session.close()

    def configuration(self) -> str:
        return CHANNELS.format(
            token=TOKEN, asked=self.asked.url, pushed=self.pushed.url, public=self._public, secret=PUSH_SECRET,
            app=OA_APP, corp=KF_CORP, kf=self.kf.url, callback_token=CALLBACK_TOKEN, callback_key=CALLBACK_KEY,
            settling=SETTLING,
        )  # fmt: skip

    def speakers(self) -> list[Coroutine[Any, Any, None]]:
        """Each speaks until it is cancelled."""
        return [
            self._chat(self.asked, "bot", self._customers(1_000_000)),
            self._chat(self.pushed, "hook", self._customers(2_000_000)),
            self._call_back(self._customers(3_000_000)),
            self._call_back(self._customers(4_000_000)),
            self._signal(self._customers(5_000_000)),
        ]

    def calm(self) -> None:
        """Whoever asks 微信客服 unbidden, as after a restore, may do so every ten seconds: now for all at once."""
        self.kf.page = 1000

    def faults(self) -> list[str]:
        """What is left where it should have been taken, and answers that changed."""
        queues = {"bot": self.asked.queue, "hook": self.pushed.queue}
        left = [f"{len(queue)} updates are left for {name}" for name, queue in queues.items() if queue]
        return left + [f"the answer to {name} changed when it was sent again" for name in self.changed[:10]]

    @property
    def reworded(self) -> dict[str, str]:
        """Token of an edit's words → that of the message."""
        return {token: self.names[message] for message, token in self.edits.items()}

    def unedited(self, texts: Mapping[str, str]) -> list[str]:
        """Given each message's newest words in a store: those that are not the newest said."""
        return [f"the edit {token} of {name} is lost" for name, token in self.edits.items() if token not in texts[name]]

    def _customers(self, first: int) -> Iterator[int]:
        """Who speaks next."""
        return (first + burst // BURSTS + self.rng.randrange(CUSTOMERS) for burst in count())

    async def _pause(self) -> None:
        await asyncio.sleep(self.rng.uniform(0.2, 1.0))

    # Telegram

    async def _chat(self, telegram: Telegram, channel: str, customers: Iterator[int]) -> None:
        for customer in customers:
            for _ in range(self.rng.randint(1, 4)):
                message = self._write(telegram, channel, customer)
                await asyncio.sleep(self.rng.uniform(0, 0.3))
                if self.rng.random() < EDITED:
                    self._edit(telegram, message)
            await self._pause()

    def _write(self, telegram: Telegram, channel: str, customer: int) -> dict[str, Any]:
        token, text = self.say()
        who: dict[str, Any] = {"from": {"id": customer, "is_bot": False, "first_name": "小明", "last_name": "王"}}
        message = telegram.say(text, chat={"id": customer, "type": "private"}, **who)
        self.names[_name_of(message)] = token
        self.said[token] = channel
        return message

    def _edit(self, telegram: Telegram, message: dict[str, Any]) -> None:
        token, text = self.say()
        telegram.edit(message, text)
        self.edits[_name_of(message)] = token

    # WeChat

    async def _call_back(self, customers: Iterator[int]) -> None:
        for customer in customers:
            for _ in range(self.rng.randint(1, 4)):
                token, text = self.say()
                await self._send(f"oCRASH{customer}", token, text)
                self.said[token] = "oa"
                await asyncio.sleep(self.rng.uniform(0, 0.3))
            await self._pause()

    async def _send(self, customer: str, token: str, text: str) -> None:
        self._number += 1
        number = str(self._number)
        self.names[number] = token
        xml = (
            f"<xml><ToUserName><![CDATA[gh_crash]]></ToUserName><FromUserName><![CDATA[{customer}]]></FromUserName>"
            f"<CreateTime>{int(time.time())}</CreateTime><MsgType><![CDATA[text]]></MsgType>"
            f"<Content><![CDATA[{text}]]></Content><MsgId>{number}</MsgId></xml>"
        )
        answer = await self._post_until_answered(xml)
        if self.rng.random() < REPEATED and await self._post_until_answered(xml) != answer:
            self.changed.append(number)

    async def _post_until_answered(self, xml: str) -> bytes:
        while True:
            with contextlib.suppress(ClientError, TimeoutError, OSError):
                url = f"http://127.0.0.1:{self._public}/in/oa"
                query, body = self._seal(xml, OA_APP)
                async with self._session.post(url, params=query, data=body) as answer:
                    if answer.status == 200:
                        return await answer.read()
            await asyncio.sleep(self.rng.uniform(0.05, 0.3))

    async def _signal(self, customers: Iterator[int]) -> None:
        for customer in customers:
            for _ in range(self.rng.randint(1, 4)):
                token, text = self.say()
                self.names[self.kf.say(text, f"wmCRASH{customer}")] = token
                self.said[token] = "kf"
                if self.rng.random() < SIGNALLED:
                    await self._tell_of_more()
                await asyncio.sleep(self.rng.uniform(0, 0.3))
            await self._pause()

    async def _tell_of_more(self) -> None:
        """A callback that may be lost."""
        xml = (
            f"<xml><ToUserName><![CDATA[{KF_CORP}]]></ToUserName><CreateTime>{int(time.time())}</CreateTime>"
            "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[kf_msg_or_event]]></Event>"
            f"<Token><![CDATA[ENC{self.rng.randrange(10**9)}]]></Token><OpenKfId><![CDATA[{ACCOUNT}]]></OpenKfId></xml>"
        )
        query, body = self._seal(xml, KF_CORP)
        with contextlib.suppress(ClientError, TimeoutError, OSError):
            async with self._session.post(f"http://127.0.0.1:{self._public}/in/kf", params=query, data=body):
                pass

    def _seal(self, xml: str, receiver: str) -> tuple[dict[str, str], str]:
        """Signed anew at each attempt, as WeChat does."""
        sealed = Envelope(CALLBACK_KEY, receiver).seal(xml.encode(), self.rng.randbytes(16))
        stamp, nonce = str(int(time.time())), str(self.rng.randrange(10**9))
        query = {"signature": signature(CALLBACK_TOKEN, stamp, nonce), "timestamp": stamp, "nonce": nonce}
        query |= {"encrypt_type": "aes", "msg_signature": signature(CALLBACK_TOKEN, stamp, nonce, sealed)}
        return (
            query,
            f"<xml><ToUserName><![CDATA[{receiver}]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>",
        )


def _name_of(message: Mapping[str, Any]) -> str:
    return f"{message['chat']['id']}/{message['message_id']}"
