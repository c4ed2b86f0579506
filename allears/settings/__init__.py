"""One TOML file → one frozen `Configuration`; unknown keys are errors, secrets are references."""

from allears.settings.changes import Changes, Difference, changed
from allears.settings.faults import Fault, InvalidConfiguration, describe
from allears.settings.loading import find_file, glance, load
from allears.settings.routes import RouteSettings, RoutingSection
from allears.settings.sections import (
    AdminSection,
    Configuration,
    DaemonSection,
    Disabled,
    PublicSection,
    default_language,
)

__all__ = [
    "AdminSection",
    "Changes",
    "Configuration",
    "DaemonSection",
    "Difference",
    "Disabled",
    "Fault",
    "InvalidConfiguration",
    "PublicSection",
    "RouteSettings",
    "RoutingSection",
    "changed",
    "default_language",
    "describe",
    "find_file",
    "glance",
    "load",
]
