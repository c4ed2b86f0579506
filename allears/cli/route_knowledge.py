"""Customers and products for commands: read here and now, and what is wrong with them told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from allears.cli.failures import Exit, Failure
from allears.cli.session import Session

if TYPE_CHECKING:
    from allears.filing.customers import Customers
    from allears.filing.products import Catalogue
    from allears.settings import Configuration
    from allears.settings.knowledge import CatalogueSection, CustomersSection
    from allears_sdk.complaint import Complaint


def known(configuration: Configuration, session: Session, record: Complaint) -> Complaint:
    """The record with what the files say of its customer and product. Raises Failure for a file that cannot be used."""
    from allears.filing.identity import identity_of
    from allears.filing.knowledge import about_customer, about_product
    from allears.filing.sheets import SheetError

    channel = configuration.channels.get(record.channel)
    region = channel.region if channel else configuration.customers.region
    try:
        customers, catalogue = _customers(configuration.customers), _catalogue(configuration.catalogue)
    except SheetError as error:
        raise Failure(error.say(session.language), Exit.CONFIG) from None
    record = about_customer(record, identity_of(record, region), customers, configuration.customers)
    return about_product(record, catalogue)


def faults(configuration: Configuration, session: Session) -> list[str]:
    """Files that cannot be used."""
    from allears.filing.sheets import SheetError

    found = []
    for section, read in ((configuration.customers, _customers), (configuration.catalogue, _catalogue)):
        try:
            read(section)
        except SheetError as error:
            found.append(session.say("route_unread", file=section.file, reason=error.say(session.language)))
    return found


def doubts(configuration: Configuration, session: Session) -> list[str]:
    """Routes that never decide, and words that the files never say."""
    from allears.filing.destinations import routing_of

    shadowed = routing_of(configuration).shadowed()
    found = [session.say("route_shadowed", name=one.name, by=one.by) for one in shadowed]
    return [*found, *_unsaid(configuration, session)]


def _unsaid(configuration: Configuration, session: Session) -> Iterator[str]:
    for field, file, words in _vocabularies(configuration):
        there = {word.casefold() for word in words}
        for one in configuration.routes:
            for word in one.conditions.get(field, ()):
                if word.casefold() not in there:
                    yield session.say("route_no_such_word", route=one.name, field=field, word=word, file=file)


def _vocabularies(configuration: Configuration) -> Iterator[tuple[str, object, Sequence[str]]]:
    """(condition, file, all it can say), of files that can be read. Levels and regions may come from channels too."""
    from allears.filing.sheets import SheetError

    try:
        catalogue = _catalogue(configuration.catalogue)
    except SheetError:
        return
    if catalogue is not None:
        yield "product_line", configuration.catalogue.file, catalogue.lines


@lru_cache(1)
def _customers(section: CustomersSection) -> Customers | None:
    from allears.filing.customers import read_customers

    return read_customers(section) if section.file is not None else None


@lru_cache(1)
def _catalogue(section: CatalogueSection) -> Catalogue | None:
    from allears.filing.products import Catalogue, read_products

    return Catalogue(read_products(section)) if section.file is not None else None
