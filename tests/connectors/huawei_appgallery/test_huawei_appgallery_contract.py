"""AppGallery keeps every connector's promises."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from allears_sdk.context import Context
from allears_sdk.testing import FakeClock, RecordingLog, make_context
from allears_sdk.testing.connectors import ConnectorContract
from allears_sdk.testing.journal import MiniJournal
from connectors.huawei_appgallery import HuaweiAppGalleryConnector
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors.huawei_appgallery.conftest import APP, AppGallery, make_settings


class TestOnePage(ConnectorContract):
    page_items = 100

    @pytest.fixture(autouse=True)
    def source(self) -> Iterator[None]:
        self.gallery = AppGallery()
        self.gallery.page_items = self.page_items
        with answered_by(self.gallery.answer):
            yield

    @pytest.fixture
    def context(self, tmp_path: Path, journal: MiniJournal, log: RecordingLog) -> Context:
        clock = FakeClock()
        return make_context("gallery", tmp_path, clock=clock, known=journal.known, log=log, remote=make_remote(clock))

    def make_connector(self, context: Context) -> HuaweiAppGalleryConnector:
        return HuaweiAppGalleryConnector(make_settings(), context)

    async def put(self, text: str) -> None:
        number = len(self.gallery.reviews[APP])
        self.gallery.write(number, text, age=timedelta(hours=2) - timedelta(minutes=number))

    async def put_malformed(self) -> None:
        self.gallery.write(len(self.gallery.reviews[APP]), "?", stars="five")

    async def rate(self, stars: int) -> None:
        self.gallery.write(1, "闪退，要求退款", stars=stars)


class TestManyPages(TestOnePage):
    """Each of two reviews; the malformed one has no date."""

    page_items = 2

    async def put_malformed(self) -> None:
        self.gallery.write(len(self.gallery.reviews[APP]), "?", dateline="yesterday")
