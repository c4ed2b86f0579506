"""How many texts a second become records on one core, and whether memory stays where it is.

python -m bench.derive COUNT: derives COUNT records as a worker does, and prints resident bytes on its way as JSON.

CPU time of the process, not the clock's: the figures hold on a busy machine too.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from statistics import mean
from typing import Any

import psutil

from allears.workers.tasks import DeriveJob, Failed, derive_records, warm_up
from allears_sdk.message import Author, Message
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive
from normalizer.encoder import load as load_encoder

CHATS_ZH = (
    "你好，上周买的空气炸锅插上电不加热，订单号{order}，要求退款",
    "快递显示已签收，但我没有收到，运单号SF{order}，请尽快处理",
    "客服说了三次都没解决，态度还差，电话138{phone}",
    "衣服跟图片完全不一样，起球，味道很大，能退吗？",
    "外卖晚了一个小时，汤全洒了😡",
    "發票抬頭開錯了，麻煩重開，已經等咗一個月",
)
CHATS_EN = (
    "The kettle stopped working after two days, order {order}. I want my money back.",
    "Parcel is marked as delivered but it never arrived. Tracking 1Z999AA1{order}",
    "I was charged twice ($49.90) and nobody answers my mails.",
    "@acme your app has been down since this morning, can't log in!!",
    "Waited 40 minutes on the phone, then they hung up on me.",
)
TOLD_ZH = (
    "我是5月20日在你们网店下的单，付了{price}元，当时页面上写着48小时内发货。",
    "收到以后第一次用就有一股很重的塑料味，按照说明书清洗了三遍还是一样。",
    "打了两次客服电话，第一次说会有人联系我，第二次说系统里根本没有记录。",
    "家里有老人和孩子，这样的东西我实在不敢再用。",
    "我不是要你们赔多少钱，只是希望有人认真看一下这个问题。",
    "附件里是照片和聊天记录，请查收。",
    "小区里另外两家买的也是同一款，但是他们的没有出现这种情况。",
)
TOLD_EN = (
    "I ordered it on 20 May for ${price}, and the page promised delivery within two days.",
    "When it finally came, one corner of the box was crushed and the lid did not close.",
    "I called twice: first I was told that somebody would ring me back, then that there was no record of my call.",
    "I followed the manual step by step and tried several times without success.",
    "I am not asking for anything special, but I would like somebody to look at this properly.",
    "Photographs and the receipt are attached.",
    "My neighbour bought the same model and hers works fine.",
)
QUOTE_ZH = "在 2026年5月28日，示例商城 <kefu@shop.example> 写道：\n> 尊敬的顾客，您的订单已发货。\n> 祝您购物愉快！"
QUOTE_EN = "On Thu, May 28, 2026, Acme Support <help@shop.example> wrote:\n> Thank you for your order.\n> The Acme team"
FACTS = Facts(channel="support", connector="form")
BATCH = 64
ENCODED = 100
"""Texts that the encoder reads, some hundred times slower."""
_AT = datetime(2026, 6, 1, tzinfo=UTC)
_WORD = re.compile(r"\w+")


def chats(rng: random.Random) -> Iterator[str]:
    """One said sentence each; no two the same for long."""
    while True:
        said = rng.choice(CHATS_ZH if rng.random() < 0.6 else CHATS_EN)
        yield said.format(order=rng.randrange(10**11, 10**12), phone=rng.randrange(10**7, 10**8))


def mails(rng: random.Random) -> Iterator[str]:
    """What a mail says: the matter, how it came about, a name, and in every third the mail it answers."""
    for matter in chats(rng):
        is_english = matter[0].isascii()
        told = TOLD_EN if is_english else TOLD_ZH
        story = [one.format(price=rng.randrange(20, 900)) for one in rng.choices(told, k=rng.randrange(2, 6))]
        body = (" " if is_english else "").join(story)
        end = "Kind regards,\nTom Reed" if is_english else f"此致\n王静 138{rng.randrange(10**8):08}"
        quote = (QUOTE_EN if is_english else QUOTE_ZH) if rng.random() < 1 / 3 else ""
        yield "\n\n".join(filter(None, (matter, body, end, quote)))


SIZES: dict[str, Callable[[random.Random], Iterator[str]]] = {"chat-size": chats, "mail-size": mails}


def talk_of(text: str, number: int) -> Conversation:
    message = Message(text=text, external_id=f"m{number}", revision="1", author=Author(id=f"c{number % 500}"))
    return Conversation(
        reference=f"ALE-{number:08}", opened_at=_AT, messages=(Heard(message=message, received_at=_AT),)
    )


def measure(texts: int, rounds: int, records: int) -> dict[str, Any]:
    """Texts a second of each size, the best of some rounds; resident MiB while so many records are derived."""
    warm_up()
    sizes = {name: _speeds(list(islice(make(random.Random(1)), texts)), rounds) for name, make in SIZES.items()}
    return {**sizes, "memory": _memory(records)}


def _speeds(texts: Sequence[str], rounds: int) -> dict[str, float]:
    talks = [talk_of(text, number) for number, text in enumerate(texts)]
    counts: dict[str, int] = {}
    steps: dict[str, Callable[[], object]] = {
        "rules": lambda: [derive(talk, FACTS, model=lambda: None) for talk in talks],
        "rules and model": lambda: [derive(talk, FACTS) for talk in talks],
        "floor": lambda: [set(_WORD.findall(unicodedata.normalize("NFKC", text).lower())) for text in texts],
    }
    if load_encoder() is not None:
        few = talks[:: max(1, len(talks) // ENCODED)]
        steps["with encoder"] = lambda: [derive(talk, FACTS, encoder=load_encoder) for talk in few]
        counts["with encoder"] = len(few)
    best = dict.fromkeys(steps, 0.0)
    for _ in range(rounds):
        for name, step in steps.items():
            best[name] = max(best[name], counts.get(name, len(texts)) / _seconds(step))
    return {"characters": mean(map(len, texts)), **{f"{name}, texts/s": value for name, value in best.items()}}


def _seconds(step: Callable[[], object]) -> float:
    began = time.process_time()
    step()
    return time.process_time() - began


def _memory(records: int) -> dict[str, float]:
    """Of a process that has done nothing else, after a tenth and after all of them."""
    command = [sys.executable, "-m", "bench.derive", str(records)]
    grown = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {f"MiB after {count}": size / 2**20 for count, size in grown.items()}


def _derive_all(records: int) -> dict[int, int]:
    warm_up()
    process, sizes = psutil.Process(), {}
    sources = [make(random.Random(2)) for make in SIZES.values()]
    for number in range(0, records, BATCH):
        texts = [next(sources[at % len(sources)]) for at in range(BATCH)]
        jobs = [
            DeriveJob(conversation=talk_of(text, number + at), facts=FACTS, public=False)
            for at, text in enumerate(texts)
        ]
        assert not any(isinstance(result, Failed) for result in derive_records(jobs))
        for mark in (records // 10, records):
            if number < mark <= number + BATCH:
                sizes[mark] = process.memory_info().rss
    return sizes


if __name__ == "__main__":
    print(json.dumps(_derive_all(int(sys.argv[1]))))
