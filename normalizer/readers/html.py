"""HTML → readable plain text: paragraphs, lists, table cells and links stay, quotes become `> ` lines, what
is not shown (scripts, styles, hidden preheaders) goes.

Lexbor builds the tree. Its work grows with the square of depth, of attributes in a tag and of formatting elements left
open, and far enough down it ends the process; so it is given pieces, each taking up where the one before it stopped,
and elements that only change how letters look, or how the parser goes on, come to it under names it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

MAX_CHARACTERS = 2_000_000
"""Longer documents are read up to here; the whole is kept in `Message.html` and in the raw."""
MAX_PIECE = 6_000
"""Characters of one parse: the worst markup of this length takes 0.01 s."""
_MAX_REOPENED = 100
_MAX_TAG = 2_000
_MAX_NAME = 20
_MAX_SHOWN_LINK = 200
_MAX_SHOWN_ALT = 4
_MAX_QUOTE_DEPTH = 8

# Marks in the private use area stand for structure until white space is collapsed.
_BREAK, _PARAGRAPH, _OPEN, _CLOSE, _CELL, _START, _END = _SIGNS = tuple("\ue000\ue001\ue002\ue003\ue004\ue005\ue006")
_MARKS = re.compile("[\ue000-\ue006]")
_SPACES = " \n\t\r\f\v\u00a0"
_BREAKS = re.compile("[\ue000\ue001]+")
_QUOTE_MARKS = re.compile("([\ue002\ue003])")
_CELLS = re.compile("\ue004+")
_BLANK_LINES = re.compile(r"\n{3,}")

_PLAIN = (
    "a|b|big|body|code|em|font|frame|frameset|html|i|iframe|listing|math|nobr|noembed|noframes|optgroup|option|plaintext"
    "|s|select|small|strike|strong|svg|template|textarea|title|tt|u|xmp"
)
_PLAIN_OPENING = re.compile(rf"<(?![/!d]|span|t[dr]|p\b)(?=(?:{_PLAIN})[\s/>])", re.IGNORECASE)
_PLAIN_CLOSING = re.compile(rf"</(?=(?:{_PLAIN})[\s/>])", re.IGNORECASE)
_BARE_CELL = re.compile(r"<(/?)(?=t[rdh][\s/>])", re.IGNORECASE)
_MARKER = "<script {}></script>"
"""The one element that stays where it was written, inside tables too."""

_UNSEEN = re.compile(r"<!--.*?(?:-->|\Z)|<(style|script)\b.*?(?:</\1\b[^>]*>|\Z)", re.IGNORECASE | re.DOTALL)
_LONG_TAG = re.compile(rf"<([a-z][\w:.-]*+)[^<>]{{{_MAX_TAG},}}+>", re.IGNORECASE)
_SIMPLE_TAG = re.compile(r"<[^<>]*>")

_PARAGRAPHS = ("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "pre", "table")
_BLOCKS = (
    *("div", "tr", "dt", "dd", "section", "article", "header", "footer", "main", "aside", "nav", "address"),
    *("center", "form", "fieldset", "figure", "caption", "x-tr"),
)
_EFFECTS = {
    **dict.fromkeys(_PARAGRAPHS, (_PARAGRAPH, _PARAGRAPH)),
    **dict.fromkeys(_BLOCKS, (_BREAK, _BREAK)),
    **dict.fromkeys(("td", "th", "x-td", "x-th"), ("", _CELL)),
    "br": (_BREAK, ""),
    "hr": (f"{_BREAK}{'_' * 32}{_BREAK}", ""),
    "li": (f"{_BREAK}- ", ""),
    "blockquote": (_OPEN, _CLOSE),
}
"""What the beginning and the end of an element do to the text."""
_ALWAYS_OPEN = frozenset({"html", "head", "body"})
_NOT_SHOWN = frozenset({"x-title", "x-template", "x-svg", "xml", "object", "noscript"})

_HIDING_WORDS = ("hidden", "none", "mso-hide", "max-height")
_SIZE_ZERO = re.compile(r"font-size\s*:\s*0")
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all"
    r"|(?:max-height|font-size)\s*:\s*0(?:px|pt|em)?\s*(?:;|!|$)",
    re.IGNORECASE,
)


def to_text(html: str) -> str:
    """What a reader sees of `html`. Takes time in proportion to its length."""
    if "<" not in html and "&" not in html:
        return html.strip()
    source = _close_comments(_without_marks(html[:MAX_CHARACTERS].replace("\0", "")))
    if "<table" not in source.lower():
        source = _BARE_CELL.sub(r"<\1x-", source)
    read = _reduce(source)
    if read.is_cut_off:
        source = _mend(source)
        read = _reduce(source)
    if not read.is_hiding and (read.text or not _may_hide(source)):
        return read.text
    read = _reduce(source, hides_styled=False)
    return (_reduce(source, hides_styled=False, hides_named=False) if read.is_hiding else read).text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    text: str
    is_cut_off: bool
    """Something that never closed swallowed the end of a piece."""
    is_hiding: bool
    """What is not shown reaches to the end."""


def _reduce(source: str, *, hides_styled: bool = True, hides_named: bool = True) -> _Read:
    not_shown = _NOT_SHOWN if hides_named else frozenset[str]()
    hides_styled = hides_styled and _may_hide(source)
    out: list[str] = []
    reopened, is_cut_off = "", False
    for piece in _pieces(source):
        walk = _Walk(hides_styled=hides_styled, not_shown=not_shown, has_references="&" in piece)
        walk.read(reopened, piece)
        out += walk.out
        reopened = walk.still_open() if walk.is_at_end else ""
        is_cut_off = is_cut_off or not walk.is_at_end
    text = _lay_out("".join(out))[:MAX_CHARACTERS]
    return _Read(text=text, is_cut_off=is_cut_off, is_hiding=walk.hidden_depth >= 0)


def _pieces(source: str) -> Iterator[str]:
    if len(source) > MAX_PIECE:
        source = _LONG_TAG.sub(r"<\1>", _UNSEEN.sub("", source))
    start = 0
    while len(source) - start > MAX_PIECE:
        end = start + MAX_PIECE
        cut = source.rfind(">", start, end) + 1 or source.rfind(" ", start, end) + 1 or end
        yield source[start:cut]
        start = cut
    yield source[start:]


def _close_comments(source: str) -> str:
    """One that never closes is none: what follows it is shown."""
    if source.rfind("<!--") <= source.rfind("-->"):
        return source
    head, closing, tail = source.rpartition("-->")
    return head + closing + tail.replace("<!--", "&lt;!--")


def _mend(source: str) -> str:
    """Quotes that never close are none, and a tag that never ends is text."""
    head, closing, tail = _SIMPLE_TAG.sub(_drop_odd_quotes, source).rpartition(">")
    return head + closing + tail.replace("<", "&lt;")


def _drop_odd_quotes(tag: re.Match[str]) -> str:
    is_even = tag[0].count('"') % 2 == 0 and tag[0].count("'") % 2 == 0
    return tag[0] if is_even else tag[0].replace('"', "").replace("'", "")


@dataclass(slots=True, kw_only=True)
class _Walk:
    """Through the tree of one piece, from its start to its end."""

    hides_styled: bool
    not_shown: frozenset[str]
    has_references: bool
    out: list[str] = field(default_factory=list)
    path: list[tuple[LexborNode, str]] = field(default_factory=list)
    is_at_end: bool = False
    preformatted: int = 0
    hidden_depth: int = -1
    hidden_from: int = 0
    link: str = ""
    link_start: int = 0

    def read(self, reopened: str, piece: str) -> None:
        from selectolax.lexbor import LexborHTMLParser

        markup = _PLAIN_CLOSING.sub("</x-", _PLAIN_OPENING.sub("<x-", piece))
        start = _MARKER.format(_START) if reopened else ""
        root = LexborHTMLParser(f"{reopened}{start}{markup}{_MARKER.format(_END)}").root
        if root is not None:
            self._walk(root)

    def still_open(self) -> str:
        """Tags that open again what the piece left open."""
        tags = [f'{tag} href="{escape(self.link)}"' if tag == "x-a" else tag[:_MAX_NAME] for _, tag in self.path]
        if self.hidden_depth >= 0:
            tags[self.hidden_depth] += " hidden"
        return "".join(f"<{tag}>" for tag in tags[:_MAX_REOPENED] if tag not in _ALWAYS_OPEN)

    def _walk(self, node: LexborNode) -> None:
        while True:
            tag = node.tag or ""
            if tag == "-text":
                self._say(node.text_content or "")
            elif (child := self._enter(node, tag)) is not None:
                self.path.append((node, tag))
                node = child
                continue
            elif self.is_at_end:
                return
            else:
                self._leave(tag)
            while (following := node.next) is None:
                if not self.path:
                    return
                node, tag = self.path.pop()
                self._leave(tag)
            node = following

    def _say(self, text: str) -> None:
        if self.has_references:
            text = _without_marks(text)
        if self.preformatted and "\n" in text:
            text = text.replace("\n", _BREAK)
        elif not text.strip(_SPACES):
            text = " "
        self.out.append(text)

    def _enter(self, node: LexborNode, tag: str) -> LexborNode | None:
        """The first node inside, if that is to be read."""
        if tag == "script" or tag == "style":
            self._pass_marker(node)
            return None
        if self.hidden_depth < 0 and (tag in self.not_shown or (self.hides_styled and _is_hidden(node.attributes))):
            self.hidden_depth, self.hidden_from = len(self.path), len(self.out)
        effect = _EFFECTS.get(tag)
        if effect:
            self.out.append(effect[0])
            self.preformatted += tag == "pre"
        elif tag == "x-a":
            self.link = (node.attributes.get("href") or "").strip()[: _MAX_SHOWN_LINK + 1]
            self.link_start = len(self.out)
        elif tag == "img" and 1 <= len(alt := node.attributes.get("alt") or "") <= _MAX_SHOWN_ALT and not alt.isascii():
            self.out.append(_MARKS.sub("", alt))
        return node.first_child

    def _leave(self, tag: str) -> None:
        effect = _EFFECTS.get(tag)
        if effect:
            self.out.append(effect[1])
            self.preformatted -= tag == "pre"
        elif tag == "x-a" and self.link:
            if _is_worth_showing(self.link, "".join(self.out[self.link_start :]).strip()):
                self.out.append(f" <{_MARKS.sub('', self.link)}>")
            self.link = ""
        if self.hidden_depth == len(self.path):
            del self.out[self.hidden_from :]
            self.hidden_depth = -1

    def _pass_marker(self, node: LexborNode) -> None:
        attributes = node.attributes
        if _START in attributes:
            self.out.clear()
            self.hidden_from = self.link_start = 0
        elif _END in attributes:
            self.is_at_end = True
            if self.hidden_depth >= 0:
                del self.out[self.hidden_from :]


def _may_hide(source: str) -> bool:
    """Quick, and true of all that `_is_hidden` can find something in."""
    lowered = source.lower()
    return any(word in lowered for word in _HIDING_WORDS) or bool(_SIZE_ZERO.search(lowered))


def _is_hidden(attributes: Mapping[str, str | None]) -> bool:
    return "hidden" in attributes or bool(_HIDDEN.search(attributes.get("style") or ""))


def _is_worth_showing(target: str, shown: str) -> bool:
    if not target.startswith(("http://", "https://")) or len(target) > _MAX_SHOWN_LINK:
        return False
    return bool(_MARKS.sub("", shown).strip()) and shown.rstrip("/") not in target and not shown.startswith("http")


def _without_marks(text: str) -> str:
    return _MARKS.sub("", text) if not text.isascii() and any(sign in text for sign in _SIGNS) else text


def _lay_out(text: str) -> str:
    text = _collapse(text)
    text = _BREAKS.sub(_line_breaks, text)
    if _OPEN in text or _CLOSE in text:
        text = _write_quotes(text)
    if _CELL in text:
        text = _CELLS.sub("\t", text)
    lines = [line.strip() for line in text.split("\n")]
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def _collapse(text: str) -> str:
    """White space is one space, and none beside a mark. Replacing is several times faster than an expression."""
    for space in _SPACES[1:]:
        if space in text:
            text = text.replace(space, " ")
    while "  " in text:
        text = text.replace("  ", " ")
    for sign in _SIGNS:
        if sign in text:
            text = text.replace(f" {sign}", sign).replace(f"{sign} ", sign)
    return text


def _line_breaks(run: re.Match[str]) -> str:
    """Blocks that open and close around a line break are one line's end; a paragraph leaves a blank line."""
    return "\n\n" if _PARAGRAPH in run[0] or len(run[0]) > 2 else "\n"


def _write_quotes(text: str) -> str:
    out: list[str] = []
    depth = 0
    for piece in _QUOTE_MARKS.split(text):
        if piece == _OPEN:
            depth += 1
        elif piece == _CLOSE:
            depth = max(0, depth - 1)
        elif piece.strip():
            out += _quoted_lines(piece, min(depth, _MAX_QUOTE_DEPTH))
    return "\n".join(out)


def _quoted_lines(piece: str, depth: int) -> list[str]:
    lines = piece.strip("\n").split("\n")
    if not depth:
        return ["", *lines] if piece.startswith("\n\n") else lines
    return [f"{'>' * depth} {line.strip()}" for line in lines]
