"""What every channel of a marketplace promises about the seller's grant, on the simulator of its platform."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Protocol

import pytest

from allears_sdk.connector import Connector
from allears_sdk.errors import AuthError, ConfigError
from allears_sdk.testing import FakeClock
from tests.connectors._marketplace.person import Seller

BACK = "https://shop.example.com/granted"
Connect = Callable[..., Connector[Any]]


class Market(Protocol):
    tokens: set[str]
    """Those it takes."""
    granted: list[dict[str, str]]
    """Forms of its grants."""
    calls: list[Any]


class SellersGrants:
    """`page`: how the address begins that the seller opens. `told_by`: the field by which the platform tells a code's
    call from a refresh token's, and what it says. `lasts`: how long a token does. `given`: settings."""

    page: ClassVar[str]
    told_by: ClassVar[tuple[str, str, str]]
    lasts: ClassVar[timedelta] = timedelta(days=1)
    given: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    @abstractmethod
    def market(self) -> Market:
        """The simulator, as its module makes it."""

    async def test_an_expired_token_that_was_given(self, connect: Connect, market: Market) -> None:
        market.tokens = set()
        with pytest.raises(AuthError, match="access_token"):
            await connect(**self.given).check()

    async def test_the_seller_logs_in_once_and_the_token_is_renewed(
        self, connect: Connect, market: Market, clock: FakeClock
    ) -> None:
        granted = {**self.given, "access_token": None, "redirect_url": BACK}
        connector, seller = connect(**granted), Seller()
        with pytest.raises(AuthError, match="channels login support"):
            await connector.check()
        await connector.login(seller)
        assert seller.shown.startswith(self.page)
        await connector.check()
        assert [form.get("code") for form in market.granted] == ["c-1"]
        clock.advance(self.lasts)
        market.calls.clear()
        await connector.check()
        assert market.granted[-1]["refresh_token"] == "r-1"
        assert "access_token" not in market.granted[-1]
        market.tokens = {"another"}  # withdrawn before its time
        market.calls.clear()
        await connect(**granted).check()
        field, first, later = self.told_by
        assert [form[field] for form in market.granted] == [first, later, later]
        assert ["refresh_token" in form for form in market.granted] == [False, True, True]

    async def test_a_log_in_that_comes_to_nothing(self, connect: Connect, market: Market) -> None:
        with pytest.raises(ConfigError, match="redirect_url"):
            await connect(**self.given, access_token=None).login(Seller())
        connector = connect(**self.given, access_token=None, redirect_url=BACK)
        with pytest.raises(AuthError, match="nobody granted"):
            await connector.login(Seller(lines=0))
        with pytest.raises(AuthError, match=r"refuses the grant.*channels login support"):
            await connector.login(Seller("wrong"))
