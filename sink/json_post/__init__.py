"""POSTs a body of the admin's own making: for no-code platforms and in-house systems with an HTTP API."""

from sink.json_post.settings import JsonPostSettings
from sink.json_post.sink import JsonPostSink

__all__ = ["JsonPostSettings", "JsonPostSink"]
