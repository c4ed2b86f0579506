"""A tree of parts → what is read (text and HTML) and what is attached, in the order they stand in the mail."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from normalizer.readers import charset, html, mime, tnef, transfer
from normalizer.readers.mime import Part

MAX_TEXT_BYTES = 8 * 1024 * 1024
"""Of one text part; more of it is kept as an attachment, beside the beginning as text."""
_MAX_UU_FILES = 50

_DEFAULT_NAMES = {
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s",
    "application/pgp-signature": "signature.asc",
    "text/calendar": "invite.ics",
}
_SECOND_CHOICE = frozenset({"text/enriched", "text/richtext", "text/markdown"})
_NEEDS_HTML = re.compile(
    r"\bhtml\b|web ?browser|in your browser|不支持|无法显示|無法顯示|网页版|浏览器|瀏覽器|HTMLメール", re.IGNORECASE
)
_FLOWED_QUOTE = (">", " >")
_PATH = re.compile(r"^(?:[A-Za-z]:[\\/]|[\\/]|\.\.?[\\/]|file:/*)(?:.*[\\/])?", re.DOTALL)


@dataclass(slots=True)
class Leaf:
    """A file that came with the mail."""

    name: str
    media_type: str
    content: bytes
    content_id: str = ""
    location: str = ""
    inline: bool = False


@dataclass(slots=True)
class Segment:
    """One piece of the readable body: as plain text, as HTML, or both."""

    text: str = ""
    html: str = ""


@dataclass(slots=True)
class Body:
    segments: list[Segment] = field(default_factory=list)
    files: list[Leaf] = field(default_factory=list)
    read: list[bytes] = field(default_factory=list)
    """The decoded bytes of what is read, for the content digest."""

    @property
    def text(self) -> str:
        return "\n".join(filter(None, map(_readable, self.segments)))

    @property
    def html(self) -> str:
        return "\n".join(segment.html for segment in self.segments if segment.html)


def read_body(root: Part) -> Body:
    """Everything in the mail below `root`."""
    body = Body()
    has_text = _has_plain_body(root)
    _walk(root, body, body.segments, has_text=has_text, in_related=False)
    _open_winmail(body)
    _mark_inline(body)
    return body


def _readable(segment: Segment) -> str:
    plain = segment.text
    if not segment.html:
        return plain
    if not plain.strip() or (len(plain) < 400 and _NEEDS_HTML.search(plain)):
        reduced = html.to_text(segment.html)
        return reduced if len(reduced) > len(plain.strip()) else plain
    return plain


def _has_plain_body(root: Part) -> bool:
    """Whether some text part without a file name is there to be the body."""
    stack = [root]
    while stack:
        part = stack.pop()
        stack += part.children
        is_text = not part.children and part.media_type in ("text/plain", "text/html")
        if is_text and not file_name(part) and part.disposition != "attachment":
            return True
    return False


def _walk(part: Part, body: Body, segments: list[Segment], *, has_text: bool, in_related: bool) -> None:
    if part.children:
        _walk_children(part, body, segments, has_text=has_text, in_related=in_related)
    elif _is_body(part, has_text=has_text):
        segment = _read_text(part, body)
        if part.media_type not in _SECOND_CHOICE or not any(other.text.strip() for other in segments):
            segments.append(segment)
        if file_name(part):
            body.files.append(_read_file(part, in_related=in_related))
    elif part.media_type != "text/x-amp-html":
        body.files.append(_read_file(part, in_related=in_related))


def _walk_children(part: Part, body: Body, segments: list[Segment], *, has_text: bool, in_related: bool) -> None:
    related = in_related or part.media_type == "multipart/related"
    if part.media_type != "multipart/alternative":
        for child in part.children:
            _walk(child, body, segments, has_text=has_text, in_related=related)
        return
    choices: list[Segment] = []
    for child in part.children:
        _walk(child, body, choices, has_text=has_text, in_related=related)
    if choices:
        text = "\n".join(choice.text for choice in choices if choice.text)
        markup = "\n".join(choice.html for choice in choices if choice.html)
        segments.append(Segment(text=text, html=markup))


def _is_body(part: Part, *, has_text: bool) -> bool:
    if part.overflow or part.disposition == "attachment":
        return False
    if part.media_type.startswith("multipart/"):
        return True
    if part.media_type not in ("text/plain", "text/html") and part.media_type not in _SECOND_CHOICE:
        return False
    return not file_name(part) or not has_text


def _read_text(part: Part, body: Body) -> Segment:
    content = transfer.decode(part.body, part.header("content-transfer-encoding").decode("latin-1"))
    declared = part.parameters.get("charset", "")
    is_html = part.media_type == "text/html" or (part.media_type != "text/plain" and _looks_like_html(content))
    if not is_html:
        content, files = transfer.find_uu_files(content, _MAX_UU_FILES)
        body.files += [Leaf(charset.decode(name), "application/octet-stream", data) for name, data in files]
    if len(content) > MAX_TEXT_BYTES:
        body.files.append(Leaf(file_name(part), part.media_type, content))
        content = content[:MAX_TEXT_BYTES]
    body.read.append(b" ".join(content.split()))
    if is_html:
        return Segment(html=_tidy_lines(charset.decode(content, declared or charset.declared_in_html(content))))
    text = _tidy_lines(charset.decode(content, declared))
    if part.parameters.get("format", "").lower() == "flowed":
        text = _unflow(text, delete_space=part.parameters.get("delsp", "").lower() == "yes")
    if part.media_type in ("text/enriched", "text/richtext"):
        text = re.sub(r"<param>.*?</param>|</?[A-Za-z]{1,40}>", "", text)
    return Segment(text=text)


def _looks_like_html(content: bytes) -> bool:
    return content[:512].lstrip()[:14].lower().startswith((b"<html", b"<!doctype html"))


def _tidy_lines(text: str) -> str:
    if "\r" in text:
        text = re.sub(r"\r{1,2}\n|\r", "\n", text)
    return text


def _unflow(text: str, *, delete_space: bool) -> str:
    """RFC 3676: a line that ends in a space goes on in the next; quotes stay as they are."""
    out: list[str] = []
    flows = False
    for stuffed in text.split("\n"):
        quoted = stuffed.startswith(_FLOWED_QUOTE)
        line = stuffed if quoted else stuffed.removeprefix(" ")
        if flows and not quoted and line != "-- ":
            out[-1] += line
        else:
            out.append(line)
        flows = line.endswith(" ") and line != "-- " and not quoted
        if flows and delete_space:
            out[-1] = out[-1][:-1]
    return "\n".join(out)


def _read_file(part: Part, *, in_related: bool) -> Leaf:
    content = part.body
    if not part.overflow:
        content = transfer.decode(content, part.header("content-transfer-encoding").decode("latin-1"))
    content_id = part.header("content-id").decode("utf-8", "replace").strip().strip("<>")
    location = part.header("content-location").decode("utf-8", "replace").strip()
    name = file_name(part) or _DEFAULT_NAMES.get(part.media_type, "") or _name_in_location(location)
    if not name and part.media_type in ("message/rfc822", "message/global"):
        name = _mail_name(content)
    return Leaf(
        name=name,
        media_type=part.media_type,
        content=content,
        content_id=content_id,
        location=location,
        inline=in_related and bool(content_id) and part.disposition != "attachment",
    )


def _mail_name(content: bytes) -> str:
    """A nested mail is named by its subject, as mail programs do."""
    from normalizer.readers.mime_header import decode_value

    subject = decode_value(mime.parse_header_block(content).get("subject", [b""])[0])
    return re.sub(r'[\\/:*?"<>|\s]+', " ", subject).strip()[:120] + ".eml" if subject else "message.eml"


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


def _open_winmail(body: Body) -> None:
    files: list[Leaf] = []
    for leaf in body.files:
        is_winmail = leaf.media_type.endswith("ms-tnef") or leaf.name.lower() == "winmail.dat"
        opened = tnef.open_winmail(leaf.content) if is_winmail else None
        if opened is None:
            files.append(leaf)
            continue
        files += [Leaf(name, "application/octet-stream", content) for name, content in opened.files]
        if not any(segment.text.strip() or segment.html for segment in body.segments):
            body.segments.append(Segment(text=_tidy_lines(opened.text), html=opened.html))
    body.files = files


def _mark_inline(body: Body) -> None:
    """Inline is what the HTML shows; phones send evidence with `inline` too, and that is attached."""
    markup = body.html
    for leaf in body.files:
        shown = bool(leaf.content_id) and f"cid:{leaf.content_id}" in markup
        leaf.inline = bool(markup) and (shown or (bool(leaf.location) and leaf.location in markup) or leaf.inline)
