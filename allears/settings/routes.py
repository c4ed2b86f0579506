"""Where complaints go: `[routing]` and its `[[routes]]`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from allears_sdk.settings import Settings

CONDITIONS = (
    "category",
    "nature",
    "priority",
    "customer_level",
    "product_line",
    "region",
    "channel",
    "keyword",
    "language",
    "sender_domain",
)
"""What a route may ask for."""


class RouteTarget(Settings):
    """Who is to handle a complaint, and where it is filed."""

    team: str = Field(default="", max_length=200, description="Team that handles it.", examples=["logistics"])
    assignee: str = Field(default="", max_length=200, description="Person who handles it.", examples=["wang.fang"])
    destinations: tuple[str, ...] = Field(
        default=(),
        description="Names of the destinations it is filed in; empty: those of [routing].",
        examples=[["list"]],
    )
    cc: tuple[str, ...] = Field(
        default=(), description="Who is to know of it; stands in the record.", examples=[["quality@example.com"]]
    )
    tags: tuple[str, ...] = Field(default=(), description="Put into the record.", examples=[["parcel"]])


class RouteConditions(Settings):
    """What a route asks for."""

    name: str = Field(
        min_length=1,
        max_length=100,
        description="What people call it; stands in the record.",
        examples=["lost-parcels"],
    )
    category: tuple[str, ...] = Field(
        default=(), description='Categories; "logistics" is all below it.', examples=[["logistics"]]
    )
    nature: tuple[str, ...] = Field(default=(), description="Natures.", examples=[["complaint"]])
    priority: tuple[str, ...] = Field(default=(), description="Priorities.", examples=[["P1", "P2"]])
    customer_level: tuple[str, ...] = Field(default=(), description="Customer levels.", examples=[["vip"]])
    product_line: tuple[str, ...] = Field(
        default=(), description="Product lines, as the catalogue names them.", examples=[["audio"]]
    )
    region: tuple[str, ...] = Field(default=(), description="Regions of the customer.", examples=[["CN"]])
    channel: tuple[str, ...] = Field(default=(), description="Names of channels.", examples=[["form"]])
    keyword: tuple[str, ...] = Field(
        default=(),
        description="Words in title or description; Latin ones must stand alone, refund* takes any ending.",
        examples=[["快递", "parcel"]],
    )
    language: tuple[str, ...] = Field(
        default=(), description='Languages of the customer; "zh" is every Chinese.', examples=[["zh"]]
    )
    sender_domain: tuple[str, ...] = Field(
        default=(),
        description="Domains of the customer's mail address, and all below them.",
        examples=[["example.org"]],
    )

    @property
    def conditions(self) -> dict[str, tuple[str, ...]]:
        """What it asks for, by field."""
        return {name: wanted for name in CONDITIONS if (wanted := getattr(self, name))}


class RouteSettings(RouteTarget, RouteConditions):
    """One route. All its conditions must hold, each by one of its words. Without conditions it always matches."""


class RoutingSection(Settings):
    """Where complaints go. Decided when a complaint is opened, and kept."""

    match: Literal["first", "all"] = Field(
        default="first",
        description='"first": the first route that matches decides. "all": every route that matches adds its '
        "destinations, cc and tags; team and assignee are the first's that names one.",
    )
    destinations: tuple[str, ...] = Field(
        default=(),
        description="Names of the destinations of a complaint whose route names none; empty: all that are enabled.",
        examples=[["list"]],
    )
    default: RouteTarget | None = Field(
        default=None,
        description="What becomes of a complaint that no route matches. Required where there are routes.",
        examples=[{"team": "service"}],
    )
