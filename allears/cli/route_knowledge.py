"""Customers and products for commands: read here and now, and what is wrong with them told."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from allears.cli.failures import Exit, Failure
from allears.cli.session import Session

if TYPE_CHECKING:
    from allears.filing.customers import Customers
    from allears.filing.products import Catalogue
    from allears.settings import Configuration
    from allears_sdk.complaint import Complaint


class CompanyFiles:
    """The files that a configuration names, each read once. Their properties raise SheetError."""

    def __init__(self, configuration: Configuration, session: Session) -> None:
        self._configuration = configuration
        self._session = session

    @cached_property
    def customers(self) -> Customers | None:
        from allears.filing.customers import read_customers

        section = self._configuration.customers
        return read_customers(section) if section.file is not None else None

    @cached_property
    def catalogue(self) -> Catalogue | None:
        from allears.filing.products import Catalogue, read_products

        section = self._configuration.catalogue
        return Catalogue(read_products(section)) if section.file is not None else None

    def known(self, record: Complaint) -> Complaint:
        """The record with what the files say of its customer and product. Raises Failure for one that is broken."""
        from allears.filing.identity import identity_of
        from allears.filing.knowledge import about_customer, about_product
        from allears.filing.sheets import SheetError

        section = self._configuration.customers
        channel = self._configuration.channels.get(record.channel)
        identity = identity_of(record, channel.region if channel else section.region)
        try:
            return about_product(about_customer(record, identity, self.customers, section), self.catalogue)
        except SheetError as error:
            raise Failure(error.say(self._session.language), Exit.CONFIG) from None

    def faults(self) -> list[str]:
        """Files that cannot be used."""
        from allears.filing.sheets import SheetError

        found = []
        for section in ("customers", "catalogue"):
            try:
                getattr(self, section)
            except SheetError as error:
                file = getattr(self._configuration, section).file
                reason = error.say(self._session.language)
                found.append(self._session.say("route_unread", file=file.name, reason=reason))
        return found

    def doubts(self) -> list[str]:
        """Routes that never decide, and product lines that the catalogue does not know."""
        from allears.filing.destinations import routing_of

        shadowed = routing_of(self._configuration).shadowed()
        found = [self._session.say("route_shadowed", name=one.name, by=one.by) for one in shadowed]
        return [*found, *self._unsaid()]

    def _unsaid(self) -> Iterator[str]:
        """Levels and regions may come from channels too: of those nobody knows all."""
        from allears.filing.sheets import SheetError

        try:
            catalogue = self.catalogue
        except SheetError:
            return
        if catalogue is None:
            return
        known, file = {line.casefold() for line in catalogue.lines}, self._configuration.catalogue.file
        for route in self._configuration.routes:
            for word in route.product_line:
                if word.casefold() not in known:
                    facts = {"route": route.name, "field": "product_line", "word": word, "file": file}
                    yield self._session.say("route_no_such_word", **facts)
