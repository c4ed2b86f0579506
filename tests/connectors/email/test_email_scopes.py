"""What is asked for, by provider and by the way in, as their documentation names it."""

from __future__ import annotations

from typing import Any

import pytest

from allears_sdk.mail.xoauth2 import mail_scopes
from allears_sdk.oauth import OAuthSettings

MICROSOFT = {"provider": "microsoft", "tenant": "contoso.onmicrosoft.com", "client_id": "6731de76"}
GOOGLE = {"provider": "google", "client_id": "7741", "client_secret": "s"}
OWN = {
    "provider": "custom",
    "client_id": "x",
    "grant": "device",
    "token_url": "https://a/t",
    "device_url": "https://a/d",
}


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (MICROSOFT, ("https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access")),
        (
            MICROSOFT | {"grant": "client_credentials", "client_secret": "s"},
            ("https://outlook.office365.com/.default",),
        ),
        (GOOGLE, ("https://mail.google.com/",)),
        (OWN, ()),
        (OWN | {"scopes": ["mail", "offline_access"]}, ("mail", "offline_access")),
    ],
)
def test_scopes(given: dict[str, Any], asked: tuple[str, ...]) -> None:
    settings = OAuthSettings.model_validate(given)
    assert settings.effective_scopes(mail_scopes(settings, "imap")) == asked
