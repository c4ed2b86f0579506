"""What a part of a mail is called: as the sender or a convention says; failing that, a title for people."""

from __future__ import annotations

import re

from normalizer.readers import charset, mime, transfer
from normalizer.readers.mime import Part
from normalizer.readers.mime_header import decode_value

_DEFAULT_NAMES = {
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s",
    "application/pgp-signature": "signature.asc",
    "application/pgp-encrypted": "version.asc",
}
"""Envelopes and signatures, which programs know by these names."""
_EXTENSIONS = {
    "application/gzip": "gz",
    "application/json": "json",
    "application/msword": "doc",
    "application/octet-stream": "bin",
    "application/pdf": "pdf",
    "application/rtf": "rtf",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/zip": "zip",
    "audio/mpeg": "mp3",
    "image/jpeg": "jpg",
    "image/svg+xml": "svg",
    "text/html": "html",
    "text/plain": "txt",
    "text/vcard": "vcf",
    "text/x-vcard": "vcf",
    "video/quicktime": "mov",
}
_SAME_AS_SUBTYPE = re.compile(r"(image|audio|video)/([a-z0-9]{2,5})|text/([a-z]{3,4})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MAX_CHARACTERS = 200
_PATH = re.compile(r"^(?:[A-Za-z]:[\\/]|[\\/]|\.\.?[\\/]|file:/*)(?:.*[\\/])?", re.DOTALL)


def name_of(part: Part, content: bytes) -> str:
    """As the sender named it, else by convention; empty when neither says anything."""
    given = file_name(part)
    if given:
        return given
    if name := _DEFAULT_NAMES.get(part.media_type, ""):
        return name
    if encoded := transfer.uu_name(part.body, part.header("content-transfer-encoding")):
        return clean_name(charset.decode(encoded))
    return "encrypted.asc" if content.lstrip().startswith(b"-----BEGIN PGP MESSAGE-----") else ""


def title_of(part: Part, content: bytes) -> str:
    """By address, subject or media type: nobody can open a file without a name."""
    if name := _name_in_location(decode_value(part.header("content-location"))):
        return name
    if part.media_type in ("message/rfc822", "message/global"):
        return _mail_name(content)
    return _name_by_type(part.media_type)


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
    name = _PATH.sub("", " ".join(_CONTROL.sub(" ", name).split()))
    if name[:1] == name[-1:] == "'":
        name = name.strip("'")
    if len(name) <= _MAX_CHARACTERS:
        return name
    stem, dot, extension = name.rpartition(".")
    return f"{stem[:180]}.{extension}" if dot and len(extension) < 12 else name[:_MAX_CHARACTERS]


def _name_by_type(media_type: str) -> str:
    if media_type == "text/calendar":
        return "invite.ics"
    main = media_type.partition("/")[0]
    stem = main if main in ("image", "audio", "video") else "attachment"
    same = _SAME_AS_SUBTYPE.fullmatch(media_type)
    extension = _EXTENSIONS.get(media_type) or (same and (same[2] or same[3])) or ""
    return f"{stem}.{extension}" if extension else stem


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
    subject = decode_value(mime.parse_header_block(content).get("subject", [b""])[0])
    return re.sub(r'[\\/:*?"<>|\s]+', " ", subject).strip()[:120] + ".eml" if subject else "message.eml"
