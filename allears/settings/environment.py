"""Variables that override the file: `ALLEARS_ADMIN__PORT=9000`, and for [allears] plain `ALLEARS_LOG_LEVEL=debug`."""

from __future__ import annotations

import os
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from allears.settings.knowledge import CatalogueSection, CustomersSection
from allears.settings.model_section import ModelSection
from allears.settings.routes import RoutingSection
from allears.settings.rules_section import RulesSection
from allears.settings.sections import AdminSection, DaemonSection, PublicSection
from allears.settings.understanding_section import UnderstandingSection
from allears_sdk.errors import ConfigError

PREFIX = "ALLEARS_"


class _Rooms(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="ignore")

    public: PublicSection = Field(default_factory=PublicSection)
    admin: AdminSection = Field(default_factory=AdminSection)
    routing: RoutingSection = Field(default_factory=RoutingSection)
    customers: CustomersSection = Field(default_factory=CustomersSection)
    catalogue: CatalogueSection = Field(default_factory=CatalogueSection)
    model: ModelSection = Field(default_factory=ModelSection)
    rules: RulesSection = Field(default_factory=RulesSection)
    understanding: UnderstandingSection = Field(default_factory=UnderstandingSection)


def overrides() -> dict[str, dict[str, Any]]:
    """Section → key → value as the environment has it, not validated yet. ConfigError for a list that is not JSON."""
    try:
        rooms = EnvSettingsSource(_Rooms)()
    except SettingsError as error:
        raise ConfigError(f"{error}: a list is written as JSON, ALLEARS_ROUTING__DESTINATIONS='[\"list\"]'") from None
    found = {name: dict(values) for name, values in rooms.items() if isinstance(values, dict)}
    own = {name: os.environ.get(variable("allears", name), "") for name in DaemonSection.model_fields}
    found["allears"] = {name: value for name, value in own.items() if value}
    return {name: values for name, values in found.items() if values}


def variable(section: str, key: str) -> str:
    """The variable's name for a key."""
    return f"{PREFIX}{key.upper()}" if section == "allears" else f"{PREFIX}{section.upper()}__{key.upper()}"
