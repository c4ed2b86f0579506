"""HTML → readable plain text: paragraphs, lists, table cells and links stay, quotes become `> ` lines, what
is not shown (scripts, styles, hidden preheaders) goes.

One pass over the tags, without a tree: parsers in C that build one crash on 200,000 nested elements, and a mail
must not be able to end a worker.
"""

from __future__ import annotations

import re
from html import unescape

MAX_CHARACTERS = 2_000_000
"""Longer documents are read up to here; the whole is kept in `Message.html` and in the raw."""
_MAX_QUOTE_DEPTH = 8
_MAX_SHOWN_LINK = 200

_TAG = re.compile(
    r"""<(/?)([a-zA-Z][\w:.-]{0,40})"""
    r"""([^<>"']*+(?:"[^"]{0,20000}+"[^<>"']*+|'[^']{0,20000}+'[^<>"']*+)*+|[^<>]{0,20000}+)>"""
)
_DECLARATION = re.compile(r"<[!?/][^<>]{0,5000}>")

# Marks in the private use area stand for structure until white space is collapsed.
_BREAK, _PARAGRAPH, _OPEN, _CLOSE, _CELL = _SIGNS = "\ue000", "\ue001", "\ue002", "\ue003", "\ue004"
_MARKS = re.compile("[\ue000-\ue004]")
_SPACES = "\n\t\r\f\v\u00a0"
_BREAKS = re.compile("[\ue000\ue001]+")
_QUOTE_MARKS = re.compile("([\ue002\ue003])")
_CELLS = re.compile("\ue004+")
_BLANK_LINES = re.compile(r"\n{3,}")

