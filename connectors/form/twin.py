"""`POST` of one Message as JSON: the page's twin for shops, apps and other systems. The hottest path of the house."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import msgspec

from allears_sdk.connector import Accepted, Answer, Reception, Request
from allears_sdk.message import MESSAGE_JSON, Message, Raw
from connectors._web.problem import refuse

MAX_BYTES = 1 << 20
_MAX_KEY_CHARS = 200
_JSON = "application/json"


class _Glance(msgspec.Struct, gc=False):
    """All that is looked at here; the whole message is validated in a worker."""

    text: str
    external_id: str | int | None = ""
    thread: str | int | list[str | int] | None = ""


def _known_keys() -> list[tuple[str, type, msgspec.Raw]]:
    """Those of a message that are passed over here; any other is a mistake its sender should hear of at once."""
    names = {field.name for field in fields(Message)} | {"connector", "channel"}
    return [(name, msgspec.Raw, msgspec.Raw()) for name in sorted(names - set(_Glance.__struct_fields__))]


_checked: Any = msgspec.defstruct("_Checked", _known_keys(), bases=(_Glance,), gc=False, forbid_unknown_fields=True)
_glance: Callable[[bytes], _Glance] = msgspec.json.Decoder(_checked).decode


def receive(
    request: Request, *, token: bytes, max_text_chars: int, context: dict[str, str], cors: dict[str, str]
) -> Reception:
    """Raws and answer of one post. `token` is the `Authorization` value asked for, b"" for none; `context`
    goes into every raw, `cors` into every answer."""
    authorization, idempotency_key = _facts(request.headers)
    if token and not hmac.compare_digest(authorization.encode("utf-8", "replace"), token):
        return refuse(401, "the bearer token is missing or wrong", {**cors, "WWW-Authenticate": "Bearer"})
    body = request.body
    if len(body) > MAX_BYTES:
        return refuse(413, f"a JSON message has at most {MAX_BYTES} bytes", cors)
    try:
        message = _glance(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return refuse(400, f"the body is not a message: {error}", cors)
    external_id = "" if message.external_id is None else str(message.external_id)
    if fault := _fault(message.text, external_id, idempotency_key, max_text_chars):
        return refuse(400, fault, cors)
    digest = hashlib.sha256(body).hexdigest()
    key = external_id or (f"id:{idempotency_key}" if idempotency_key else f"sha256:{digest}")
    raw = Raw(
        key=key,
        body=body,
        media_type=MESSAGE_JSON,
        received_at=request.received_at,
        digest=digest,
        thread=_root(message.thread) or key,
        context=context,
    )
    return Reception(raws=(raw,), answer=_answer_with(cors) if cors else answer)


def answer(accepted: Sequence[Accepted], headers: dict[str, str] | None = None) -> Answer:
    one = accepted[0]
    status, word = (201, "accepted") if one.is_new else (200, "already_known")
    body = f'{{"reference":"{one.reference}","status":"{word}"}}'
    return Answer(status=status, body=body.encode(), media_type=_JSON, headers=headers or {})


def _facts(headers: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Authorization and Idempotency-Key in one walk; a repeated one counts as unusable."""
    found: dict[str, Any] = {}
    for name, value in headers:
        if len(name) in (13, 15):
            lowered = name.lower()
            found[lowered] = value if found.get(lowered, value) == value else ""
    return found.get("authorization", ""), found.get("idempotency-key", "")


def _fault(text: str, external_id: str, idempotency_key: str, max_text_chars: int) -> str:
    if not text or text.isspace():
        return "`text` is empty"
    if len(text) > max_text_chars:
        return f"`text` has {len(text)} characters; at most {max_text_chars} are taken"
    if len(external_id) > _MAX_KEY_CHARS or len(idempotency_key) > _MAX_KEY_CHARS:
        return f"`external_id` and `Idempotency-Key` have at most {_MAX_KEY_CHARS} characters"
    return ""


def _root(thread: str | int | list[str | int] | None) -> str:
    """A message's thread lists the nearest first and the root last."""
    if isinstance(thread, list):
        thread = thread[-1] if thread else ""
    return "" if thread is None else str(thread)


def _answer_with(headers: dict[str, str]) -> Any:
    return lambda accepted: answer(accepted, headers)
