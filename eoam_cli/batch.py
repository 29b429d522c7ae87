"""Convert many files into one folder: existing results are kept, and a bad file does not stop the rest."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eoam_core.errors import EoamError, InputError, InstallationError
from eoam_core.printable import printable


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One file to read, and the file to write for it."""

    source: Path
    target: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchReport:
    """The result of a batch; `failed` has each failed file with the reason."""

    done: tuple[Path, ...]
    skipped: tuple[Path, ...]
    failed: tuple[tuple[Path, str], ...]

    def summary(self, *, unit: str) -> str:
        """Return one line for the successes and one for each failure; `unit` is what a file holds."""
        parts = [f"{len(self.done)} {unit}{'s' * (len(self.done) != 1)} written"]
        if self.skipped:
            parts.append(f"{len(self.skipped)} already there (--overwrite replaces them)")
        if self.failed:
            parts.append(f"{len(self.failed)} failed:")
        listed = (f"  {printable(str(source))}: {reason}" for source, reason in self.failed)
        return "\n".join([", ".join(parts), *listed])


def plan(sources: Iterable[Path], folder: Path, *, suffix: str) -> tuple[Job, ...]:
    """Return the jobs: each source's name with another suffix in `folder`. Nothing is read or written yet.

    A name with * or ? that is not a file is a pattern, because Windows's shell does not expand patterns.

    Raises:
        InputError: a pattern matches nothing, or two sources would be written to one file.
    """
    taken: dict[str, Path] = {}
    jobs = []
    for source in [file for named in sources for file in _fitting(named)]:
        target = folder / f"{source.stem}{suffix}"
        # "A.png" and "a.png" are one file to Windows and macOS; a batch must mean the same everywhere.
        rival = taken.setdefault(str(target).casefold(), source)
        if rival is not source:
            again = " twice" if rival == source else f" and {source}"
            raise InputError(f"{rival}{again} would be written to {target}; use a folder for each, or other names.")
        jobs.append(Job(source=source, target=target))
    return tuple(jobs)


def prepare_folder(folder: Path) -> None:
    """Create the folder and its parents unless it exists.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be created: {error.strerror or error}; choose another folder."
        ) from error


def run(
    jobs: Sequence[Job],
    work: Callable[[Job], None],
    *,
    overwrite: bool = False,
    on_job: Callable[[Job], None] = lambda job: None,
) -> BatchReport:
    """Do every job whose target is not there yet.

    A target is either complete or missing (see target.py), so running an interrupted batch again resumes it.

    Args:
        jobs: what to do, in this order.
        work: writes one target, completely or not at all.
        overwrite: also do jobs whose target exists.
        on_job: called after each job, successful or not.

    Raises:
        InstallationError: something that `work` needs for every file is missing.
    """
    done, skipped, failed = [], [], []
    for job in jobs:
        if not overwrite and os.path.exists(job.target):
            skipped.append(job.source)
        else:
            try:
                work(job)
            except InstallationError:
                raise
            except EoamError as error:
                failed.append((job.source, str(error)))
            except Exception as error:  # whatever one file does to a decoder, the remaining ones must be done
                failed.append((job.source, printable(f"{type(error).__name__}: {error}")))
            else:
                done.append(job.source)
        on_job(job)
    return BatchReport(done=tuple(done), skipped=tuple(skipped), failed=tuple(failed))


def _fitting(named: Path) -> list[Path]:
    if not glob.has_magic(str(named)) or os.path.exists(named):
        return [named]
    found = sorted(Path(name) for name in glob.glob(os.path.expanduser(named)))
    if not found:
        raise InputError(f"No file matches {named}; check the folder and the pattern.")
    return found
