"""Whose quota a login uses."""

from __future__ import annotations

from typing import Any

import pytest

from allears_sdk.codec import encode
from allears_sdk.oauth import OAuthSettings
from connectors._google.project import project_of
from tests.connectors._google.cloud import robot


def robot_of(email: str) -> dict[str, Any]:
    key = {"type": "service_account", "client_email": email, "private_key": "-", "private_key_id": "5f0c"}
    return robot() | {"service_account": encode(key).decode()}


@pytest.mark.parametrize(
    ("given", "project"),
    [
        ({"client_id": "123456789012-abc9.apps.googleusercontent.com"}, "123456789012"),
        ({"client_id": "123456789012.apps.googleusercontent.com"}, "123456789012"),
        ({"client_id": "behind-a-proxy"}, "behind-a-proxy"),
        (robot_of("allears@shop-reviews-1.iam.gserviceaccount.com"), "shop-reviews-1"),
        (robot_of("1234-compute@developer.gserviceaccount.com"), "1234-compute@developer.gserviceaccount.com"),
    ],
)
def test_the_project_of_a_login(given: dict[str, Any], project: str) -> None:
    settings = OAuthSettings.model_validate({"provider": "google", "client_secret": "s"} | given)
    assert project_of(settings) == project