_RAW_TEXT = frozenset({"script", "style", "title", "template", "svg", "xml", "object", "noscript"})
_PARAGRAPHS = ("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "pre", "table")
_BLOCKS = (
    *("div", "tr", "dt", "dd", "section", "article", "header", "footer", "main", "aside", "nav", "address"),
    *("center", "form", "fieldset", "figure", "caption"),
)
_RULE = f"{_BREAK}{'_' * 32}{_BREAK}"
_EFFECTS = {
    **dict.fromkeys(_PARAGRAPHS, (_PARAGRAPH, _PARAGRAPH)),
    **dict.fromkeys(_BLOCKS, (_BREAK, _BREAK)),
    **dict.fromkeys(("td", "th"), ("", _CELL)),
    "br": (_BREAK, _BREAK),
    "hr": (_RULE, _RULE),
    "li": (f"{_BREAK}- ", ""),
    "blockquote": (_OPEN, _CLOSE),
}
"""What an element's opening and closing tags do to the text."""
_VOID = frozenset(["br", "hr", "img", "input", "meta", "link", "col", "area", "base", "wbr", "source"])

_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_ALT = re.compile(r"""\balt\s*=\s*(?:"([^"]{1,4})"|'([^']{1,4})')""", re.IGNORECASE)
_MAYBE_HIDDEN = re.compile(r"hidden|none|hide|max-height|font-size", re.IGNORECASE)
_HIDDEN = re.compile(
    r"""(?:^|\s)hidden(?=\s|$|=)|style\s*=\s*["'][^"']*?(?:display\s*:\s*none|visibility\s*:\s*hidden"""
    r"""|mso-hide\s*:\s*all|(?:max-height|font-size)\s*:\s*0(?:px|pt|em)?\s*(?:;|!|["']))""",
    re.IGNORECASE,
)


def to_text(html: str) -> str:
    """What a reader sees of `html`. Takes time in proportion to its length."""
    if "<" not in html and "&" not in html:
        return html.strip()
    source = _without_marks(html[:MAX_CHARACTERS].replace("\0", ""))
    text = _Reduction(source, drop_hidden=True).text()
    return text or _Reduction(source, drop_hidden=False).text()


class _Reduction:
    def __init__(self, source: str, *, drop_hidden: bool) -> None:
        self.source = source
        self.drop_hidden = drop_hidden
        self.out: list[str] = []
        self.preformatted = 0
        self.hidden_by = ""
        self.hidden_depth = 0
        self.link = ""
        self.link_start = 0
        self.never_closed: set[str] = set()

    def text(self) -> str:
        """Empty also when hiding swallowed everything to the end: the caller reads again without."""
        self._walk()
        if self.hidden_by and self.hidden_depth > 0:
            return ""
        return _lay_out("".join(self.out))

    def _walk(self) -> None:
        position, end, say = 0, len(self.source), self._say
        while position < end:
            source = self.source
            opening = source.find("<", position)
            if opening != position:
                say(source[position : opening if opening >= 0 else end])
            if opening < 0:
                return
            tag = _TAG.match(source, opening)
            position = self._read_tag(tag) if tag else self._read_markup(opening)

    def _read_tag(self, tag: re.Match[str]) -> int:
        slash, name, attributes = tag.groups()
        name = name.lower()
        if name in _RAW_TEXT and not slash:
            return self._skip_raw_text(name, tag)
        if self.hidden_depth:
            self._count_hidden(name, bool(slash), attributes)
        elif attributes and not slash and self._hides(name, attributes):
            self.hidden_by, self.hidden_depth = name, 1
        else:
            self._take_tag(name, bool(slash), attributes)
        return tag.end()

    def _read_markup(self, opening: int) -> int:
        """What stands at a `<` that begins no tag; where to go on reading."""
        source = self.source
        if source.startswith("<!--", opening):
            closing = source.find("-->", opening + 4)
            if closing >= 0:
                return closing + 3
            self.source = source = source.replace("<!--", "<! -")
        declaration = _DECLARATION.match(source, opening)
        if declaration:
            return declaration.end()
        self._say("<")
        return opening + 1

    def _skip_raw_text(self, name: str, tag: re.Match[str]) -> int:
        if tag[3].endswith("/") or name in self.never_closed:
            return tag.end()
        closing = re.compile(rf"</{name}\b[^<>]{{0,100}}>?", re.IGNORECASE).search(self.source, tag.end())
        if closing:
            return closing.end()
        self.never_closed.add(name)
        return len(self.source) if name in ("script", "style") else tag.end()

    def _say(self, text: str) -> None:
        if self.hidden_depth:
            return
        if "&" in text:
            text = _without_marks(unescape(text))
        if self.preformatted and "\n" in text:
            text = text.replace("\n", _BREAK)
        self.out.append(text)

    def _take_tag(self, name: str, closes: bool, attributes: str) -> None:
        effect = _EFFECTS.get(name)
        if effect:
            self.out.append(effect[closes])
            if name == "pre":
                self.preformatted = max(0, self.preformatted + (-1 if closes else 1))
        elif name == "a":
            self._take_link(closes, attributes)
        elif name == "img" and (alt := _ALT.search(attributes)) and not (shown := alt[1] or alt[2] or "").isascii():
            self.out.append(shown)

    def _count_hidden(self, name: str, closes: bool, attributes: str) -> None:
        if name == self.hidden_by and not attributes.endswith("/"):
            self.hidden_depth += -1 if closes else 1

    def _hides(self, name: str, attributes: str) -> bool:
        if not self.drop_hidden or name in _VOID or name in ("body", "html") or attributes.endswith("/"):
            return False
        return bool(_MAYBE_HIDDEN.search(attributes) and _HIDDEN.search(attributes))

    def _take_link(self, closes: bool, attributes: str) -> None:
        if not closes:
            found = _HREF.search(attributes)
            self.link = unescape(found[1] or found[2] or found[3] or "").strip() if found else ""
            self.link_start = len(self.out)
        elif self.link:
            shown = "".join(self.out[self.link_start :]).strip()
            if _is_worth_showing(self.link, shown):
                self.out.append(f" <{_MARKS.sub('', self.link)}>")
            self.link = ""


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
    for space in _SPACES:
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
