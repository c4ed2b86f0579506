"""What a part of a mail is called: as the sender named it, else as mail programs would."""

from __future__ import annotations

import re

from normalizer.readers import mime
from normalizer.readers.mime import Part

_DEFAULT_NAMES = {
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s",
    "application/pgp-signature": "signature.asc",
    "text/calendar": "invite.ics",
}
_PATH = re.compile(r"^(?:[A-Za-z]:[\\/]|[\\/]|\.\.?[\\/]|file:/*)(?:.*[\\/])?", re.DOTALL)


def name_of(part: Part, content: bytes) -> str:
    """Empty where neither the sender nor a convention names it."""
    given = file_name(part)
    if given:
        return given
    location = part.header("content-location").decode("utf-8", "replace").strip()
    if name := _DEFAULT_NAMES.get(part.media_type, "") or _name_in_location(location):
        return name
    if part.media_type in ("message/rfc822", "message/global"):
        return _mail_name(content)
    return "encrypted.asc" if content.lstrip().startswith(b"-----BEGIN PGP MESSAGE-----") else ""


def file_name(part: Part) -> str:
    """As the sender named it, without any folders; empty when not named."""
    name = part.disposition_parameters.get("filename") or part.parameters.get("name") or ""
    if not name:
        name = part.disposition_parameters.get("name") or part.parameters.get("filename") or ""
    return clean_name(name)


def clean_name(name: str) -> str:
    """Without folders, on one line, of a length any file system takes."""
    if "%" in name and name.isascii():
        name = _unquote(name)
    return _PATH.sub("", " ".join(name.split()))[:200]


def _name_in_location(location: str) -> str:
    """`Content-Location: photo.jpg`, as old MMS gateways name their pictures."""
    return location if re.fullmatch(r"[^\s/\\:?#<>]{1,100}\.[A-Za-z0-9]{2,5}", location) else ""


def _unquote(name: str) -> str:
    """Some programs percent-encode a plain parameter; only what then is non-ASCII UTF-8 was meant so."""
    from urllib.parse import unquote

    decoded = unquote(name, errors="replace")
    return decoded if not decoded.isascii() and "\ufffd" not in decoded else name


def _mail_name(content: bytes) -> str:
    """A nested mail is named by its subject, as mail programs do."""
    from normalizer.readers.mime_header import decode_value

    subject = decode_value(mime.parse_header_block(content).get("subject", [b""])[0])
    return re.sub(r'[\\/:*?"<>|\s]+', " ", subject).strip()[:120] + ".eml" if subject else "message.eml"
