"""A tree of parts → what is read (text and HTML) and what is attached, in the order they stand in the mail."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256

from normalizer.readers import charset, html, mime, transfer
from normalizer.readers.file_name import clean_name, file_name, name_of, title_of
from normalizer.readers.mime import Part
from normalizer.readers.mime_header import decode_value

MAX_TEXT_BYTES = 8 * 1024 * 1024
"""Of one text part; more of it is kept as an attachment, beside the beginning as text."""
_MAX_ENCODED_FILES = 50
_MAX_SIGNED = 3
"""Signed envelopes that are opened, one inside the other."""

_TEXT = frozenset({"text/plain", "text/html"})
_SECOND_CHOICE = frozenset({"text/enriched", "text/richtext", "text/markdown"})
_FILES_OF_TEXT = re.compile(r"text/(?:calendar|csv|rtf|(?:x-)?vcard|directory|css|javascript|xml|tab-separated-values)")
_NOT_FOR_READERS = frozenset({"text/x-amp-html", "text/watch-html"})
_FOR_MACHINES = frozenset(
    {
        "message/delivery-status",
        "message/global-delivery-status",
        "message/disposition-notification",
        "message/global-disposition-notification",
        "message/feedback-report",
        "text/rfc822-headers",
        "message/global-headers",
    }
)
"""Of a bounce or receipt: nobody attached them. They are read where nothing is said in words."""
_SIGNED = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_NEEDS_HTML = re.compile(
    r"\bhtml\b|web ?browser|in your browser|不支持|无法显示|無法顯示|网页版|浏览器|瀏覽器|HTMLメール", re.IGNORECASE
)
_FLOWED_QUOTE = (">", " >")
_RICH = re.compile(r"(<<)|<param>.{0,200}?</param>|</?[A-Za-z]{1,40}>", re.DOTALL | re.IGNORECASE)
_NOT_A_LETTER = re.compile(r"[\W_]+")


@dataclass(slots=True)
class Leaf:
    """A file that came with the mail."""

    name: str
    media_type: str
    content: bytes
    content_id: str = ""
    location: str = ""
    inline: bool = False
    title: str = ""
    """Given to one without a name."""
    digest: bytes = b""
    """SHA-256 of the content."""

    def __post_init__(self) -> None:
        self.digest = sha256(self.content).digest()


@dataclass(slots=True)
class Segment:
    """One piece of the readable body: as plain text, as HTML, or both."""

    text: str = ""
    html: str = ""


@dataclass(slots=True)
class Body:
    segments: list[Segment] = field(default_factory=list)
    files: list[Leaf] = field(default_factory=list)
    spare: list[Leaf] = field(default_factory=list)
    """What is read only where no part is there to be read: a report for machines, an invitation, text that has no
    name and calls itself an attachment."""
    digests: list[bytes] = field(default_factory=list)
    """SHA-256 of each part as sent, in order; of text with its white space made equal. Taken before anything is
    interpreted."""
    opened: int = 0

    @property
    def text(self) -> str:
        """Of a part that only says the same again (in HTML, beside the plain text) nothing."""
        said: list[str] = []
        for segment in self.segments:
            readable = _readable(segment)
            if readable and not (said and not segment.text and _repeats(readable, said[-1])):
                said.append(readable)
        return "\n".join(said)

    @property
    def html(self) -> str:
        return "\n".join(segment.html for segment in self.segments if segment.html)


def read_body(root: Part) -> Body:
    """Everything in the mail below `root`."""
    body = Body()
    _walk_tree(root, body)
    _open_winmail(body)
    if not body.segments:
        body.segments += map(_read_spare, body.spare)
    _mark_inline(body)
    return body


def _walk_tree(root: Part, body: Body) -> None:
    _walk(root, body, body.segments, has_text=_has_plain_body(root), in_related=False)


def _readable(segment: Segment) -> str:
    plain = segment.text
    if not segment.html:
        return plain
    if not plain.strip() or (len(plain) < 400 and _NEEDS_HTML.search(plain)):
        reduced = html.to_text(segment.html)
        return reduced if len(reduced) > len(plain.strip()) else plain
    return plain


def _repeats(text: str, other: str) -> bool:
    return _NOT_A_LETTER.sub("", text) == _NOT_A_LETTER.sub("", other)


def _has_plain_body(root: Part) -> bool:
    """Whether some text part without a file name is there to be the body."""
    stack = [root]
    while stack:
        part = stack.pop()
        stack += part.children
        is_text = not part.children and part.media_type in _TEXT
        if is_text and part.disposition != "attachment" and not file_name(part):
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
    elif part.media_type not in _NOT_FOR_READERS:
        _take_file(part, body, in_related=in_related)


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
    kind = part.media_type
    if kind.startswith("multipart/"):
        return True
    if kind in _TEXT or kind in _SECOND_CHOICE:
        return not has_text or not file_name(part)
    return not has_text and _is_unknown_text(kind) and not file_name(part)


def _is_unknown_text(kind: str) -> bool:
    """RFC 2046: a subtype of text that nobody knows is read as plain."""
    return kind.startswith("text/") and not (
        kind in _FOR_MACHINES or kind in _NOT_FOR_READERS or _FILES_OF_TEXT.fullmatch(kind)
    )


def _take_file(part: Part, body: Body, *, in_related: bool) -> None:
    leaf = _read_file(part, in_related=in_related)
    body.digests.append(_digest(leaf.content) if part.media_type.startswith("text/") else leaf.digest)
    if part.media_type in _FOR_MACHINES and part.disposition != "attachment" and not file_name(part):
        body.spare.append(leaf)
        return
    body.files.append(leaf)
    if part.media_type == "text/calendar" or (part.media_type in _TEXT and not file_name(part)):
        body.spare.append(leaf)
    if part.media_type in _SIGNED or leaf.name.lower().endswith(".p7m"):
        _open_signed(leaf, body)


def _open_signed(leaf: Leaf, body: Body) -> None:
    """What is signed only, not encrypted, is read; the envelope stays attached as it is."""
    from normalizer.readers.smime import signed_content

    content = signed_content(leaf.content) if body.opened < _MAX_SIGNED else b""
    if content:
        body.opened += 1
        seen = len(body.digests)
        _walk_tree(mime.parse(content), body)
        del body.digests[seen:]


def _read_text(part: Part, body: Body) -> Segment:
    content = _content(part)
    if part.media_type.startswith("multipart/"):
        content = mime.without_delimiters(content, part.parameters.get("boundary", ""))
    body.digests.append(_digest(content))
    declared = part.parameters.get("charset", "")
    is_html = part.media_type == "text/html"
    if not is_html and _looks_like_html(content):
        return Segment(text=html.to_text(charset.decode(content[:MAX_TEXT_BYTES], declared)))
    if not is_html:
        content, files = transfer.find_files(content, _MAX_ENCODED_FILES)
        body.files += [_unwrapped(charset.decode(name), data) for name, data in files]
    if len(content) > MAX_TEXT_BYTES:
        body.files.append(_named(part, content))
        content = content[:MAX_TEXT_BYTES]
    if is_html:
        return Segment(html=_tidy_lines(charset.decode(content, declared or charset.declared_in_html(content))))
    text = _tidy_lines(charset.decode(content, declared))
    if part.parameters.get("format", "").lower() == "flowed":
        text = _unflow(text, delete_space=part.parameters.get("delsp", "").lower() == "yes")
    if part.media_type in ("text/enriched", "text/richtext"):
        text = _RICH.sub(lambda tag: "<" if tag[1] else "", text)
    return Segment(text=text)


def _digest(text: bytes) -> bytes:
    return sha256(b" ".join(text.split()) if len(text) <= MAX_TEXT_BYTES else text).digest()


def _looks_like_html(content: bytes) -> bool:
    return content[:512].lstrip(b"\xef\xbb\xbf \t\r\n")[:14].lower().startswith((b"<html", b"<!doctype html"))


def _tidy_lines(text: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n")
        if "\r" in text:
            text = re.sub(r"\r\n?", "\n", text)
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


def _content(part: Part) -> bytes:
    encoding = part.header("content-transfer-encoding")
    if not encoding or part.overflow:
        return part.body
    return transfer.decode(part.body, encoding.decode("latin-1"))


def _read_file(part: Part, *, in_related: bool) -> Leaf:
    leaf = _named(part, _content(part))
    leaf.content_id = decode_value(part.header("content-id")).strip("<>")
    leaf.location = decode_value(part.header("content-location"))
    leaf.inline = in_related and bool(leaf.content_id) and part.disposition != "attachment"
    return leaf


def _named(part: Part, content: bytes) -> Leaf:
    name = name_of(part, content)
    return Leaf(name, part.media_type, content, title="" if name else title_of(part, content))


def _open_winmail(body: Body) -> None:
    if not any(map(_is_winmail, body.files)):
        return
    from normalizer.readers.tnef import open_winmail

    files: list[Leaf] = []
    for leaf in body.files:
        opened = open_winmail(leaf.content) if _is_winmail(leaf) else None
        if opened is None:
            files.append(leaf)
            continue
        files += [_unwrapped(name, content) for name, content in opened.files]
        if not any(segment.text.strip() or segment.html for segment in body.segments):
            body.segments.append(Segment(text=_tidy_lines(opened.text), html=opened.html))
    body.files = files


def _unwrapped(name: str, content: bytes) -> Leaf:
    return Leaf(clean_name(name) or "attachment.bin", "application/octet-stream", content)


def _is_winmail(leaf: Leaf) -> bool:
    return leaf.media_type.endswith("ms-tnef") or leaf.name.lower() == "winmail.dat"


def _read_spare(leaf: Leaf) -> Segment:
    text = _tidy_lines(charset.decode(leaf.content[:MAX_TEXT_BYTES]))
    if leaf.media_type == "text/calendar":
        from normalizer.readers.calendar import event_text

        text = event_text(text)
    return Segment(html=text) if leaf.media_type == "text/html" else Segment(text=text)


def _mark_inline(body: Body) -> None:
    """Inline is what the HTML shows; phones send evidence with `inline` too, and that is attached."""
    if not body.files:
        return
    markup = body.html
    for leaf in body.files:
        shown = bool(leaf.content_id) and f"cid:{leaf.content_id}" in markup
        leaf.inline = bool(markup) and (shown or (bool(leaf.location) and leaf.location in markup) or leaf.inline)
