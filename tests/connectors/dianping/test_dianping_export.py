"""What the consoles of 大众点评 and 美团外卖 export, dropped into a watched folder: the words their APIs leave out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.folder import FolderConnector, FolderSettings

HEADER = "门店名称,评价ID,评价时间,用户昵称,总体评分,评价内容,订单号,商家回复"
ROW = "示例餐厅（人民路店）,4008600001,2026-11-21 20:15,李雷,1,服务员态度恶劣，菜里有头发,493500000001,非常抱歉"


@pytest.mark.parametrize("mapping", ["dianping", "meituan"])
async def test_an_export_of_the_console(tmp_path: Path, mapping: str) -> None:
    inbox, journal = tmp_path / "in", MiniJournal()
    inbox.mkdir()
    context = make_context("exports", tmp_path, clock=FakeClock(), known=journal.known)
    settings = FolderSettings(path=inbox, settle_file_seconds=0, mapping=mapping)
    for number, text in enumerate((ROW, ROW, ROW.replace(",1,", ",5,"))):
        (inbox / f"评价 {number}.csv").write_bytes(f"{HEADER}\r\n{text}\r\n".encode("gb18030"))
        await hear(FolderConnector(settings, context), journal)
    await context.remote.aclose()
    review, answer, edited = (json.loads(raw.body) for raw in journal.raws)
    assert "服务员态度恶劣" in str(review)
    assert "示例餐厅" in str(review["product"])
    assert review["order"] == "493500000001"
    assert review["rating"]["value"] == 1
    assert "非常抱歉" in str(answer)
    assert edited["rating"]["value"] == 5
