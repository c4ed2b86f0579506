"""The watched folder keeps every connector's promises."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from allears_sdk.context import Context
from allears_sdk.message import Raw
from allears_sdk.testing.connectors import ConnectorContract
from connectors.folder import FolderConnector, FolderSettings


class TestFolder(ConnectorContract):
    @pytest.fixture(autouse=True)
    def source(self, tmp_path: Path) -> None:
        self.inbox = tmp_path / "inbox"
        self.inbox.mkdir()
        self.count = 0

    def make_connector(self, context: Context) -> FolderConnector:
        settings = FolderSettings(path=self.inbox, settle_file_seconds=0, max_file_bytes=4096)
        return FolderConnector(settings, context)

    def _name(self, suffix: str) -> Path:
        self.count += 1
        return self.inbox / f"投诉 {self.count}{suffix}"

    async def put(self, text: str) -> None:
        mail = EmailMessage()
        mail["From"], mail["Subject"] = "wang@example.com", "投诉"
        mail.set_content(text, cte="8bit")
        self._name(".eml").write_bytes(mail.as_bytes())

    async def put_bytes(self, text: bytes) -> None:
        self._name(".eml").write_bytes(b"From: wang@example.com\r\n\r\n" + text)

    async def put_malformed(self) -> None:
        self._name(".jsonl").write_bytes(b'{"text": "cut off')

    async def put_oversize(self) -> None:
        self._name(".eml").write_bytes(b"From: wang@example.com\r\n\r\n" + b"x" * 5000)

    async def rate(self, stars: int) -> None:
        self._name(".csv").write_text(f"评价编号,评价内容,评分\nR-1,还行吧,{stars}\n", "utf-8")

    def words(self, raw: Raw) -> str:
        return raw.body.decode("utf-8", "replace")
