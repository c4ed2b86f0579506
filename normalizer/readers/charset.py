"""Bytes of unknown or wrongly named encoding → text. Never raises, never returns NUL or lone surrogates.

Declared names are taken as what senders mean by them (the WHATWG Encoding Standard's supersets): `gb2312`
is GB18030, `iso-8859-1` is windows-1252. What does not fit its declaration, or has none, is judged by
what it would say in each encoding (codec_guess.py).
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

_SUPERSETS = {
    "gb18030": "gb2312 gbk gb18030 gb_2312-80 gb2312-80 gb-2312 gb_2312 x-gbk cp936 ms936 windows-936 936 euc-cn"
    " euccn chinese csgb2312 iso-ir-58 gb18030-2000 gb18030-2005 gb-18030 gb",
    "big5hkscs": "big5 big-5 big5-hkscs big5hkscs cn-big5 csbig5 x-x-big5 cp950 ms950 windows-950 950 big5-eten",
    "cp932": "shift_jis shift-jis sjis x-sjis ms_kanji csshiftjis windows-31j cp932 ms932 windows-932 932",
    "cp949": "euc-kr euckr ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 ks_c_5601 korean cp949 windows-949 949"
    " uhc iso-ir-149 cseuckr",
    "euc_jp": "euc-jp eucjp x-euc-jp cseucpkdfmtjapanese",
    "iso2022_jp_ext": "iso-2022-jp csiso2022jp iso-2022-jp-1 iso-2022-jp-2 iso-2022-jp-3 iso-2022-jp-ms cp50220"
    " cp50221 cp50222 jis",
    "koi8-r": "koi8-r koi8r koi-8-r koi8 cskoi8r",
    "iso8859-15": "iso-8859-15 latin-9 latin9 iso8859-15 iso_8859-15",
    "mac-cyrillic": "x-mac-cyrillic maccyrillic",
    "mac-latin2": "x-mac-ce x-mac-centraleurroman x-mac-centraleurope macce",
    "cp1252": "iso-8859-1 iso8859-1 iso_8859-1 iso88591 8859-1 latin1 latin-1 l1 us-ascii ascii ansi windows-1252"
    " cp1252 1252 x-ansi iso-8859-1-windows-3.1-latin-1 ansi_x3.4-1968 iso646-us us 7bit 8bit ascii-us iso-latin-1",
    "cp1254": "iso-8859-9 iso8859-9 latin5 windows-1254",
    "cp874": "iso-8859-11 tis-620 windows-874 dos-874",
    "cp1255": "iso-8859-8-i iso-8859-8 iso-8859-8-e windows-1255 logical visual",
    "utf-8": "utf-8 utf8 utf_8 utf8mb4 utf-8-sig cp65001 65001 unicode-1-1-utf-8 utf-8-mac x-utf-8 utf",
    "utf-7": "utf-7 utf7 unicode-1-1-utf-7 x-unicode-2-0-utf-7 csunicode11utf7 cp65000 65000",
    "mac-roman": "macintosh x-mac-roman x-macroman mac",
    "hz": "hz hz-gb-2312 hzgb hz-gb",
}
_CODECS = {name: codec for codec, names in _SUPERSETS.items() for name in names.split()}
_NOT_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
_MULTIBYTE = frozenset({"gb18030", "big5hkscs", "cp932", "cp949", "euc_jp"})
_STATEFUL = frozenset({"iso2022_jp_ext", "utf-7", "hz", "iso2022_kr", "iso2022_cn"})
_ISO_2022 = re.compile(rb"\x1b(?:\$[@BA]|\$\([A-Z]|\([BJI])")
_SURROGATES = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")
_META = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_XML = re.compile(rb"""\s{0,99}<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{2,40})""", re.IGNORECASE)
_SAMPLE = 16_384
_UNKNOWN = "\ufffd"
_MAX_BROKEN_LINES = 500
_BAD_SHARE = 0.15
"""A declared encoding is kept when less than this share of the non-ASCII characters does not fit it."""


def decode(data: bytes, declared: str = "") -> str:
    """`data` as text, in the encoding `declared` where that is a known one and plausible, else a guessed one."""
    codec = resolve(declared)
    if data.isascii() and codec not in _STATEFUL and not codec.startswith("utf-16") and b"\x1b" not in data:
        text = _decode_ascii(data)
    else:
        text = _decode_marked(data) or _decode_declared(data, codec)
    return text.replace("\0", "") if "\0" in text else text


def declared_in_html(data: bytes) -> str:
    """The charset that an HTML document names in its first 2 KiB, or nothing."""
    found = _META.search(data, 0, 2048) or _XML.match(data, 0, 2048)
    return found[1].decode("ascii", "replace") if found else ""


@lru_cache(maxsize=512)
def resolve(declared: str) -> str:
    """A charset name as written in the wild → Python's codec for what it means, or nothing when unknown."""
    name = declared.strip(" \t\r\n\"'<>;").lower()
    name = name.split(";", 1)[0].split("*", 1)[0].split("//", 1)[0].strip()
    name = name.removeprefix("charset=").removeprefix("cs=").strip("\"' ")
    if name in _CODECS:
        return _CODECS[name]
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return _resolve_windows(name)
    if not found._is_text_encoding or found.name in _NOT_CHARSETS or len(name) < 2:
        return ""
    return _CODECS.get(found.name, found.name)


