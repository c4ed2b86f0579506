"""Damages real mails at random and reads them: what raises, or takes too long, is kept and printed.

    python scripts/fuzz.py [--minutes 10] [--seed N] [FOLDER …]

Takes every .eml under the folders (by default ../shared/eval/mail and tests), changes bytes, lines and parts of it,
mixes in parts of others, and has each read, trimmed, encoded and derived as a worker would. Exit code 1 when
something was found; the mails lie in ./fuzz-findings then.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from allears.workers.tasks import Failed, ReadJob, read_raws
from allears_sdk.message import RFC822, Raw
from normalizer.conversation import Facts
from normalizer.readers.rfc822 import attachment_bytes, read_mail

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (ROOT.parent / "shared" / "eval" / "mail", ROOT / "tests", ROOT / "docs")
FINDINGS = Path("fuzz-findings")
MAX_BYTES = 100_000
SLOW_SECONDS = 2.0
TOKENS = (
    b"\r\n", b"\n\n", b"\r", b"\0", b"--", b"=?gbk?B?", b"=?utf-8?Q?", b"?=", b"=\n", b"=E5", b"\xff\xfe", b"\xc4\xe3",
    b"\x1b$B", b"Content-Type: multipart/mixed; boundary=", b"Content-Type: message/rfc822\n\n", b"From: ",
    b"Content-Transfer-Encoding: base64\n", b"charset=utf-7", b"charset=hz-gb-2312", b"charset=utf-16", b"> ", b"<!--",
    b"begin 644 a\n", b"<div>", b"&#x0;", b"\x78\x9f\x3e\x22", b"-----Original Message-----\n", "写道：".encode(),
    "发件人：".encode("gbk"), b"Subject: ",
)  # fmt: skip
_AT = datetime(2026, 1, 1, tzinfo=UTC)
_FACTS = Facts(channel="mail", connector="email")

Damage = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def _flip(chance: random.Random, mail: bytearray, _: Sequence[bytes]) -> None:
    for _number in range(chance.randint(1, 20)):
        mail[chance.randrange(len(mail))] = chance.randrange(256)


def _cut(chance: random.Random, mail: bytearray, _: Sequence[bytes]) -> None:
    start = chance.randrange(len(mail))
    del mail[start : start + chance.randint(1, max(1, len(mail) // 4))]


def _insert(chance: random.Random, mail: bytearray, _: Sequence[bytes]) -> None:
    for _number in range(chance.randint(1, 5)):
        at = chance.randrange(len(mail) + 1)
        mail[at:at] = chance.choice(TOKENS) * chance.choice((1, 1, 1, 2, 50))


def _splice(chance: random.Random, mail: bytearray, others: Sequence[bytes]) -> None:
    other = chance.choice(others)
    start = chance.randrange(len(other))
    at = chance.randrange(len(mail) + 1)
    mail[at:at] = other[start : start + chance.randint(1, 4000)]


def _swap_lines(chance: random.Random, mail: bytearray, _: Sequence[bytes]) -> None:
    lines = mail.splitlines(keepends=True)
    for _number in range(chance.randint(1, 4)):
        one, two = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[one], lines[two] = lines[two], lines[one]
    mail[:] = b"".join(lines)


DAMAGES: tuple[Damage, ...] = (_flip, _cut, _insert, _splice, _swap_lines)


def damaged(chance: random.Random, mails: Sequence[bytes]) -> bytes:
    mail = bytearray(chance.choice(mails))
    for _number in range(chance.randint(1, 4)):
        if mail:
            chance.choice(DAMAGES)(chance, mail, mails)
    return bytes(mail[: 2 * MAX_BYTES])


def fault(mail: bytes) -> str:
    """What is wrong with how this mail is read; "" when nothing is."""
    raw = Raw(key="fuzz", body=mail, media_type=RFC822, received_at=_AT)
    job = ReadJob(raw_id=0, raw=raw, body_file="", facts=_FACTS, stands_alone=True, public=False)
    started = time.process_time()
    (result,) = read_raws([job])
    if isinstance(result, Failed):
        return result.reason
    if time.process_time() - started > SLOW_SECONDS:
        return f"took {time.process_time() - started:.1f} s"
    for index, attachment in enumerate(read_mail(mail).attachments[:5]):
        if len(attachment_bytes(mail, index)) != attachment.size:
            return f"attachment {index} has another size when it is read again"
    return ""


def load(folders: Sequence[Path]) -> list[bytes]:
    found = (path.read_bytes() for folder in folders if folder.is_dir() for path in sorted(folder.rglob("*.eml")))
    return [mail[:MAX_BYTES] for mail in found if mail]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=FOLDERS, metavar="FOLDER")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    asked = parser.parse_args()
    mails = load(asked.folders)
    if not mails:
        print("No .eml in these folders: nothing to damage.", file=sys.stderr)
        return 2
    faults = _run(mails, asked.seed, asked.minutes * 60)
    for reason, count in faults.most_common():
        print(f"{count:6d}  {reason}")
    return 1 if faults else 0


def _run(mails: Sequence[bytes], seed: int, seconds: float) -> Counter[str]:
    chance, faults, count = random.Random(seed), Counter[str](), 0
    until = told = time.monotonic()
    until += seconds
    while time.monotonic() < until:
        mail, count = damaged(chance, mails), count + 1
        if reason := fault(mail):
            faults[reason] += 1
            FINDINGS.mkdir(exist_ok=True)
            (FINDINGS / f"{seed}-{count}.eml").write_bytes(mail)
        if time.monotonic() - told > 30:
            told = time.monotonic()
            print(f"{count} mails, {sum(faults.values())} findings, {until - told:.0f} s to go", file=sys.stderr)
    print(f"{count} damaged mails from {len(mails)} (seed {seed}): {sum(faults.values())} findings")
    return faults


if __name__ == "__main__":
    sys.exit(main())
