"""Routes decide by what a record says; which one decided, and why no other did, can be told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allears.filing.routing import DEFAULT, Routing, Shadowed
from allears.journal.records import Destination, Route
from allears.journal.routed import routed
from allears.settings.routes import RouteSettings, RouteTarget, RoutingSection
from allears_sdk.complaint import CATEGORIES, PRIORITIES, Complaint, Contact, Customer

KNOWN = {name: Destination(name=name) for name in ("desk", "crm", "quality")}
PARKED = Destination(name="crm")


def record(**facts: Any) -> Complaint:
    given: dict[str, Any] = {
        "id": "ALE-7K3M-Q9TX-4RWD",
        "title": "包裹一直没到",
        "nature": "complaint",
        "received_at": datetime(2026, 3, 1, tzinfo=UTC),
        "category": "logistics.delay",
        "description": "快递三天没动静，客服也不理人。",
        "priority": "P3",
        "channel": "shop-chat",
        "language": "zh-Hans",
    }
    return Complaint(**{**given, **facts})


def route(name: str, **facts: Any) -> RouteSettings:
    return RouteSettings(name=name, **{key: tuple(v) if isinstance(v, list) else v for key, v in facts.items()})


def routing(*routes: RouteSettings, match: str = "first", usual: Sequence[str] = ("desk",), **default: Any) -> Routing:
    section = RoutingSection.model_validate({"match": match, "default": RouteTarget(**default)})
    return Routing(section, routes, KNOWN, [KNOWN[name] for name in usual])


def names(decision: Route) -> list[str]:
    return [one.name for one in decision.destinations]


@pytest.mark.parametrize(
    ("field", "wanted", "matching", "other"),
    [
        ("category", "logistics", {"category": "logistics.delay"}, {"category": "billing.price"}),
        ("category", "logistics.delay", {"category": "logistics.delay"}, {"category": "logistics.damage"}),
        ("nature", "question", {"nature": "question"}, {"nature": "complaint"}),
        ("priority", "P1", {"priority": "P1"}, {"priority": ""}),
        ("customer_level", "VIP", {"customer": Customer(level="vip")}, {"customer": Customer(level="vip2")}),
        ("product_line", "厨电", {"product_line": "厨电"}, {"product_line": ""}),
        ("region", "CN", {"customer": Customer(region="cn")}, {"customer": Customer(region="HK")}),
        ("channel", "shop-chat", {}, {"channel": "mail"}),
        ("language", "zh", {"language": "zh-Hant"}, {"language": "en"}),
        ("keyword", "快递", {"description": "快遞還沒到"}, {"description": "屏幕坏了", "title": ""}),
        ("keyword", "refund", {"description": "REFUND me"}, {"description": "refunded already"}),
        ("keyword", "refund*", {"description": "I was refunded half"}, {"description": "prerefund"}),
        ("sender_domain", "example.org", {"contact": Contact(email="a@Mail.Example.org")},
         {"contact": Contact(email="a@badexample.org")}),
        ("sender_domain", "@example.org", {"customer_id": "b@example.org"}, {"customer_id": "wm-li"}),
    ],
)  # fmt: skip
def test_each_condition(field: str, wanted: str, matching: dict[str, Any], other: dict[str, Any]) -> None:
    decides = routing(route("mine", team="a", **{field: [wanted]}), team="b")
    assert decides(record(**matching)).team == "a"
    assert decides(record(**other)).team == "b"


def test_all_conditions_must_hold_each_by_one_of_its_words() -> None:
    decides = routing(route("mine", team="a", priority=["P1", "P2"], category=["logistics", "policy"]))
    assert decides(record(priority="P2", category="policy.refund")).team == "a"
    assert decides(record(priority="P3", category="policy.refund")).team == ""
    assert decides(record(priority="P1", category="service.attitude")).team == ""


def test_the_first_match_decides_alone() -> None:
    decides = routing(
        route("urgent", priority=["P1"], team="质量部", destinations=["quality"]),
        route("parcels", category=["logistics"], team="物流组", assignee="王芳", tags=["快递"]),
    )
    found = decides(record(priority="P1"))
    assert (found.team, found.assignee, names(found), found.tags) == ("质量部", "", ["quality"], ())
    assert found.routes == ("urgent",)


def test_with_all_every_match_adds_and_the_first_names_the_team() -> None:
    decides = routing(
        route("urgent", priority=["P1"], team="质量部", destinations=["quality"], cc=["boss@example.com"]),
        route("parcels", category=["logistics"], team="物流组", assignee="王芳", destinations=["desk", "quality"]),
        route("other", category=["billing"], destinations=["crm"]),
        match="all",
    )
    found = decides(record(priority="P1"))
    assert (found.team, found.assignee) == ("质量部", "王芳")
    assert (found.team_by, found.assignee_by) == ("urgent", "parcels")
    assert names(found) == ["quality", "desk"]
    assert (found.cc, found.routes) == (("boss@example.com",), ("urgent", "parcels"))


def test_nothing_is_unrouted() -> None:
    decides = routing(route("urgent", priority=["P1"], destinations=["quality"]), team="客服", destinations=["crm"])
    found = decides(record())
    assert (found.team, names(found), found.routes) == ("客服", ["crm"], (DEFAULT,))
    assert names(routing(route("urgent", priority=["P1"], team="质量部"))(record(priority="P1"))) == ["desk"]


@given(category=st.sampled_from(CATEGORIES), priority=st.sampled_from((*PRIORITIES, "")), text=st.text(max_size=80))
def test_every_complaint_goes_somewhere(category: str, priority: str, text: str) -> None:
    routes = [
        route("a", category=["logistics"], keyword=["快递", "parcel*"], destinations=["quality"]),
        route("b", priority=["P1"], team="b"),
    ]
    said = record(category=category, priority=priority, description=text)
    for match in ("first", "all"):
        decides = routing(*routes, match=match)
        assert decides(said).destinations
        decision, verdicts = decides.explain(said)
        assert decision == decides(said)
        applying = [one.name for one in verdicts if one.applies]
        assert tuple(applying or [DEFAULT]) == decision.routes
        assert all(one.matches for one in verdicts if one.applies)


def test_explaining_names_what_was_met_and_what_was_not() -> None:
    decides = routing(
        route("urgent", priority=["P1", "P2"]),
        route("parcels", category=["logistics"], keyword=["快递", "parcel*"]),
        route("late", category=["logistics.delay"]),
    )
    _, (urgent, parcels, late) = decides.explain(record())
    assert (urgent.matches, urgent.applies) == (False, False)
    (answer,) = urgent.answers
    assert (answer.field, answer.found, answer.wanted, answer.met) == ("priority", ("P3",), ("P1", "P2"), ())
    assert (parcels.matches, parcels.applies) == (True, True)
    assert [(one.field, one.met) for one in parcels.answers] == [("category", ("logistics",)), ("keyword", ("快递",))]
    assert (late.matches, late.applies) == (True, False)


@pytest.mark.parametrize(
    ("earlier", "later", "is_shadowed"),
    [
        ({}, {"priority": ["P1"]}, True),
        ({"category": ["logistics"]}, {"category": ["logistics.delay", "logistics.loss"]}, True),
        ({"category": ["logistics.delay"]}, {"category": ["logistics"]}, False),
        ({"priority": ["P1", "P2"]}, {"priority": ["P2"], "channel": ["mail"]}, True),
        ({"priority": ["P1"], "channel": ["mail"]}, {"priority": ["P1"]}, False),
        ({"keyword": ["快递"]}, {"keyword": ["快递员"]}, True),
        ({"keyword": ["refund"]}, {"keyword": ["refunded"]}, False),
        ({"keyword": ["refund*"]}, {"keyword": ["refunded", "refund*"]}, True),
        ({"sender_domain": ["example.org"]}, {"sender_domain": ["mail.example.org"]}, True),
        ({"language": ["zh"]}, {"language": ["zh-Hant"]}, True),
    ],
)
def test_routes_that_never_decide(earlier: dict[str, Any], later: dict[str, Any], is_shadowed: bool) -> None:
    routes = (route("wide", **earlier), route("narrow", **later))
    expected = [Shadowed(name="narrow", by="wide")] if is_shadowed else []
    assert routing(*routes).shadowed() == expected
    assert routing(*routes, match="all").shadowed() == []


def test_a_destination_that_is_switched_off_keeps_its_complaints() -> None:
    """It is named, so the complaint waits for it rather than going nowhere."""
    section = RoutingSection(default=RouteTarget())
    decides = Routing(section, [route("mine", destinations=["crm"])], {"crm": PARKED}, [])
    assert names(decides(record())) == ["crm"]


# What is decided is kept


def test_the_record_says_who_handles_it_and_which_route_says_so() -> None:
    decides = routing(
        route("parcels", category=["logistics"], team="物流组", assignee="王芳", tags=["快递"], cc=["质检"])
    )
    found = routed(record(), None, decides(record()))
    assert (found.team, found.assignee, found.handler) == ("物流组", "王芳", "王芳")
    assert (found.tags, found.cc) == (("快递",), ("质检",))
    sources = {name: found.provenance[name].source for name in ("team", "assignee", "handler", "tags", "cc")}
    assert set(sources.values()) == {"route:parcels"}


def test_without_an_assignee_the_team_handles_it() -> None:
    found = routed(record(), None, routing(team="客服")(record()))
    assert (found.handler, found.provenance["handler"].source) == ("客服", "route:default")


def test_a_later_match_adds_and_changes_nobody() -> None:
    decides = routing(
        route("urgent", priority=["P1"], team="质量部", assignee="李雷", tags=["urgent"], cc=["boss@example.com"]),
        route("parcels", category=["logistics"], team="物流组", tags=["快递"]),
    )
    opened = routed(record(), None, decides(record()))
    later = record(priority="P1", tags=("withdrawn",))
    found = routed(later, opened, decides(later))
    assert (found.team, found.assignee, found.handler) == ("物流组", "", "物流组")
    assert found.tags == ("withdrawn", "快递", "urgent")
    assert found.cc == ("boss@example.com",)
    assert found.provenance["team"].source == "route:parcels"
    again = routed(record(), found, decides(record()))
    assert again.tags == ("快递", "urgent")
    assert again.cc == ("boss@example.com",)
