"""A page of a folder: which mails come next, and their bytes. Blocking; runs in the pool, in a session's turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from imaplib import IMAP4

from allears_sdk.connector import Missing
from allears_sdk.errors import Unavailable
from allears_sdk.message import Raw
from connectors._mail.raw import relayed_key
from connectors.email import mail
from connectors.email.cursor import Reading, Span, message_set
from connectors.email.faults import Refused, translate
from connectors.email.mail import Listed, Place
from connectors.email.session import Session

PAGE_BYTES = 8 << 20
WINDOW_UIDS = 100_000
"""One SEARCH looks at this many UIDs: imaplib refuses lines over a million bytes."""
FEW = 256
"""So many announced mails are listed without asking first how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a page may hold."""

    limit: int
    max_mail_bytes: int
    newest: bool = False
    passed: frozenset[int] = frozenset()
    """UIDs that stay in the folder although they were dealt with."""
    hopeless: frozenset[int] = frozenset()
    """UIDs over which the connection broke again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The mails of the next page, and how far the folder has been read once they are stored."""

    after: Reading
    listed: tuple[Listed, ...] = ()
    old: tuple[int, ...] = ()
    remaining: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Haul:
    """What the server handed over."""

    raws: tuple[Raw, ...] = ()
    missing: tuple[Missing, ...] = ()
    whole: tuple[int, ...] = ()
    """UIDs of mails that were read whole: these may be marked, moved or deleted."""


def plan(session: Session, reading: Reading, order: Order) -> Plan:
    """Look at what is new and choose the next page. Ends without mails only when nothing is left to read."""
    if not reading.todo and session.growth is not None and session.growth <= FEW:
        return _plan_tip(session, reading, order)
    reading = reading.grown(session.top())
    session.growth = 0
    chosen = Plan(after=reading)
    while not chosen.listed and (window := chosen.after.window(newest=order.newest, width=WINDOW_UIDS)):
        old, chosen = chosen.old, _plan_window(session, chosen.after, order, window)
        chosen = replace(chosen, old=old + chosen.old)
    return chosen


def _plan_tip(session: Session, reading: Reading, order: Order) -> Plan:
    """Everything but what was announced just now has been read: one command lists it."""
    session.growth = 0
    listed = [one for one in session.listing(f"{reading.next_uid}:*") if one.uid >= reading.next_uid]
    if not listed:
        return Plan(after=reading)
    window = (reading.next_uid, listed[-1].uid)
    new = [one for one in listed if one.uid not in order.passed]
    return _cut(reading.grown(listed[-1].uid), order, window, new, others=0)


def _plan_window(session: Session, reading: Reading, order: Order, window: Span) -> Plan:
    since = reading.since if window[1] < reading.old_below else None
    found = [uid for uid in session.search(f"{window[0]}:{window[1]}", since) if uid not in order.passed]
    chosen = found[-order.limit :] if order.newest else found[: order.limit]
    listed = session.listing(message_set(chosen)) if chosen else []
    asked = [one for one in listed if one.uid in set(chosen)]
    return _cut(reading, order, window, asked, others=len(found) - len(chosen))


def _cut(reading: Reading, order: Order, window: Span, listed: Sequence[Listed], others: int) -> Plan:
    """As many as fit into a page, taken from the end that is read first."""
    room = PAGE_BYTES
    taken: list[Listed] = []
    for one in reversed(listed) if order.newest else listed:
        size = one.size if one.size <= order.max_mail_bytes else 0
        if taken and (size > room or len(taken) >= order.limit):
            break
        taken.append(one)
        room -= size
    taken.sort(key=lambda one: one.uid)
    left = others + len(listed) - len(taken)
    done = _done(window, taken, left, order.newest)
    after = reading.without(*done)
    old = [one for one in taken if _is_old(one, reading)]
    return Plan(
        after=after,
        listed=tuple(one for one in taken if one not in old),
        old=tuple(one.uid for one in old),
        remaining=left if reading.todo == (window,) else None,
    )


def _done(window: Span, taken: Sequence[Listed], left: int, newest: bool) -> Span:
    if not left:
        return window
    return (taken[0].uid, window[1]) if newest else (window[0], taken[-1].uid)


def _is_old(one: Listed, reading: Reading) -> bool:
    return one.uid < reading.old_below and one.at is not None and reading.since is not None and one.at < reading.since


def list_keys(session: Session, listed: Sequence[Listed]) -> dict[int, str]:
    """The raw key of each mail that still exists, from its header alone."""
    sizes = {one.uid: one.size for one in listed}
    return {uid: relayed_key(header, sizes[uid]) for uid, header in session.headers(list(sizes)).items()}


def read(session: Session, listed: Sequence[Listed], place: Place, order: Order) -> Haul:
    """The mails' bytes. What the server does not hand over raises Unavailable; on a page of one it is missing."""
    fitting = [one for one in listed if one.size <= order.max_mail_bytes]
    big = [one for one in listed if one.size > order.max_mail_bytes]
    single = order.limit == 1
    bodies, reason = _bodies(session, [one.uid for one in fitting if one.uid not in order.hopeless], single)
    failed = [one for one in fitting if not bodies.get(one.uid) and one.size]
    failed = _still_there(session, failed, bodies)
    if failed and not single:
        raise Unavailable(f"the server does not hand over mail {failed[0].uid} of {place.folder}", detail=reason)
    whole = [one for one in fitting if one.uid in bodies and one not in failed]
    headers = session.headers([one.uid for one in big])
    raws = [mail.whole(one, bodies[one.uid], place) for one in whole]
    raws += [mail.oversized(one, headers[one.uid], order.max_mail_bytes, place) for one in big if one.uid in headers]
    return Haul(
        raws=tuple(raws),
        missing=tuple(mail.missing(one, place, reason or "the server hands over an empty mail") for one in failed),
        whole=tuple(one.uid for one in whole),
    )


def _bodies(session: Session, uids: Sequence[int], single: bool) -> tuple[dict[int, bytes], str]:
    session.reading_uid = uids[0] if single and uids else 0
    reason = "" if uids else "the connection broke over it again and again"
    bodies: dict[int, bytes] = {}
    try:
        bodies = session.bodies(uids)
    except IMAP4.error as error:
        fault = translate(error, "the server")
        if not isinstance(fault, Refused):
            raise
        reason = fault.detail
        if "EXPUNGEISSUED" in reason:
            # RFC 5530: some were removed meanwhile. The rest is asked for again.
            session.client.noop()
            bodies = session.bodies(session.search(message_set(list(uids))))
        elif not single:
            raise Refused("the server refused to hand over a page", detail=reason) from error
    session.reading_uid = 0
    return bodies, reason


def _still_there(session: Session, failed: Sequence[Listed], bodies: dict[int, bytes]) -> list[Listed]:
    """Mails that vanished since they were listed are no error."""
    gone: set[int] = set()
    absent = [one.uid for one in failed if one.uid not in bodies]
    if absent:
        session.client.noop()
        gone = set(absent) - set(session.search(message_set(absent)))
    return [one for one in failed if one.uid not in gone]
