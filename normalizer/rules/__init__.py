"""Rule packs: what words mean, as TOML, compiled once per process."""

from __future__ import annotations

from normalizer.rules.pack import Found, Hit, Pack, Rule, RuleError, Rules, load

__all__ = ["Found", "Hit", "Pack", "Rule", "RuleError", "Rules", "load"]
