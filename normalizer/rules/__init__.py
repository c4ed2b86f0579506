"""Rule packs: what words mean, as TOML, compiled once per process."""

from __future__ import annotations

from normalizer.rules.pack import Hit, Pack, Rule, RuleError, Rules, load

__all__ = ["Hit", "Pack", "Rule", "RuleError", "Rules", "load"]
