"""`arvae config show`: every setting, its value, and where it comes from."""

from __future__ import annotations

import typer

from ..system import settings
from .shared import common

config_app = typer.Typer(help="Show the settings: arvae config show.", no_args_is_help=True)


@config_app.callback()
def config() -> None:
    """Show the settings and where each value comes from."""


@config_app.command("show")
def show(json: common.Json = False, quiet: common.Quiet = False) -> None:
    """Show every setting, its value, and its origin: a variable, a file, or the default.

    Settings are read from ARVAE_* variables, then arvae.toml or [tool.arvae] in pyproject.toml here or in the
    nearest folder above, then arvae.toml in your configuration folder. Options on the command line win.
    """
    found = settings.load()
    if json:
        common.print_json(dict(found.values))
        return
    rows = [
        (name, "-" if value.value is None else str(value.value), value.origin, settings.KEYS[name].help)
        for name, value in found.values.items()
    ]
    common.report(common.listing(("setting", "value", "origin", "meaning"), rows))
    common.report(f"Your settings file: {settings.user_file()}")
