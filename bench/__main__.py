"""`make bench`: every figure beside a floor or a peer of the same run.

python -m bench [posts] [callbacks] [mail] [latency] [idle] [derive] [filing] [reviews] [--quick] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from typing import Any

from allears.settings.environment import variable


def _posts(quick: bool) -> dict[str, Any]:
    from bench import posts

    return posts.measure(2 if quick else 5, 1 if quick else 3)


def _callbacks(quick: bool) -> dict[str, Any]:
    from bench import callbacks

    return callbacks.measure(2 if quick else 5, 1 if quick else 3)


def _mail(quick: bool) -> dict[str, Any]:
    from bench import mail

    return mail.measure(500 if quick else 2000)


def _latency(quick: bool) -> dict[str, Any]:
    from bench import latency

    return latency.measure(20 if quick else 100)


def _idle(quick: bool) -> dict[str, Any]:
    from bench import idle

    return idle.measure(50, 20, 5) if quick else idle.measure(1000)


def _derive(quick: bool) -> dict[str, Any]:
    from bench import derive

    return derive.measure(500, 1, 5_000) if quick else derive.measure(3_000, 5, 200_000)


def _filing(quick: bool) -> dict[str, Any]:
    from bench import filing

    return filing.measure(500, 2_000) if quick else filing.measure(10_000, 100_000)


def _reviews(quick: bool) -> dict[str, Any]:
    from bench import reviews

    return reviews.measure(2_000, 1) if quick else reviews.measure(20_000, 3)


BENCHMARKS: Mapping[str, Callable[[bool], dict[str, Any]]] = {
    "posts": _posts,
    "callbacks": _callbacks,
    "mail": _mail,
    "latency": _latency,
    "idle": _idle,
    "derive": _derive,
    "filing": _filing,
    "reviews": _reviews,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], default=[], metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="one short round: to see that it runs")
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--encoder", choices=["auto", "always", "never"], default="never", help="whether it reads along in daemons"
    )
    arguments = parser.parse_args()
    os.environ[variable("understanding", "encoder")] = arguments.encoder
    results = {}
    for name in arguments.names or BENCHMARKS:
        print(f"{name} …", file=sys.stderr, flush=True)
        results[name] = BENCHMARKS[name](arguments.quick)
    if arguments.json:
        print(json.dumps(results, indent=2))
        return
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    for name, result in results.items():
        print(f"\n{name}")
        _show(result, 1)


def _show(result: Mapping[str, Any], depth: int) -> None:
    for key, value in result.items():
        if isinstance(value, dict):
            print(f"{'  ' * depth}{key}")
            _show(value, depth + 1)
        else:
            print(f"{'  ' * depth}{key:<28} {_said(value)}")


def _said(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


if __name__ == "__main__":
    main()
