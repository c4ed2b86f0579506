"""`python -m allears`. Worker processes import this module again, so it must stay light."""

from __future__ import annotations


def main() -> None:
    """The command line; ends the process with a documented exit code (docs/cli.md)."""
    from allears.cli.entry import cli

    cli()


if __name__ == "__main__":
    main()
