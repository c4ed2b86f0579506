"""HTML → what a reader sees of it."""

from __future__ import annotations

import pytest

from normalizer.readers.html import to_text


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
