"""HTML → what a reader sees of it."""

from __future__ import annotations

import pytest

from normalizer.readers.html import MAX_PIECE, to_text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("no markup", "no markup"),
        ("a &lt; b &amp;&nbsp;c &#20320;", "a < b & c 你"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<div>one</div><div>two<br>three</div>", "one\ntwo\nthree"),
        ("<div>one</div><div><br></div><div>two</div>", "one\n\ntwo"),
        ("one\n   two <b>th</b>ree", "one two three"),
        ("<ul><li>one<li>two</ul>", "- one\n- two"),
        ("<table><tr><td>订单</td><td>77</td></tr><tr><td>金额</td><td>99元</td></tr></table>", "订单\t77\n金额\t99元"),
        ('<a href="https://x.example/a?b=1&amp;c=2">here</a>', "here <https://x.example/a?b=1&c=2>"),
        ('<a href="https://x.example/">https://x.example</a>', "https://x.example"),
        ('<a href="mailto:a@b.example">write</a>', "write"),
        ("<pre>one\n  two</pre>", "one\ntwo"),
        ("said<blockquote>quoted<br>more<blockquote>deep</blockquote></blockquote>after",
         "said\n> quoted\n> more\n>> deep\nafter"),
        ("a<script>if (a < b) {}</script><style>p {}</style><!-- c > d -->b", "ab"),
        ('<div style="display: none">preheader</div><p>body</p>', "body"),
        ('<span style="font-size:0px;color:red">x</span>body', "body"),
        ('<div style="display:none">never closed, but all there is', "never closed, but all there is"),
        ("<p hidden>x</p>y", "y"),
        ('<p title="a > b">shown</p>', "shown"),
        ("5 < 6 and 7 > 3 <3", "5 < 6 and 7 > 3 <3"),
        ("<p>cut off <a href='http://x", "cut off <a href='http://x"),
        ('<div class="x>坏了 <b>really</b> broken</div>', "坏了 really broken"),
        ('<p>see <a href="x>this</a> and <i>that</i>', "see this and that"),
        ("kept<!-- never closed <p>shown", "kept<!-- never closed\n\nshown"),
        ("<html><head><title>Re: 订单<body>the title never closes", "Re: 订单the title never closes"),
        ("kept<style>p { never closed <p>", "kept"),
        ("<textarea>typed <b>here</b>", "typed here"),
        ("a<![CDATA[ b ]]>c<!--[if mso]>mso<![endif]-->d<!--[if !mso]><!-->e<!--<![endif]-->", "acde"),
        ("<frameset><frame src=x><noframes><body>no frames here</body></noframes></frameset>", "no frames here"),
        ('<meta http-equiv=refresh content="0;url=https://x.example"><base href="https://y.example"><p>kept', "kept"),
        ("<tr><td>姓名</td><td>张三</td></tr>", "姓名\t张三"),
        ("<table><tr><td>a<td>b<tr><td>c<td>d</table>", "a\tb\nc\td"),
        ("<b><i>one</b> two</i> <u>three", "one two three"),
        ("a&#0;b\0c&#xd800;d", "a\ufffdbc\ufffdd"),
        ("a&#xe000;b&#xe006;<script \ue006></script>c", "abc"),
        ('<img src="data:image/png;base64,' + "QUJD" * 10_000 + '">pasted', "pasted"),
        ('<a name="x"/>text <a href="https://q.example/">here</a>', "text here <https://q.example/>"),
        ('<a href="https://one.example">one <a href="https://two.example">here</a>', "one here <https://two.example>"),
        ("<html><head><title>only a title</title></head><body><img src=x></body></html>", ""),
        ("A &amp; B &copy; &notanentity; AT&T", "A & B © ¬anentity; AT&T"),
        ("<![if !mso]>text<![endif]><o:p></o:p>", "text"),
        ('好<img alt="😀" src=x><img alt="logo" src=y>', "好😀"),
        ("<hr>From: x", "________________________________\nFrom: x"),
        ("", ""),
    ],
)  # fmt: skip
def test_markup_becomes_text(markup: str, text: str) -> None:
    assert to_text(markup) == text


