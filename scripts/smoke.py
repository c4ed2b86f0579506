"""Installs the wheel of a folder into a clean environment and runs it: one text in, one record out."""

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

TEXT = {"text": "我买的空气炸锅坏了，订单号3384756201948857231，要求退款"}


def main() -> None:
    (wheel,) = Path(sys.argv[1]).glob("*.whl")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        venv.create(home / "env", with_pip=True)
        bin_folder = home / "env" / ("Scripts" if os.name == "nt" else "bin")
        lock = Path(__file__).parent.parent / "requirements.lock"
        pip = [bin_folder / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, "--constraint", lock, wheel], check=True)
        answer = subprocess.run(
            [bin_folder / "allears", "normalise", "-"],
            input=json.dumps(TEXT) + "\n",
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=home,
            env={**os.environ, "HOME": folder},
            check=False,
        )
    if answer.returncode:
        sys.exit(f"the wheel does not run:\n{answer.stderr}")
    record = json.loads(answer.stdout)["complaint"]
    assert record["entities"]["order"] == ["3384756201948857231"], record
    print(f"{wheel.name}: installed, normalised a text ({record['category']}, {record['priority']})")


if __name__ == "__main__":
    main()
