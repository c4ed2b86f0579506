"""The one HTTP client everyone uses: time-outs, rate limits, size caps and errors are settled here, once."""

from allears_sdk.remote.answers import check_status
from allears_sdk.remote.client import Remote
from allears_sdk.remote.exchange import Response, Stream
from allears_sdk.remote.guard import PrivateAddress
from allears_sdk.remote.login import basic_auth
from allears_sdk.remote.socket import Socket

__all__ = ["PrivateAddress", "Remote", "Response", "Socket", "Stream", "basic_auth", "check_status"]