def _resolve_windows(name: str) -> str:
    number = re.fullmatch(r"(?:x-)?(?:cp|win|windows|ibm)?[-_]?(\d{3,4})", name)
    if not number:
        iso = re.fullmatch(r"(?:x-)?iso[-_ ]?8859[-_ ]?(\d{1,2})(?:-[ie])?", name)
        plain = f"iso-8859-{int(iso[1])}" if iso else name
        return resolve(plain) if plain != name and 1 <= int(plain[9:]) <= 16 else ""
    try:
        return codecs.lookup(f"cp{number[1]}").name
    except LookupError:
        return ""


def _decode_ascii(data: bytes) -> str:
    if data.count(0) * 3 > len(data) > 3:
        return data.decode("utf-16-le" if data[1] == 0 else "utf-16-be", "replace")
    return data.decode("ascii")


def _decode_marked(data: bytes) -> str:
    """By byte order mark or by ISO 2022 escapes: signs that outweigh any declaration."""
    if data.startswith(codecs.BOM_UTF8):
        return data[3:].decode("utf-8", "replace")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and len(data) % 2 == 0:
        return data.decode("utf-16", "replace")
    if b"\x1b" in data and _ISO_2022.search(data):
        return _decode_iso2022(data)
    return ""


def _decode_iso2022(data: bytes) -> str:
    if b"\x1b$)C" in data:
        return data.decode("iso2022_kr", "replace")
    try:
        return data.decode("iso2022_jp_ext")
    except UnicodeDecodeError:
        return _JIS_RUN.sub(_jis_to_shift_jis, data).decode("cp932", "replace")


_JIS_RUN = re.compile(rb"\x1b\$[@B]([^\x1b]*)|\x1b\(I([^\x1b]*)|\x1b\([BJH]")


def _jis_to_shift_jis(run: re.Match[bytes]) -> bytes:
    """NEC and IBM extension characters (①, ㈱, 髙) are in cp932 but not in Python's ISO 2022 codecs."""
    if run[2] is not None:
        return bytes(byte | 0x80 for byte in run[2])
    out = bytearray()
    pairs = run[1] or b""
    for row, cell in zip(pairs[::2], pairs[1::2], strict=False):
        lead = (row + 1) // 2 + (0x70 if row < 0x5F else 0xB0)
        trail = cell + (0x1F if row % 2 else 0x7E)
        out += bytes((lead & 0xFF, (trail + (1 if row % 2 and trail >= 0x7F else 0)) & 0xFF))
    return bytes(out)


