"""Known services: where their IMAP servers are. All speak TLS from the first byte on port 993."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Preset = Literal[
    "gmail",
    "outlook",
    "qq",
    "tencent_exmail",
    "163",
    "126",
    "yeah",
    "netease_enterprise",
    "aliyun",
    "aliyun_enterprise",
    "icloud",
    "yahoo",
]

HOSTS: Mapping[str, str] = {
    "gmail": "imap.gmail.com",
    "outlook": "outlook.office365.com",
    "qq": "imap.qq.com",
    "tencent_exmail": "imap.exmail.qq.com",
    "163": "imap.163.com",
    "126": "imap.126.com",
    "yeah": "imap.yeah.net",
    "netease_enterprise": "imap.qiye.163.com",
    "aliyun": "imap.aliyun.com",
    "aliyun_enterprise": "imap.qiye.aliyun.com",
    "icloud": "imap.mail.me.com",
    "yahoo": "imap.mail.yahoo.com",
}


def fill(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with what their preset knows. A server that is named keeps its own port and encryption."""
    filled = dict(given)
    if isinstance(given.get("preset"), int):
        filled["preset"] = str(given["preset"])  # preset = 163
    host = HOSTS.get(filled.get("preset") or "", "")
    if host and not given.get("host"):
        filled["host"] = host
    return filled
