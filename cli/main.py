"""`arvae`: finds the sub-command, runs it, and turns errors into messages and exit codes.

A command's module is imported when it runs, and `arvae --help` is printed from the table in commands.py, so that it
takes no longer than Python's own start. A command is a function, or a typer.Typer with sub-commands; it returns its
exit code, None for 0.

Messages go to stderr as `arvae: MESSAGE`. Exit codes: see `common`. A bug is exit 70 (EX_SOFTWARE), so that scripts can
tell it from an input that failed; --debug, anywhere on the line, shows its traceback. A closed pipe
(`arvae inspect ... | head`) ends quietly with the shell's own 141, and a termination (`kill`) with 143, after the
workers of a batch have ended.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING

from ..errors import ArvaeError
from ..system.signals import Terminated, raising_terminated
from ..version import __version__
from .commands import COMMANDS, COMPLETION, help_text

if TYPE_CHECKING:
    import typer

BUG, INTERRUPTED, PIPE_CLOSED, TERMINATED = 70, 130, 141, 143
COMPLETING = "_ARVAE_COMPLETE"  # typer's environment variable, set while the shell completes a line


def main(arguments: list[str] | None = None) -> int:
    """Run one command line and return the exit code. `sys.exit(main())` is the `arvae` script."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # This must happen before numpy is loaded. The matrices are small, so that several threads mostly wait for each
    # other (eight times as slow on two busy cores); workers use the cores better (parallel.py).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if COMPLETING not in os.environ and words in ([], ["--help"], ["-h"], ["--version"]):
        return _quick(words)
    end = words.index("--") if "--" in words else len(words)
    debug = "--debug" in words[:end]
    words = [word for at, word in enumerate(words) if at >= end or word != "--debug"]
    try:
        with raising_terminated():
            return _run(words, debug)
    except KeyboardInterrupt:
        # If Ctrl-C came in an exec() of text, as of each dataclass, Python would end by the signal, whatever main
        # returns. The next exec() resets that.
        exec("")
        print("arvae: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Terminated:
        print("arvae: terminated", file=sys.stderr)
        return TERMINATED
    except BrokenPipeError:
        return _pipe_closed()
    except ArvaeError as error:
        if debug:
            traceback.print_exc()
        _complain(error.on_command_line)
        return error.exit_code
    except Exception as error:
        if debug:
            traceback.print_exc()
        again = "" if debug else "; run it again with --debug for the traceback"
        _complain(f"a bug in arvae: {type(error).__name__}: {error}{again}")
        return BUG


def _quick(words: list[str]) -> int:
    """The lines without a command: --help, --version, and nothing at all, which is a usage error."""
    if not words:
        print(help_text(), file=sys.stderr)
        return 2
    try:
        print(f"arvae {__version__}" if words == ["--version"] else help_text(), flush=True)
    except BrokenPipeError:
        return _pipe_closed()
    return 0


def _run(words: list[str], debug: bool) -> int:
    import typer

    from .shared import common
    from .shared.lazy import root

    common.state.debug = debug
    try:
        completion = COMPLETING in os.environ or any(word in COMPLETION for word in words)
        group = root(COMMANDS, help_text(), completion=completion)
        code = group.main(words, prog_name="arvae", standalone_mode=False)
        sys.stdout.flush()
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # of a command that has commands of its own
            print(error.format_message(), file=sys.stderr)
        else:
            _complain(_usage(error))
        return error.exit_code
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):
            return _pipe_closed()
        raise
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _usage(error: typer.TyperException) -> str:
    """The message for a usage error that typer found, with the nearest option and the help to read."""
    message = error.format_message().rstrip(".")
    near = getattr(error, "possibilities", None)
    if near:
        message = f"{error.message}; did you mean {near[0]}?"
    context = getattr(error, "ctx", None)
    return f"{message} (see {context.command_path} --help)" if context is not None else message


def _complain(message: str) -> None:
    print(f"arvae: {message}", file=sys.stderr)


def _pipe_closed() -> int:
    """Point stdout at nothing: its reader is gone, and Python would complain again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_CLOSED
