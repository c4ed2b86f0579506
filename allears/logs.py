"""Logging: key=value lines for people, or JSON for a collector."""

from __future__ import annotations

import io
import logging
import sys
from typing import Any, Literal, TextIO

import structlog

from allears_sdk.masking import KINDS, mask_text

_QUOTING = ("reason", "detail", "error", "exception")
"""What others say, who may repeat a customer's words."""


def configure(log_format: Literal["console", "json"] = "console", level: str = "info") -> None:
    """Everything goes to standard error; other libraries' warnings come through the same lines."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask,
    ]
    last: structlog.typing.Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if log_format == "console":
        last = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=_write_traceback,
        )
        shared.remove(structlog.processors.format_exc_info)  # the console renderer prints tracebacks itself
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("allears").setLevel(level.upper())


def _mask(logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key in _QUOTING:
        if isinstance(event.get(key), str):
            event[key] = mask_text(event[key], KINDS)
    return event


def _write_traceback(out: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
    """The plain one: others show variables, so secrets and what customers said."""
    text = io.StringIO()
    structlog.dev.plain_traceback(text, exc_info)
    out.write(mask_text(text.getvalue(), KINDS))
