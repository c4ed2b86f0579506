"""A process that forgets, until it is killed: `python -m tests.journal.forgetter FOLDER CUSTOMER`. With "-" it goes on
with what another began."""

from __future__ import annotations

import sys
from pathlib import Path

from allears.journal import forgetting, oblivion, sweeping


def main(folder: Path, customer: str) -> None:
    forgetting.STEP_ROWS = 5  # so that there are many places to die at
    if customer != "-":
        found = oblivion.search(folder, customer, (), lambda done, total: None)
        assert found is not None
        oblivion.begin(folder, found.plan, "test", 1.0)
    print("begun", flush=True)
    sweeping.YOUNG_SECONDS = 0.0
    oblivion.go_on(folder, 2.0, lambda done, total: print(done, flush=True))
    oblivion.compact(folder, 3.0, is_daemon_up=False)
    print("done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