def test_a_gmail_quote_is_marked() -> None:
    markup = (
        '<div dir="ltr">坏了</div><br><div class="gmail_quote"><div>On Wed, May 1, 2024 at 10:00 AM Shop '
        "&lt;<a href='mailto:s@x.example'>s@x.example</a>&gt; wrote:<br></div>"
        "<blockquote><div>您好</div></blockquote></div>"
    )
    assert to_text(markup).startswith("坏了\n\nOn Wed, May 1, 2024 at 10:00 AM Shop <s@x.example> wrote:\n> 您好")


LONG = "<p>第一段 text &amp; more</p>" * (3 * MAX_PIECE // 25)
LONG_TEXT = "\n\n".join(["第一段 text & more"] * (3 * MAX_PIECE // 25))


def test_a_long_mail_reads_like_a_short_one() -> None:
    assert to_text(f"<html><body>{LONG}</body></html>") == LONG_TEXT


def test_what_a_long_mail_hides_stays_hidden() -> None:
    assert to_text(f"seen<div style='display:none'>{LONG}</div>too<script>{LONG}</script><!-- {LONG} -->") == "seentoo"


def test_a_long_quote_stays_a_quote() -> None:
    lines = to_text(f"mine<table><tr><td><blockquote><div>{LONG}</div>end</blockquote></table>mine").split("\n")
    assert {line[:1] for line in lines if line not in ("", "mine")} == {">"}
    assert (lines[0], lines[-1]) == ("mine", "mine")


def test_a_long_link_says_where_it_leads() -> None:
    assert to_text(f"<a href='https://x.example/?a=1&amp;b=2'>{LONG}</a>").endswith(
        "more\n\n<https://x.example/?a=1&b=2>"
    )


def test_one_line_of_a_million_characters_is_kept() -> None:
    assert to_text(f"<p>{'好' * 1_000_000}&amp;</p>") == "好" * 1_000_000 + "&"


@pytest.mark.parametrize(
    "opening",
    [
        "<b>",
        "<table>",
        "<a href=x>",
        "<blockquote>",
        "<p>",
        "<dl><dd>",
        "<table><tr><td>",
        "<font c=1>",
        "<ul><li><div>",
    ],
)
def test_deep_nesting_hides_nothing(opening: str) -> None:
    read = to_text(f"first{opening * (200_000 // len(opening))}last")
    assert read.startswith("first")
    assert read.endswith("last")


def test_two_hundred_thousand_nested_elements_end_no_process() -> None:
    assert to_text(f"first{'<div>' * 200_000}last{'</div>' * 100_000}") == "first\n\nlast"


@pytest.mark.parametrize(
    "markup",
    [
        "<div " + " ".join(f"a{number}=1" for number in range(100_000)) + ">last",
        "".join(f"<body a{number}>" for number in range(20_000)) + "last",
        "<p>" + "".join(f"<font color={number}>" for number in range(20_000)) + "</p><p>" * 20_000 + "last",
        "<a><b>" * 40_000 + "last",
        "<b><div></a>" * 20_000 + "last",
        "<table><p>" * 40_000 + "last",
        "<table>" + "x<b>" * 40_000 + "last",
        "<svg><foreignObject><math><template>" * 20_000 + "last",
        "<select><option>" * 20_000 + "last",
        "<!--" * 40_000 + "last",
        "<a \"" * 40_000 + "last",
        "<" * 40_000 + "last",
        "&#x" * 40_000 + "last",
    ],
    ids=lambda markup: str(markup)[:16],
)  # fmt: skip
def test_hostile_markup_is_read_to_its_end(markup: str) -> None:
    assert to_text(markup).endswith("last")
