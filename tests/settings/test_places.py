"""Line numbers of keys agree with what a person counts."""

from __future__ import annotations

from allears.settings.places import line_of, lines

FILE = '''# [not.a.table]
top = 1
[channels . mail]
host = "a # b = [" # comment
"quoted.key" = 2
text = """
[not.a.table]
host = 3
"""
many = [
  { host = "x" }, # ]
  "]",
]
inline = { a = 1, b = { c = 2 } }
[[channels.mail.rules]]
when.rating = 1
'''


def test_lines() -> None:
    found = lines(FILE)
    assert found[("top",)] == 2
    assert found[("channels", "mail")] == 3
    assert found[("channels", "mail", "host")] == 4
    assert found[("channels", "mail", "quoted.key")] == 5
    assert found[("channels", "mail", "many")] == 10
    assert found[("channels", "mail", "inline")] == 14
    assert found[("channels", "mail", "rules", "0", "when", "rating")] == 16
    assert ("not", "a", "table") not in found


def test_nearest_line() -> None:
    found = lines(FILE)
    assert line_of(("channels", "mail", "inline", "b", "c"), found) == 14
    assert line_of(("channels", "mail", "missing"), found) == 3
    assert line_of(("nowhere",), found) is None


def test_rows_of_an_array_of_tables_are_known_by_number() -> None:
    found = lines('language = "zh"\n[[rule]]\nid = "a"\n[[rule]]\nwords = [\n  "x",\n]\nid = "b"\n[rule.more]\n')

    assert (found["rule", "0", "id"], found["rule", "1"], found["rule", "1", "id"]) == (3, 4, 8)
    assert line_of(("rule", "1", "words", "0"), found) == 5
