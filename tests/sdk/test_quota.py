"""Vendors' quota headers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allears_sdk.quota import META_USAGE, quotas_of, used_percent

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
UNIX = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("headers", "name", "left", "most", "seconds"),
    [
        (  # Mastodon
            {
                "x-ratelimit-limit": "300",
                "x-ratelimit-remaining": "298",
                "x-ratelimit-reset": "2026-11-22T12:05:00.000000Z",
            },
            "calls", 298, 300, 300,
        ),
        (  # Reddit
            {"x-ratelimit-remaining": "598.0", "x-ratelimit-used": "2", "x-ratelimit-reset": "180"},
            "calls", 598, None, 180,
        ),
        (  # X
            {"x-rate-limit-limit": "900", "x-rate-limit-remaining": "0", "x-rate-limit-reset": str(UNIX + 900)},
            "calls", 0, 900, 900,
        ),
        (  # the IETF's draft
            {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "99", "ratelimit-reset": "50"},
            "calls", 99, 100, 50,
        ),
        ({"x-rate-limit": "user-hour-lim:3500;user-hour-rem:500;"}, "calls", 500, 3500, None),  # App Store Connect
        ({"x-app-usage": '{"call_count":28,"total_time":25,"total_cputime":26}'}, "percent", 72, 100, None),
        (
            {
                "x-app-usage": '{"call_count":10}',
                "x-business-use-case-usage": '{"17841400000000000":[{"type":"instagram","call_count":1,'
                '"total_cputime":1,"total_time":88,"estimated_time_to_regain_access":0}]}',
            },
            "percent", 12, 100, None,
        ),
        ({"x-page-usage": '{"call_count":140,"total_time":20,"total_cputime":9}'}, "percent", 0, 100, None),
    ],
)  # fmt: skip
def test_headers_of_vendors(
    headers: dict[str, str], name: str, left: float, most: float | None, seconds: float | None
) -> None:
    [quota] = quotas_of(headers, NOW)
    assert (quota.name, quota.left, quota.most, quota.told_at) == (name, left, most, NOW)
    assert quota.resets_at == (None if seconds is None else NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ratelimit-limit": "300"},
        {"x-ratelimit-remaining": "-1"},
        {"x-ratelimit-remaining": "many"},
        {"x-ratelimit-remaining": "9" * 400},
        {"x-rate-limit": "300"},
        {"x-rate-limit": "user-hour-lim:;user-hour-rem:;"},
        {"x-app-usage": "{}"},
        {"x-app-usage": '{"call_count":"28","total_time":null,"total_cputime":true}'},
        {"x-app-usage": '{"call_count":-1,"total_time":1e400}'},
        {"x-app-usage": "["},
        {"x-app-usage": "[" * 100_000},
        {"x-business-use-case-usage": '{"1":{"call_count":50},"2":["x"]}'},
    ],
)
def test_headers_that_make_no_sense_are_passed_over(headers: dict[str, str]) -> None:
    assert not quotas_of(headers, NOW)
    assert used_percent(headers) is None


@pytest.mark.parametrize("reset", ["", "soon", "99999999999999999", "1", str(UNIX - 60), "0001-01-01T00:00:00Z"])
def test_a_reset_that_makes_no_sense_leaves_the_rest(reset: str) -> None:
    [quota] = quotas_of({"x-ratelimit-remaining": "7", "x-ratelimit-reset": reset}, NOW)
    assert quota.left == 7
    assert quota.resets_at in (None, NOW + timedelta(seconds=1))


_NAMES = st.sampled_from(
    [*(f"{prefix}{part}" for prefix in ("x-ratelimit-", "ratelimit-") for part in ("remaining", "limit", "reset")),
     "x-rate-limit", *META_USAGE]
)  # fmt: skip


@given(st.dictionaries(_NAMES, st.text(max_size=60) | st.integers().map(str) | st.floats().map(str)))
def test_any_headers_may_come(headers: dict[str, str]) -> None:
    for quota in quotas_of(headers, NOW):
        assert quota.left >= 0
        assert quota.resets_at is None or quota.resets_at >= NOW
