"""OAuth 2.0 for every connector and sink: logging in once, and access tokens from then on."""

from allears_sdk.oauth.client import OAuth
from allears_sdk.oauth.settings import OAuthSettings

__all__ = ["OAuth", "OAuthSettings"]
