"""What is left of quotas, and credentials that end, in a reader's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from allears.console import moments
from allears.console.sight import Sight
from allears_sdk.accounts import Credential
from allears_sdk.quota import PERCENT, Quota


def quota_lines(quotas: Mapping[str, Sequence[Quota]], sight: Sight) -> Iterator[str]:
    """One for each; the account is named where there are several."""
    for account, own in quotas.items():
        for quota in own:
            line = _line(quota, sight)
            yield f"{account}: {line}" if len(quotas) > 1 else line


def credential_line(credential: Credential, place: str, sight: Sight) -> str:
    left = (credential.expires_at - sight.now).total_seconds()
    if left <= 0:
        return sight.texts("attention.credential_expired", place=place, credential=credential.name)
    age = moments.span(left, sight.texts)
    return sight.texts("attention.credential_expires", place=place, credential=credential.name, age=age)


def ending(credentials: Sequence[Credential], warning: timedelta, sight: Sight) -> list[Credential]:
    return [one for one in credentials if one.expires_at - sight.now <= warning]


def _line(quota: Quota, sight: Sight) -> str:
    unit = sight.texts.word("quota_unit", quota.name)
    if quota.name == PERCENT:
        line = sight.texts("quota.percent", left=f"{quota.left:.0f}")
    elif quota.most is None:
        line = sight.texts("quota.left", left=_number(quota.left), unit=unit)
    else:
        line = sight.texts("quota.left_of", left=_number(quota.left), most=_number(quota.most), unit=unit)
    until = sight.texts("quota.until", time=sight.stamp(quota.resets_at)) if quota.resets_at else ""
    return f"{line}{until}"


def _number(amount: float) -> str:
    """Money has two places behind the point, counts have none."""
    return f"{amount:,.0f}" if amount == int(amount) else f"{amount:,.2f}"
