"""Which encoding bytes of unknown encoding are in, by what they would say in each.

GB 2312 and Big5 both keep their frequent characters in a block of their own; where several encodings fit, the
one in which more of the commonest characters appear is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_UNKNOWN = "\ufffd"
_PAIR = re.compile(rb"[\x81-\xfe][\x30-\xfe]")
_PAIRS = re.compile(rb"(?:[\x81-\xfe][\x30-\xfe])+")
_IN_WORD_1250 = re.compile(rb"[A-Za-z][\xb3\xb9\xbf\x9f][a-z]")
_AT_WORDS_END_1250 = re.compile(rb"[a-z]\x9d")
_IN_WORD_LATIN_2 = re.compile(rb"[A-Za-z][\xb1\xb6\xbc][a-z]")
_CARONS = re.compile(rb"[\xec\xf8\xfd]|[\xe8\xf9](?:[\xe1\xed]|.{0,400}[\xe8\xf9])", re.DOTALL)
"""ě, ř, ý and č or ů in Central European encodings; in western ones ì, ø, ý, è, ù."""
_SIGNS_OF_CARONS = (b"\x9a", b"\x9e", b"\xb9", b"\xbe")
_CARONS_1250 = re.compile(rb"[\x9a\x9e](?=[a-z\xe0-\xff])")
_CARONS_LATIN_2 = re.compile(rb"[\xb9\xbe](?=[a-z\xe0-\xff])")
"""š and ž, which no western language has beside the letters above."""
_NO_THAI = re.compile(rb"(?:\A|[\x20-\x40])[\xd1\xd4-\xda\xe7-\xee]")
"""A vowel sign or tone mark with no consonant before it."""
_LETTER = re.compile(rb"[A-Za-z]")
_HIGH_BYTE = re.compile(rb"[\x80-\xff]")
_ASCII = bytes(range(128))
_FEW = 600
"""Bytes that tell Cyrillic from East Asian."""


def guess_codec(data: bytes) -> str:
    """The likeliest encoding of non-ASCII text that is not UTF-8; windows-1252 where nothing speaks for another."""
    pairs = _PAIR.findall(data)
    if not pairs:
        return "cp1252"
    high = len(data.translate(None, _ASCII))
    east_asian = _guess_east_asian(data, pairs)
    if east_asian and (high < 12 or not _is_cyrillic(data.lstrip(_ASCII)[:_FEW], east_asian)):
        return east_asian
    if high < 6 or high < len(_LETTER.findall(data)):
        return _guess_latin(data)
    return _guess_single_byte(data)


def _guess_latin(data: bytes) -> str:
    """Where windows-1252 has signs that stand in no word (³ ¹ ¿ ± ¶ ¼), Central European has its letters."""
    if _IN_WORD_LATIN_2.search(data):
        return "iso8859_2"
    if any(sign in data for sign in _SIGNS_OF_CARONS) and _CARONS.search(data):
        if _CARONS_LATIN_2.search(data):
            return "iso8859_2"
        if _CARONS_1250.search(data):
            return "cp1250"
    if b"\x9d" in data and _AT_WORDS_END_1250.search(data):
        return "cp1250"
    return "cp1250" if _IN_WORD_1250.search(data) else "cp1252"


def _is_cyrillic(data: bytes, otherwise: str) -> bool:
    """KOI8-R fits the pairs of East Asian encodings, but says nothing that is common in them."""
    high = data.translate(None, _ASCII)
    if _frequent_characters(data, otherwise) * 12 > len(high):
        return False
    return _letter_share(high, "koi8-r", _ALPHABETS["koi8-r"]) >= 0.65


def _guess_east_asian(data: bytes, pairs: list[bytes]) -> str:
    if _has_single_bytes(data, len(pairs)):
        return ""
    if _share(pairs, _kana_in_euc) > 0.15 and _decodes(data, "euc_jp"):
        return "euc_jp"
    if len(pairs) >= 6 and _share(pairs, _hangul) > 0.95 and _decodes(data, "cp949"):
        return "cp949"
    likely = [codec for codec, common in _BLOCKS.items() if _share(pairs, common) >= 0.6 and _decodes(data, codec)]
    found = {codec: _frequent_characters(data, codec) for codec in likely}
    best = max(found, key=lambda codec: found[codec], default="")
    return best if best and (found[best] or len(pairs) < 8) else ""


def _has_single_bytes(data: bytes, pairs: int) -> bool:
    """High bytes without a partner, or in the midst of a Latin word: no text of two bytes for a character."""
    if len(_HIGH_BYTE.findall(_PAIR.sub(b"", data))) > pairs // 10:
        return True
    lone = sum(1 for run in _PAIRS.finditer(data) if run.end() - run.start() == 2 and _is_in_word(data, run))
    return lone * 2 >= pairs


def _is_in_word(data: bytes, pair: re.Match[bytes]) -> bool:
    return bool(_LETTER.match(data, pair.end() - 1) or (pair.start() and _LETTER.match(data, pair.start() - 1)))


def _frequent_characters(data: bytes, codec: str) -> int:
    return sum(character in _FREQUENT for character in data.decode(codec, "replace"))


def _share(pairs: list[bytes], common: Callable[[bytes], bool]) -> float:
    return sum(map(common, pairs)) / len(pairs)


def _common_in_gb(pair: bytes) -> bool:
    return (0xB0 <= pair[0] <= 0xD7 or 0xA1 <= pair[0] <= 0xA3) and pair[1] >= 0xA1


def _common_in_big5(pair: bytes) -> bool:
    return (0xA4 <= pair[0] <= 0xC6 or pair[0] == 0xA1) and (pair[1] >= 0xA1 or 0x40 <= pair[1] <= 0x7E)


def _common_in_shift_jis(pair: bytes) -> bool:
    return pair[0] in (0x82, 0x83, 0x81) or 0x88 <= pair[0] <= 0x97


def _kana_in_euc(pair: bytes) -> bool:
    return pair[0] in (0xA4, 0xA5) and pair[1] >= 0xA1


def _hangul(pair: bytes) -> bool:
    return 0xB0 <= pair[0] <= 0xC8 and pair[1] >= 0xA1


_BLOCKS = {
    "gb18030": _common_in_gb,
    "big5hkscs": _common_in_big5,
    "cp949": _hangul,
    "cp932": _common_in_shift_jis,
}
_FREQUENT = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学"
    "如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日者意无力它与长把机十第公此已工使情明性知全三又关点正业外将两高"
    "间由问很最重并物手应向头文体相见被利什二等产或新己制身果加月话合回特代内信表化老给位次度门任常先通原提立及比员解名真处各入几口认条平"
    "系气题活更别打变四总何电数安少报才结反受目太量再感做接必场件计管期市直资金指许保至便空决书非则听白光放强难且思完设式色路记品住告类求"
    "据边张该交规万取格望领共确师清今让识候带导运您好请谢退款货订单换修坏客服投诉赔偿商快递流票质价钱购买卖店费收寄图片照截屏幕同扫描附联姓"
    "王李刘陈杨赵黄周吴這個們來為國說時會對後發過種經麼學現當沒動還進樣開從實無與長機關點業將兩間問並應頭體見產話門員處條題氣變總電數報結"
    "場計資決書則聽強難設類據邊張該規領確師讓識帶導運請謝貨訂單換壞訴賠償質價錢購買賣費圖劉陳楊趙黃吳"
    "あいうえおかがきくけこさしじすせたちっつてでとどなにねのはまみめもやよらりるれろをんアイカクコサシスタッテトドナニノフマメラリルレロンー様返品金注文"
    "이다는에을가의하지고를은한로도시기사해서대자리어나인과일수전부정스보있아들안제그라만상주성원장여습요니까게청문드배송환불진받객"
)
"""What is written most, Chinese, Japanese and Korean: two encodings that both fit are told apart by it."""


def _decodes(data: bytes, codec: str) -> bool:
    """Strictly, but for a character cut off at the end of the sample and single stray bytes."""
    loose = data.decode(codec, "replace")
    return loose.count(_UNKNOWN) <= 1 + len(loose) // 200


_ALPHABETS = {
    "cp1251": frozenset("оеаинтсрвлкмдпу"),
    "koi8-r": frozenset("оеаинтсрвлкмдпу"),
    "cp866": frozenset("оеаинтсрвлкмдпу"),
    "cp1253": frozenset("αοιετσνηυρπκμλςάέίόή"),
    "cp1255": frozenset("יוהלארתשבמםנחק"),
    "cp1256": frozenset("اليمونرتبعدسفهكأة"),
    "cp874": frozenset("านรอกเงมยลวดทสตะปบคหแจพชขใไโ่้ัี"),
}
"""The commonest letters of each alphabet: of text in its own encoding they make up two thirds and more."""


def _guess_single_byte(data: bytes) -> str:
    high = data.translate(None, _ASCII)
    shares = {codec: _letter_share(high, codec, letters) for codec, letters in _ALPHABETS.items()}
    if _NO_THAI.search(data):
        del shares["cp874"]
    best = max(shares, key=lambda codec: shares[codec])
    if shares[best] >= 0.6:
        return best
    return _ask_charset_normalizer(data) if len(high) >= 16 else "cp1252"


def _letter_share(high: bytes, codec: str, letters: frozenset[str]) -> float:
    return sum(character in letters for character in high.decode(codec, "replace")) / len(high)


def _ask_charset_normalizer(data: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(data[:2048]).best()
    return best.encoding if best else "cp1252"
