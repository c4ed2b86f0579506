"""The one HTTP client everyone uses."""

from allears_sdk.remote.client import Remote, Response

__all__ = ["Remote", "Response"]
