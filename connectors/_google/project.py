"""Which Google Cloud project a login belongs to: quotas are a project's."""

from __future__ import annotations

import re

from allears_sdk.oauth import OAuthSettings
from allears_sdk.oauth.assertion import load_key

PACIFIC = "America/Los_Angeles"
"""Where the day of a quota ends."""
_CLIENT = re.compile(r"(\d+)[-.]")
_SERVICE_ACCOUNT = re.compile(r"@([\w-]+)\.iam\.gserviceaccount\.com$")


def project_of(oauth: OAuthSettings) -> str:
    """Its number, which a client id begins with, or the id that a service account's address holds; else who logs in."""
    if key := oauth.service_account:
        email = load_key(key.get_secret_value()).client_email
        found = _SERVICE_ACCOUNT.search(email)
        return found[1] if found else email
    found = _CLIENT.match(oauth.client_id)
    return found[1] if found else oauth.client_id
