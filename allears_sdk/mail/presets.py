"""Known services: where their servers are. IMAP and POP3 speak TLS from the first byte, on their usual ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from allears_sdk.mail.wire import Tls


@dataclass(frozen=True, slots=True)
class Submission:
    """Where a service takes mail in."""

    host: str
    port: int = 465
    tls: Tls = "implicit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    imap: str
    pop3: str = ""
    """ "": not known."""
    smtp: Submission


SERVICES: Mapping[str, Service] = {
    "gmail": Service(imap="imap.gmail.com", smtp=Submission("smtp.gmail.com")),
    "outlook": Service(imap="outlook.office365.com", smtp=Submission("smtp.office365.com", 587, "starttls")),
    "qq": Service(imap="imap.qq.com", pop3="pop.qq.com", smtp=Submission("smtp.qq.com")),
    "tencent_exmail": Service(
        imap="imap.exmail.qq.com", pop3="pop.exmail.qq.com", smtp=Submission("smtp.exmail.qq.com")
    ),
    "163": Service(imap="imap.163.com", pop3="pop.163.com", smtp=Submission("smtp.163.com")),
    "126": Service(imap="imap.126.com", pop3="pop.126.com", smtp=Submission("smtp.126.com")),
    "yeah": Service(imap="imap.yeah.net", pop3="pop.yeah.net", smtp=Submission("smtp.yeah.net")),
    "netease_enterprise": Service(imap="imap.qiye.163.com", smtp=Submission("smtp.qiye.163.com", 994)),
    "aliyun": Service(imap="imap.aliyun.com", smtp=Submission("smtp.aliyun.com")),
    "aliyun_enterprise": Service(
        imap="imap.qiye.aliyun.com", pop3="pop.qiye.aliyun.com", smtp=Submission("smtp.qiye.aliyun.com")
    ),
    "icloud": Service(imap="imap.mail.me.com", smtp=Submission("smtp.mail.me.com", 587, "starttls")),
    "yahoo": Service(imap="imap.mail.yahoo.com", smtp=Submission("smtp.mail.yahoo.com")),
}
"""By the name of the preset."""


def fill(given: Mapping[str, Any], hosts: Mapping[str, str]) -> dict[str, Any]:
    """The settings with what their preset knows. A server that is named keeps its own port and encryption."""
    filled = dict(given)
    if isinstance(given.get("preset"), int):
        filled["preset"] = str(given["preset"])  # preset = 163
    host = hosts.get(str(filled.get("preset") or ""), "")
    if host and not given.get("host"):
        filled["host"] = host
    return filled
