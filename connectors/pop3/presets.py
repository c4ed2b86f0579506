"""Known services: where their POP3 servers are. All speak TLS from the first byte on port 995."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Preset = Literal["qq", "tencent_exmail", "163", "126", "yeah", "aliyun_enterprise"]

HOSTS: Mapping[str, str] = {
    "qq": "pop.qq.com",
    "tencent_exmail": "pop.exmail.qq.com",
    "163": "pop.163.com",
    "126": "pop.126.com",
    "yeah": "pop.yeah.net",
    "aliyun_enterprise": "pop.qiye.aliyun.com",
}


def fill(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with what their preset knows. A server that is named keeps its own port and encryption."""
    filled = dict(given)
    if isinstance(given.get("preset"), int):
        filled["preset"] = str(given["preset"])  # preset = 163
    host = HOSTS.get(str(filled.get("preset") or ""), "")
    if host and not given.get("host"):
        filled["host"] = host
    return filled
