"""Work through many files into one folder: what is there is left alone, and a bad file does not stop the rest."""

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
    """One file to read and the one to write for it."""

    source: Path
    target: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchReport:
    """What became of the files; `failed` has each with the sentence that says why."""

    done: tuple[Path, ...]
    skipped: tuple[Path, ...]
    failed: tuple[tuple[Path, str], ...]

    def summary(self, *, unit: str) -> str:
        """Return one line for what went well and one for each file that did not; `unit` is what a file holds."""
        parts = [f"{len(self.done)} {unit}{'s' * (len(self.done) != 1)} written"]
        if self.skipped:
            parts.append(f"{len(self.skipped)} already there (--overwrite replaces them)")
        if self.failed:
            parts.append(f"{len(self.failed)} failed:")
        listed = (f"  {printable(str(source))}: {reason}" for source, reason in self.failed)
        return "\n".join([", ".join(parts), *listed])


def plan(sources: Iterable[Path], folder: Path, *, suffix: str) -> tuple[Job, ...]:
    """Return what to do: each source's name with another suffix in `folder`. Nothing is read or written yet.

    A name with * or ? that is no file is taken for a pattern, since Windows hands those over as they were typed.

    Raises:
        InputError: a pattern fits nothing, or two sources would be written to one file.
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
    """Make the folder, with its parents, if there is none.

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

    A target is either complete or not there (see target.py), so a batch that was broken off is resumed by running it
    again.

    Args:
        jobs: what to do, in this order.
        work: what writes one target, completely or not at all.
        overwrite: do those again whose target is there.
        on_job: called after each job, whatever became of it.

    Raises:
        InstallationError: what `work` needs is missing, for every file alike.
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
            except Exception as error:  # whatever one file does to a decoder, the thousand behind it are wanted
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
