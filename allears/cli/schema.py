"""`allears schema`: the JSON Schema of the record, or of the configuration file."""

from __future__ import annotations

import json

import click

from allears.cli.session import Session, common, with_session


@click.command()
@click.option("--config", "of_config", is_flag=True, help="--config")
@common
@with_session
def schema(session: Session, of_config: bool) -> None:
    """Replaced by the text of the reader's language."""
    if of_config:
        from allears.settings.schema import config_schema

        document = config_schema()
    else:
        from allears_sdk.complaint import json_schema

        document = json_schema()
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