def _decode_declared(data: bytes, codec: str) -> str:
    if codec in _STATEFUL or codec.startswith(("utf-16", "utf-32")):
        return _decode_stateful(data, codec)
    if (text := _try(data, "utf-8")) is not None and (codec not in _MULTIBYTE or _surely_utf8(text)):
        return text
    if _SURROGATES.search(data) and (text := _try(_SURROGATES.sub(_join_surrogates, data), "utf-8")) is not None:
        return text
    if codec == "utf-8":
        return _decode_broken_utf8(data)
    if codec in _MULTIBYTE:
        return _decode_multibyte(data, codec)
    if codec in ("", "cp1252"):
        return _guess(data)
    return data.decode(codec, "replace")


def _decode_stateful(data: bytes, codec: str) -> str:
    if codec == "utf-16":
        codec = _byte_order(data)
    text = data.decode(codec, "replace")
    if not data.isascii() and text.count(_UNKNOWN) > _BAD_SHARE * len(text):
        return _decode_declared(data, "")
    return text.encode("utf-8", "replace").decode("utf-8") if codec in ("utf-7", "utf-16-le", "utf-16-be") else text


def _byte_order(data: bytes) -> str:
    """Of UTF-16 without a mark: the zeros of ASCII, spaces and line ends among it, stand before or behind."""
    return "utf-16-be" if data[::2].count(0) > data[1::2].count(0) else "utf-16-le"


def _surely_utf8(text: str) -> bool:
    """Two GBK characters can pass for UTF-8 (联通); three bytes in a row that make one character hardly can."""
    return max(text[:_SAMPLE], default="") >= "\u0800"


def _decode_multibyte(data: bytes, codec: str) -> str:
    text = _try(data, codec)
    if text is None and codec == "big5hkscs":
        text = _try(data, "cp950")
    if text is not None:
        return text
    loose = data.decode(codec, "replace")
    return loose if _fits(loose) else _guess(data, otherwise=loose)


def _decode_broken_utf8(data: bytes) -> str:
    loose = data.decode("utf-8", "replace")
    if _fits(loose) and loose.count(_UNKNOWN) <= 1:
        return loose
    return _decode_by_line(data) or (loose if _fits(loose) else _guess(data))


def _join_surrogates(pair: re.Match[bytes]) -> bytes:
    """CESU-8, as databases and Java write emoji."""
    return pair[0].decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16").encode()


def _decode_by_line(data: bytes) -> str:
    """Words of one encoding quoted in a mail of another, each in its own lines; empty where it is not so."""
    lines = data.split(b"\n")
    strange = [line for line in lines if not line.isascii()]
    broken = sum(_try(line, "utf-8") is None for line in strange)
    if broken * 2 > len(strange) or len(strange) < 2 or broken > _MAX_BROKEN_LINES:
        return ""
    read = (_try(line, "utf-8") for line in lines)
    return "\n".join(_guess(line) if text is None else text for line, text in zip(lines, read, strict=True))


def _fits(loose: str) -> bool:
    bad = loose.count(_UNKNOWN)
    if not bad:
        return True
    if loose[-1:] == _UNKNOWN and loose[-2:-1] > "\u07ff" and bad == 1:
        return True
    strange = len(loose) - len(loose.encode("ascii", "ignore"))
    return bad <= max(_BAD_SHARE * strange, 1 if strange > 2 else 0)


def _try(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


def _guess(data: bytes, otherwise: str = "") -> str:
    loose = data.decode("utf-8", "replace")
    if _fits(loose):
        return loose
    from normalizer.readers.codec_guess import guess_codec

    codec = guess_codec(data[:_SAMPLE])
    if codec == "cp1252":
        return otherwise or _decode_western(data)
    return data.decode(codec, "replace")


def _decode_western(data: bytes) -> str:
    text = _try(data, "cp1252")
    return data.decode("latin-1") if text is None else text
