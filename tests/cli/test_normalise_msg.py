"""`allears normalise` on Outlook messages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.normalizer.readers.outlook import Value, msg

Allears = Callable[..., Any]


def test_a_folder_of_outlook_messages(allears: Allears, tmp_path: Path) -> None:
    folder = tmp_path / "mails"
    folder.mkdir()
    text = "买了三天就坏了，完全不加热，要求退款。订单号3384756201948857231"
    attachments: list[dict[int, Value]] = [{0x3707: "photo.jpg", 0x370E: "image/jpeg", 0x3701: b"\xff\xd8\xff\xe0"}]
    (folder / "a.msg").write_bytes(
        msg(
            {0x0037: "空气炸锅", 0x1000: text, 0x0C1A: "王芳", 0x5D01: "fang.wang@example.com"}, attachments=attachments
        )
    )
    (folder / "b.msg").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 damaged")
    outcome = allears("normalise", str(folder))
    good, bad = outcome.lines
    message = good["message"]
    assert (message["author"]["name"], message["author"]["email"]) == ("王芳", "fang.wang@example.com")
    assert [(one["name"], one["size"]) for one in message["attachments"]] == [("photo.jpg", 4)]
    assert good["complaint"]["category"] == "product.function_failure"
    assert "damaged" in bad["error"]
    assert outcome.code == 1
