"""Which settings can work, and what is asked for with them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.oauth import OAuthSettings
from tests.sdk.oauth.desk import IMAP, device_settings

WRONG = [
    ({"provider": "microsoft", "client_id": "x"}, "tenant"),
    ({"provider": "microsoft", "client_id": "x", "tenant": "a/../b"}, "tenant"),
    ({"provider": "microsoft", "tenant": "contoso.com"}, "client_id is missing"),
    (
        {
            "provider": "microsoft",
            "client_id": "x",
            "tenant": "common",
            "grant": "client_credentials",
            "client_secret": "s",
        },
        "one tenant",
    ),
    (
        {
            "provider": "microsoft",
            "client_id": "x",
            "tenant": "organizations",
            "grant": "client_credentials",
            "client_secret": "s",
        },
        "one tenant",
    ),
    (
        {"provider": "microsoft", "client_id": "x", "tenant": "contoso.com", "grant": "client_credentials"},
        "client_secret",
    ),
    ({"provider": "google", "client_id": "x"}, "client_secret"),
    ({"provider": "google", "client_id": "x", "client_secret": "s", "grant": "device"}, "device code"),
    ({"provider": "google", "grant": "service_account"}, "JSON key"),
    ({"provider": "google", "client_id": "x", "client_secret": "s", "service_account": "{}"}, "go together"),
    ({"provider": "custom", "client_id": "x", "token_url": "https://sso.example.com/token"}, "authorize_url"),
    ({"provider": "custom", "client_id": "x", "authorize_url": "https://sso.example.com/a"}, "token_url"),
    (
        {"provider": "custom", "client_id": "x", "token_url": "http://sso.example.com/token", "grant": "device"},
        "token_url",
    ),
]


@pytest.mark.parametrize(("given", "says"), WRONG)
def test_settings_that_cannot_work(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        OAuthSettings.model_validate(given)


def test_another_cloud() -> None:
    """Microsoft 365 in China, run by 21Vianet, has addresses of its own."""
    settings = device_settings(token_url="https://login.partner.microsoftonline.cn/contoso.cn/oauth2/v2.0/token")
    assert settings.effective_token_url.startswith("https://login.partner.microsoftonline.cn/")
    assert device_settings(scopes=["a"]).effective_scopes([IMAP]) == ("a",)
