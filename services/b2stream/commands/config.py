"""`b2stream config show`: each setting, its value, and where it came from."""

import json

import click

from b2stream.settings import load


@click.group()
def config() -> None:
    """Show every setting and where it came from."""


@config.command()
@click.option("--config", "file", type=click.Path(), help="TOML file; else $B2STREAM_CONFIG, else ./b2stream.toml.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def show(file: str | None, as_json: bool) -> None:
    """Print each setting with value, origin, meaning and the variable that sets it."""
    rows = list(load(file).rows())
    if as_json:
        document = {
            f"{row.section}.{row.key}": {
                "value": row.value,
                "origin": row.origin,
                "variable": row.variable,
                "about": row.about,
            }
            for row in rows
        }
        click.echo(json.dumps(document, indent=2))
        return
    for row in rows:  # lines and no table: names must stay whole in a narrow window too, and `grep` must find them
        shown = "—" if row.value in ("", None) else str(row.value)
        click.echo(f"{row.section}.{row.key} = {shown}  ({row.origin})")
        click.echo(f"    {row.about} [{row.variable}]")
