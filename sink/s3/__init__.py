"""Puts each event into a bucket of object storage, as an object of its own."""

from __future__ import annotations

from sink.s3.settings import S3Settings
from sink.s3.sink import S3Sink

__all__ = ["S3Settings", "S3Sink"]
