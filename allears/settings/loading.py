"""From a TOML file to a `Configuration`, or to the list of everything that is wrong with it."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from allears.settings import environment
from allears.settings.defaults import embedded
from allears.settings.faults import Fault, InvalidConfiguration, explain, hint, say
from allears.settings.places import fragments, line_of, lines
from allears.settings.routes import RouteSettings, RoutingSection
from allears.settings.routing_faults import Named, routing_faults
from allears.settings.rules_section import RulesSection, read_own_rules
from allears.settings.secrets import Revealer
from allears.settings.sections import SECTIONS, Configuration, DaemonSection, Disabled, default_language
from allears_sdk import registry
from allears_sdk.connector import Connector
from allears_sdk.errors import ConfigError
from allears_sdk.settings import ChannelSettings
from normalizer.own_rules import OwnRules

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_FAMILIES = {"channels": ("connector", registry.CONNECTORS), "destinations": ("sink", registry.SINKS)}
_PATHS = {
    "allears": ("data_folder",),
    "public": ("tls_certificate", "tls_key"),
    "customers": ("file",),
    "catalogue": ("file",),
}


def find_file(path: Path | None = None) -> Path | None:
    """The file in use: the given one, $ALLEARS_CONFIG, ./allears.toml, /etc/allears/allears.toml, or none."""
    if path is not None:
        return path
    if given := os.environ.get("ALLEARS_CONFIG"):
        return Path(given)
    usual = (Path("allears.toml"), Path("/etc/allears/allears.toml"))
    return next((file for file in usual if file.is_file()), None)


def load(path: Path | None = None, *, language: str = "") -> Configuration:
    """Read, resolve and validate. Without a file: the built-in defaults.

    Raises `InvalidConfiguration` (a ConfigError) with every fault at once, in `language`, else in the file's own,
    else as LANG says.
    """
    source = find_file(path)
    text = _read(source, language) if source else ""
    return _Loading(source, text, _parse(source, text, language) if source else None, language).run()


def glance(path: Path | None = None, *, language: str = "") -> Configuration:
    """`load` for whoever needs little more than the data folder: what is at fault is left out and told in `faults`.

    Raises `InvalidConfiguration` when the file cannot be read at all, or leaves open where the data folder is.
    """
    source = find_file(path)
    text = _read(source, language) if source else ""
    try:
        data = _parse(source, text, language) if source else None
    except InvalidConfiguration as error:
        data = fragments(text)
        if "data_folder" not in data["allears"] and not os.environ.get(environment.variable("allears", "data_folder")):
            raise
        return _Loading(source, text, data, language, error.faults, is_lenient=True).run()
    found = _Loading(source, text, data, language, is_lenient=True).run()
    if any(map(_hides_folder, found.faults)) and environment.variable("allears", "data_folder") not in os.environ:
        raise InvalidConfiguration(str(source), found.faults, language or found.daemon.language)
    return found


def _hides_folder(fault: Fault) -> bool:
    """Whether the file means to say where the data folder is, and does not."""
    section, _, key = fault.place.partition(".")
    if key:
        return section == "allears" and bool(difflib.get_close_matches(key, ["data_folder"]))
    return bool(difflib.get_close_matches(section, ["allears"]))


def _read(source: Path, language: str) -> str:
    language = language or default_language()
    try:
        return source.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        message = say(language, "no_file")
    except OSError as error:
        message = say(language, "unreadable", reason=error.strerror)
    except UnicodeDecodeError:
        message = say(language, "unreadable", reason="not UTF-8")
    raise InvalidConfiguration(str(source), [Fault(place="", message=message)], language)


def _parse(source: Path, text: str, language: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        language = language or default_language()
        line = re.search(r"at line (\d+)", str(error))
        reason = re.sub(r" \(at line.*\)", "", str(error))
        fault = Fault(place="", message=say(language, "syntax", reason=reason), line=int(line[1]) if line else None)
        raise InvalidConfiguration(str(source), [fault], language) from None


class _Loading:
    """One reading of one file; collects faults as it goes."""

    def __init__(
        self,
        source: Path | None,
        text: str,
        data: dict[str, Any] | None,
        language: str,
        faults: Sequence[Fault] = (),
        *,
        is_lenient: bool = False,
    ) -> None:
        self._source = source
        self._data = data
        self._lines = lines(text)
        self._folder = source.absolute().parent if source else Path.cwd()
        self._environment: dict[str, dict[str, Any]] = {}
        self._faults: list[Fault] = list(faults)
        self._is_lenient = is_lenient
        self._warnings: list[Fault] = []
        self._disabled: list[Disabled] = []
        self._language = language or self._own_language()

    def run(self) -> Configuration:
        self._read_environment()
        self._check_top()
        sections = {name: self._section(name, model) for name, model in SECTIONS.items()}
        daemon = sections["allears"] or DaemonSection()
        self._fill_in(daemon.data_folder)
        channels = self._family("channels")
        destinations = self._family("destinations")
        routes = self._routes()
        own_rules = self._own_rules(sections["rules"])
        self._check_routing(sections["routing"] or RoutingSection(), routes, destinations)
        if self._faults and not self._is_lenient:
            name = str(self._source) if self._source else "ALLEARS_*"
            raise InvalidConfiguration(name, self._faults, self._language)
        return Configuration(
            daemon=daemon,
            **{name: section for name, section in sections.items() if name != "allears"},
            routes=tuple(route for _, route in routes),
            own_rules=own_rules,
            channels=channels,
            destinations=destinations,
            disabled=tuple(self._disabled),
            warnings=tuple(self._warnings),
            faults=tuple(self._faults),
            source=self._source,
            environment=frozenset(
                environment.variable(section, key) for section, keys in self._environment.items() for key in keys
            ),
        )

    def _own_language(self) -> str:
        section = (self._data or {}).get("allears")
        wanted = os.environ.get("ALLEARS_LANGUAGE") or (section.get("language") if isinstance(section, dict) else None)
        return wanted if wanted in ("zh", "en") else default_language()

    def _read_environment(self) -> None:
        try:
            self._environment = environment.overrides()
        except ConfigError as error:
            self._faults.append(Fault(place="", message=str(error)))

    def _check_top(self) -> None:
        valid = [*SECTIONS, "routes", *_FAMILIES]
        for key in self._data or {}:
            if key not in valid:
                self._fault((key,), say(self._language, "unknown_key", hint=hint(key, valid, self._language)))

    def _fill_in(self, data_folder: Path) -> None:
        """No file: the built-in channels. A file without destinations: the built-in list."""
        built_in = embedded(data_folder)
        if self._data is None:
            self._data = built_in
        self._data.setdefault("destinations", built_in["destinations"])
        if not self._data.get("channels"):
            self._warn(("channels",), say(self._language, "no_channels"))

    def _table(self, *path: str) -> dict[str, Any]:
        found: Any = self._data or {}
        for key in path:
            found = found.get(key, {})
        if isinstance(found, dict):
            return found
        self._fault(path, say(self._language, "not_table", place=".".join(path)))
        return {}

    def _section(self, name: str, model: type[BaseModel]) -> Any:
        data = dict(self._table(name))
        for key in _PATHS.get(name, ()):
            if isinstance(data.get(key), str):
                data[key] = self._folder / Path(data[key]).expanduser()
        data |= self._environment.get(name, {})
        built = self._build((name,), data, model)
        return _valid_part(data, model) if built is None and self._is_lenient else built

    def _family(self, family: str) -> dict[str, Any]:
        found = {}
        for name in self._table(family):
            before = len(self._faults)
            found[name] = self._component(family, name)
            if len(self._faults) > before:
                found[name] = None
                self._put_off(family, name, self._faults[before])
        return {name: settings for name, settings in found.items() if settings is not None}

    def _put_off(self, family: str, name: str, fault: Fault) -> None:
        """In a lenient reading, what is at fault is still known by name and kind."""
        given = (self._data or {})[family][name]
        kind = given.get(_FAMILIES[family][0], "") if isinstance(given, dict) else ""
        self._disabled.append(Disabled(section=family, name=name, kind=str(kind), reason=fault.message))

    def _component(self, family: str, name: str) -> Any:
        place = (family, name)
        data = self._table(*place)
        if not NAME.fullmatch(name):
            return self._fault(place, say(self._language, "bad_name"))
        word, group = _FAMILIES[family]
        kind = data.get(word)
        installed = registry.kinds(group)
        if not isinstance(kind, str):
            return self._fault((*place, word), say(self._language, "no_kind", kinds=", ".join(installed)))
        if kind not in installed:
            message = say(
                self._language, "unknown_kind", what=word, kind=kind, hint=hint(kind, installed, self._language)
            )
            return self._fault((*place, word), message)
        model = self._model(family, name, kind)
        built = self._build(place, data, model) if model else None
        if isinstance(built, ChannelSettings) and built.acknowledges and not _can_reply(kind):
            self._fault((*place, "acknowledge"), say(self._language, "cannot_reply", kind=kind))
        return built

    def _model(self, family: str, name: str, kind: str) -> type[BaseModel] | None:
        try:
            if family == "channels":
                return registry.connector_class(kind).Settings
            return registry.sink_class(kind).Settings
        except ConfigError as error:
            self._disabled.append(Disabled(section=family, name=name, kind=kind, reason=str(error)))
            self._warn((family, name), say(self._language, "does_not_load", reason=error))
            return None

    def _build(self, place: tuple[str, ...], data: Mapping[str, Any], model: type[BaseModel]) -> Any:
        revealer = Revealer(self._folder, self._language)
        revealed = revealer.reveal(data, model)
        for path, message in revealer.failed.items():
            self._fault((*place, *path), message)
        for path, message in revealer.warned.items():
            if not self._variable((*place, *path)):
                self._warn((*place, *path), message)
        try:
            return model.model_validate(revealed)
        except ValidationError as error:
            for path, message in explain(error, model, self._language):
                if path not in revealer.failed:
                    self._fault((*place, *path), message)
            return None

    def _own_rules(self, section: RulesSection | None) -> OwnRules:
        """Nothing where a file is at fault."""
        if section is None or not section.files:
            return OwnRules()
        read = read_own_rules(section, self._folder, self._language)
        self._faults += read.faults
        self._warnings += read.warnings
        return OwnRules() if read.faults else read.rules

    def _routes(self) -> list[tuple[int, RouteSettings]]:
        """Those that are valid, with their place among all."""
        rows = (self._data or {}).get("routes", [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self._fault(("routes",), say(self._language, "not_rows", place="routes"))
            return []
        built = [(at, self._build(("routes", str(at)), row, RouteSettings)) for at, row in enumerate(rows)]
        return [(at, route) for at, route in built if route is not None]

    def _check_routing(
        self, routing: RoutingSection, routes: list[tuple[int, RouteSettings]], destinations: Mapping[str, Any]
    ) -> None:
        named = Named(channels=list(self._table("channels")), destinations=list(self._table("destinations")))
        for path, message in routing_faults(routing, routes, named, self._language):
            self._fault(path, message)
        for at, route in routes:
            for name in route.destinations:
                if name in destinations and not destinations[name].enabled:
                    message = say(self._language, "switched_off", name=name)
                    self._warn(("routes", str(at), "destinations"), message)

    def _fault(self, path: tuple[str, ...], message: str) -> None:
        self._faults.append(self._at(path, message))

    def _warn(self, path: tuple[str, ...], message: str) -> None:
        self._warnings.append(self._at(path, message))

    def _at(self, path: tuple[str, ...], message: str) -> Fault:
        if variable := self._variable(path):
            return Fault(place=variable, message=message)
        return Fault(place=".".join(path), message=message, line=line_of(path, self._lines))

    def _variable(self, path: tuple[str, ...]) -> str:
        """The variable this value came from, or "" where it stands in the file."""
        if len(path) > 1 and path[1] in self._environment.get(path[0], {}):
            return environment.variable(path[0], path[1])
        return ""


def _can_reply(kind: str) -> bool:
    return registry.connector_class(kind).reply is not Connector.reply


def _valid_part(data: Mapping[str, Any], model: type[BaseModel]) -> BaseModel:
    """The section with those of its settings that can stand; defaults for the others."""
    good: dict[str, Any] = {}
    for key, value in data.items():
        try:
            model.model_validate({**good, key: value})
        except ValidationError:
            continue
        good[key] = value
    return model.model_validate(good)
