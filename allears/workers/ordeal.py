"""An admin's patterns are tried in a process that can be ended: one that hangs costs nobody anything."""

from __future__ import annotations

import re

from allears.settings import Configuration, InvalidConfiguration
from allears.settings.faults import Fault
from allears.settings.rules_section import told
from allears.workers.pool import WorkerLost, Workers
from normalizer.own_rules import OwnRules
from normalizer.rules.faults import RuleFault, say

TIMEOUT_SECONDS = 60.0
"""For all patterns of all files [most take 0.01 s, the worst packaged one 4 s]."""


async def try_patterns(configuration: Configuration, language: str = "") -> None:
    """Raises InvalidConfiguration naming each pattern of the own rules whose work outgrows its text."""
    rules, language = configuration.own_rules, language or configuration.daemon.language
    if not rules:
        return
    try:
        found = await Workers(1, TIMEOUT_SECONDS).run(slow_patterns, rules)
        faults = told(found, rules, language)
    except WorkerLost:
        places = ", ".join(name for name, _ in rules.files)
        faults = [Fault(place=places, message=say(language, "hangs", seconds=TIMEOUT_SECONDS))]
    if faults:
        raise InvalidConfiguration(str(configuration.source), faults, language)


def slow_patterns(own: OwnRules) -> list[RuleFault]:
    """What the packaged packs hold has been tried before."""
    from normalizer.rules.layers import patterns_in
    from normalizer.rules.ordeal import slowness
    from normalizer.rules.pack import LANGUAGES, packaged

    known = {one for language in LANGUAGES for row in packaged(language)["rule"] for one in row.get("patterns", ())}
    faults = []
    for file, path, rule, pattern in patterns_in(own):
        slow = None if pattern in known else slowness(pattern, re.MULTILINE)
        if slow is not None:
            facts = {"seconds": slow.seconds, "count": slow.characters, "sample": slow.sample}
            code = "super_linear" if slow.is_super_linear else "too_slow"
            faults.append(RuleFault(file=file, path=path, rule=rule, code=code, facts=facts))
    return faults
