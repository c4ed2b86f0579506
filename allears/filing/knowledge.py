"""What the company knows beside a complaint's words, put into its record before it is filed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sized
from dataclasses import dataclass, field, replace
from typing import TypeVar

import structlog

from allears.filing.customers import Customers, read_customers
from allears.filing.identity import Identity, Seal, country, identity_of
from allears.filing.products import Catalogue, read_products
from allears.settings.knowledge import CatalogueSection, CustomersSection
from allears.workers.pool import WorkerLost, Workers
from allears_sdk.complaint import Complaint, Evidence, Provenance
from allears_sdk.context import Clock
from allears_sdk.errors import ConfigError
from normalizer.conversation import Draft, Facts, Identifiers
from normalizer.standing import LEVEL, level_source, weighed

T = TypeVar("T", bound=Sized)
DAY_SECONDS = 86_400.0

log = structlog.get_logger("allears.filing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """Customers and products as they are known now."""

    seal: Seal
    clock: Clock
    section: CustomersSection = field(default_factory=CustomersSection)
    customers: Customers | None = None
    catalogue: Catalogue | None = None

    def complete(self, draft: Draft, facts: Facts) -> Draft:
        """The draft with the customer's level, region and key, the product line, and what it is linked by.

        Never raises: whatever is wrong with one draft, the others are filed.
        """
        try:
            return self._completed(draft, facts)
        except Exception:
            log.exception("incomplete", channel=facts.channel)
            return draft

    def _completed(self, draft: Draft, facts: Facts) -> Draft:
        identity = identity_of(draft.record, facts.region, facts.own)
        record = about_customer(draft.record, identity, self.customers, self.section)
        record = about_product(record, self.catalogue)
        return replace(draft, record=record, identifiers=self._identifiers(identity))

    def _identifiers(self, identity: Identity) -> Identifiers | None:
        if not self.section.linked_days or not (identity.customer or identity.orders):
            return None
        since = self.clock.now().timestamp() - self.section.linked_days * DAY_SECONDS
        customers, orders = self.seal.all(identity.customer), self.seal.all(identity.orders)
        return Identifiers(customers=customers, orders=orders, since=since)


def about_customer(
    record: Complaint, identity: Identity, customers: Customers | None, section: CustomersSection
) -> Complaint:
    """The record with level, region and key as the file has them; P2 at least for whoever matters."""
    profile = customers.find(identity.customer) if customers is not None else None
    known = record.customer
    level = (profile.level if profile else "") or known.level
    region = (profile.region if profile else "") or known.region or country(identity.customer)
    key = (profile.id if profile else "") or known.key
    if (level, region, key) == (known.level, known.region, known.key) and not level:
        return record
    source = level_source("customers" if profile and profile.level else "channel", matters=_is_vip(level, section))
    record = replace(
        record,
        customer=replace(known, level=level, region=region, key=key),
        provenance={**record.provenance, LEVEL: source} if level else record.provenance,
    )
    return weighed(record)


def about_product(record: Complaint, catalogue: Catalogue | None) -> Complaint:
    """The record with the line of the first product it names."""
    if catalogue is None or record.product_line:
        return record
    line, words = catalogue.find(record)
    if not line:
        return record
    source = Provenance(source="catalogue", evidence=(Evidence(message="", words=words),))
    return replace(record, product_line=line, provenance={**record.provenance, "product_line": source})


def _is_vip(level: str, section: CustomersSection) -> bool:
    level = level.casefold()
    return any(word.casefold() in level for word in section.vip_levels if word)


class Library:
    """Reads the company's files in a worker, and keeps what it had where a new one is broken."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._customers: Customers | None = None
        self._catalogue: Catalogue | None = None

    async def read(
        self, customers: CustomersSection, catalogue: CatalogueSection
    ) -> tuple[Customers | None, Catalogue | None]:
        """As they are now. A broken file keeps the old one and says so in the log."""
        if customers.file is None:
            self._customers = None
        else:
            self._customers = await _renewed("customers", self._read_customers(customers), self._customers)
        if catalogue.file is None:
            self._catalogue = None
        else:
            self._catalogue = await _renewed("catalogue", self._read_catalogue(catalogue), self._catalogue)
        return self._customers, self._catalogue

    async def _read_customers(self, section: CustomersSection) -> Customers:
        return await self._workers.run(read_customers, section)

    async def _read_catalogue(self, section: CatalogueSection) -> Catalogue:
        products = await self._workers.run(read_products, section)
        return await asyncio.to_thread(Catalogue, products)


async def _renewed(what: str, reading: Awaitable[T], before: T | None) -> T | None:
    try:
        found = await reading
    except (ConfigError, WorkerLost) as error:
        advice = "the one read before goes on" if before is not None else "nothing is known until it is mended"
        log.error("file_refused", section=what, reason=str(error), advice=advice)
        return before
    log.info("file_read", section=what, count=len(found))
    return found
