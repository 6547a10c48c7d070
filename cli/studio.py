"""`arvae studio`: a page in the browser with sliders to drag, which this command serves until Ctrl-C ends it.

The page is served on the loopback interface only, below an address that holds a secret token, so that neither other
machines nor other pages can use it. Songs and edits are held in memory; the page saves files as downloads.
"""

from __future__ import annotations

import sys
import threading
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from ..system import settings
from ..system.extras import need
from .shared import common, sources

EXAMPLES = (
    ("arvae studio melody.mid", "opens the melody in the browser"),
    ("arvae studio --port 8000 --no-browser", "prints the address, for a script or another browser"),
)

File = Annotated[
    str | None, typer.Argument(metavar="[FILE]", help="A MIDI file or a score; - is stdin. The page opens others.")
]
Port = Annotated[int, common.in_how("--port", min=0, max=65535, metavar="N", help="Port; 0 takes a free one.")]
Browser = Annotated[bool, common.in_how("--browser/--no-browser", help="Open the page in the browser.")]
JsonAddress = Annotated[bool, common.in_output("--json", help="Print the address as JSON.")]


def studio(
    file: File = None,
    *,
    port: Port = 0,
    browser: Browser = True,
    model: common.Model = None,
    voice: common.Voice,
    json: JsonAddress = False,
    quiet: common.Quiet = False,
) -> None:
    """Edit a melody in the browser: sliders to drag, a piano roll and a score to see, all tracks to hear."""
    need("studio", "the studio")
    from ..io.midi import read_bytes
    from ..studio.core import Studio, opened, plain_name
    from ..studio.keeping import Source
    from ..studio.server import Server

    soundfont = settings.load()["soundfont"]
    made = Studio(sources.load_model(model), None if soundfont is None else Path(str(soundfont)).expanduser())
    first = None
    if file is not None:
        data = sys.stdin.buffer.read() if file == "-" else read_bytes(Path(file))
        first = opened(Source("stdin" if file == "-" else plain_name(file), data, vars(voice)))
    server = Server(made, settings.state_dir() / "studio", first, port=port)
    if json:
        common.print_json({"address": server.address, "port": server.port})
    else:
        common.report(f"{server.address}\nCtrl-C ends the studio.")
    sys.stdout.flush()  # the command goes on, and a pipe's reader waits for the address
    if browser:
        threading.Thread(target=webbrowser.open, args=(server.address,), daemon=True).start()
    server.run()
