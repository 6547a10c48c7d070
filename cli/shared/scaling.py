"""The options of large batches (arvae_music/batch): job arrays, resumption, and Ray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from ...errors import UsageError
from . import common
from .common import in_how

if TYPE_CHECKING:
    from ...batch.job import Job
    from ...batch.listing import Listing
    from ...batch.target import Target
    from ...system.executors import Executor

RAY = "Work on a Ray cluster: its address, auto (also without a value), or local."
SHARE = "Do the third of sixteen shares: one run of a job array."
RESUME = "Continue a batch that was interrupted or killed, or begin it."

Ray = Annotated[str | None, in_how("--ray", metavar="[ADDRESS]", help=RAY)]
Share = Annotated[str | None, in_how("--shard", metavar="3/16", help=SHARE)]
Resume = Annotated[bool, common.in_output("--resume", help=RESUME)]


@dataclass(frozen=True)
class Scaling:
    jobs: common.Jobs = None
    ray: Ray = None
    shard: Share = None
    resume: Resume = False

    def executor(self, count: int, *, here: bool = False) -> Executor:
        """Where the work on `count` inputs runs; `here` is for streams, which only this process has."""
        from ...system.executors import chosen

        return chosen(1 if here else self.jobs, count, None if here else self.ray)

    def is_large(self, found: Listing, target: Target | None, extras: Mapping[str, str | None]) -> bool:
        """Whether the batch shows its progress instead of a report on each input, and keeps no list of its outputs.

        Raises UsageError if such a batch has no folder or table for its outputs, or any of the `extras`, by option."""
        from ...batch.target import expect_target

        wanted = found.listed or self.resume or self.shard is not None or self.ray is not None
        expect_target(target, wanted)
        large = wanted or (target is not None and target.is_remote)
        given = [name for name, value in extras.items() if value is not None]
        if large and given:
            raise UsageError(f"a large batch has no {given[0]}", remedy="leave it out, or name single files")
        return large

    def job(
        self,
        target: Target | None,
        found: Listing,
        spec: dict[str, Any],
        writing: common.Writing,
        attributes: Sequence[str],
        *,
        large: bool,
    ) -> Job | None:
        """The memory of the batch; None if nothing is written, or if a single file is.

        Raises UsageError for a table that exists and would be lost."""
        from ...batch.job import Settings
        from ...batch.journal import Share
        from ...batch.plans import refuse_lost_tables
        from ...reports.jobs import job_of

        if target is not None:
            refuse_lost_tables(found, target, skip_existing=writing.skip_existing)
        if target is None or writing.dry_run or (len(found) < 2 and not large):
            return None
        share = Share.parse(self.shard) if self.shard is not None else Share()
        restart = writing.overwrite or writing.skip_existing
        settings = Settings(self.resume, restart, share, checked=not large)
        return job_of(target, found, spec, settings, attributes)
