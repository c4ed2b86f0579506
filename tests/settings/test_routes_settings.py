"""Routes in the file: everything that is wrong with them is told, with its line and the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from allears import settings

GOOD = """
[routing]
match = "all"
default = { team = "客服", destinations = ["list"] }
[customers]
file = "customers.csv"
level_column = "等级"
[catalogue]
file = "catalogue.csv"
[[routes]]
name = "parcels"
category = ["logistics", "billing.payment"]
keyword = ["快递", "parcel*"]
team = "物流组"
[[routes]]
name = "urgent"
priority = ["P1"]
channel = ["web"]
destinations = ["list"]
[channels.web]
connector = "form"
[destinations.list]
sink = "list"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "allears.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder: Path, text: str, language: str = "en") -> list[str]:
    with pytest.raises(settings.InvalidConfiguration) as caught:
        settings.load(write(folder, text), language=language)
    return [settings.describe(fault, language) for fault in caught.value.faults]


def test_a_good_file(tmp_path: Path) -> None:
    found = settings.load(write(tmp_path, GOOD))
    assert [one.name for one in found.routes] == ["parcels", "urgent"]
    assert list(found.routes[0].conditions) == ["category", "keyword"]
    assert found.routing.default is not None and found.routing.default.team == "客服"
    assert found.customers.file == tmp_path / "customers.csv"
    assert found.catalogue.file == tmp_path / "catalogue.csv"


def test_names_that_nothing_has(tmp_path: Path) -> None:
    text = (
        GOOD.replace('"logistics", "billing.payment"', '"logistic", "billing.paymnt"')
        .replace('priority = ["P1"]', 'priority = ["P0"]\nnature = ["complain"]')
        .replace('["web"]', '["webb"]')
        .replace('destinations = ["list"]\n[channels', 'destinations = ["lsit"]\n[channels')
        .replace('name = "urgent"', 'name = "parcels"')
    )
    assert faults(tmp_path, text) == [
        'line 12, routes.0.category: no category is called "logistic"; did you mean "logistics"?',
        'line 12, routes.0.category: no category is called "billing.paymnt"; did you mean "billing.payment"?',
        'line 16, routes.1.name: another route is called "parcels" already',
        'line 17, routes.1.priority: no priority is called "P0"; valid: P1, P2, P3, P4',
        'line 18, routes.1.nature: no nature is called "complain"; did you mean "complaint"?',
        'line 19, routes.1.channel: no channel is called "webb"; did you mean "web"?',
        'line 20, routes.1.destinations: no destination is called "lsit"; did you mean "list"?',
    ]


def test_a_default_is_required(tmp_path: Path) -> None:
    text = GOOD.replace('default = { team = "客服", destinations = ["list"] }\n', "")
    (told,) = faults(tmp_path, text)
    assert told == (
        "line 2, routing.default: missing, and required where there are routes: what becomes of a complaint that none "
        "matches"
    )
    (told,) = faults(tmp_path, text, "zh")
    assert told == "第 2 行，routing.default: 设有 routes 时必填：没有任何规则匹配的投诉如何处理"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('keyword = ["快递", "parcel*"]', 'keyword = ["*"]', "routes.0.keyword: an empty word matches nothing"),
        ('keyword = ["快递", "parcel*"]', 'keywrod = ["快递"]', 'unknown key; did you mean "keyword"?'),
        ('name = "urgent"\n', "", "routes.1.name: missing, and required"),
        ('match = "all"', 'match = "any"', "routing.match"),
        ('destinations = ["list"] }', 'destinations = ["lst"] }', 'routing.default.destinations: no destination is'),
        ("[[routes]]\nname = \"parcels\"", "[routes.parcels]\nname = \"parcels\"", ""),
    ],
)  # fmt: skip
def test_other_faults(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert any(message in told for told in faults(tmp_path, GOOD.replace(old, new)))


def test_a_table_is_no_array(tmp_path: Path) -> None:
    (told,) = faults(tmp_path, '[routes]\nname = "x"\n')
    assert told == "line 1, routes: must be an array of tables, as in [[routes]]"


def test_a_destination_that_is_switched_off_is_warned_of(tmp_path: Path) -> None:
    text = GOOD.replace('sink = "list"', 'sink = "list"\nenabled = false')
    (told,) = [one.message for one in settings.load(write(tmp_path, text)).warnings]
    assert told == 'the destination "list" is switched off: what goes there waits until it is on'


def test_what_a_reload_sees(tmp_path: Path) -> None:
    old = settings.load(write(tmp_path, GOOD))
    new = settings.load(write(tmp_path, GOOD.replace("物流组", "快递组").replace("等级", "级别")))
    assert settings.changed(old, new).sections == {"routes", "customers"}


def test_the_environment_names_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLEARS_CUSTOMERS__FILE", "/srv/customers.csv")
    monkeypatch.setenv("ALLEARS_ROUTING__MATCH", "first")
    found = settings.load(write(tmp_path, GOOD))
    assert (found.customers.file, found.routing.match) == (Path("/srv/customers.csv"), "first")
