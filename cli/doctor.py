"""`arvae doctor`: the checks of the installation (diagnosis.py). The exit code is 1 if any of them is broken."""

from __future__ import annotations

from .. import diagnosis
from .shared import common


def doctor(json: common.Json = False, quiet: common.Quiet = False) -> int:
    """Check the libraries, the bundled models, the settings and the folders. Exit 1 if a command cannot work."""
    checks = diagnosis.checks()
    broken = [check for check in checks if check.state == "broken"]
    if json:
        common.print_json({"broken": len(broken), "checks": checks})
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            common.report(f"{check.state:6}  {check.name:{width}}  {check.detail}")
    for check in broken:
        common.complain(f"{check.name}: {check.detail}")
    return 1 if broken else 0
