"""Read OBS's log: our lines in it, and known failures, each with its remedy."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eoam_core.printable import printable

_OURS: Final = re.compile(r"\[EOAM\]|\[Python: obs_eoam\.py\]|\[obs_eoam\.py\]|python script: obs_eoam\.py")
_SHOWN: Final = 12
_HEAD_BYTES: Final = 1 << 20
_TAIL_BYTES: Final = 4 << 20
_LONGEST_LINE: Final = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownFailure:
    """A known failure found in the log: the line, its meaning, and the remedy.

    `cause` is "model" or "libraries" if that is missing, so that it is not reported twice; otherwise "".
    """

    line: str
    meaning: str
    cure: str
    cause: str = ""


_NO_MODEL: Final = "The network's file was missing or damaged."
_NO_LIBRARY: Final = "A library is missing."
_NO_SCRIPT: Final = "OBS loaded a scene with the filter but without the script, and showed the raw camera."
_SAFE_MODE: Final = "OBS ran in Safe Mode, without any script: cameras without the privacy guard were shown raw."
_CAUSES: Final = {_NO_MODEL: "model", _NO_LIBRARY: "libraries"}
# (pattern, meaning, remedy); the first that matches a line counts.
_KNOWN: Final = tuple(
    (re.compile(pattern), meaning, cure)
    for pattern, meaning, cure in (
        (
            r"Safe Mode enabled\.",
            _SAFE_MODE,
            "Restart OBS in normal mode (in its Help menu).",
        ),
        (
            r"Source ID 'eoam_background_removal' not found",
            _NO_SCRIPT,
            "Check Tools > Scripts: obs_eoam.py must be listed and a Python must be set. Then restart OBS.",
        ),
        (
            r"\[Python\] Could not load library|Failed to load python plugin",
            "OBS could not load the configured Python.",
            "Choose the folder of a Python that this OBS supports (up to 3.12, 64-bit, no virtual environment) under "
            "Tools > Scripts > Python Settings.",
        ),
        (
            r"Error importing obspython",
            "The configured Python does not match this OBS.",
            "Install Python 3.12 from python.org and choose its folder under Tools > Scripts > Python Settings.",
        ),
        (
            r"another_copy_of_this_script_is_loaded",
            "Two copies of the script are in Tools > Scripts.",
            "Remove one of them and restart OBS.",
        ),
        (
            r"DLL load failed while importing (onnxruntime|_?cv2|_multiarray)",
            "A library lacks Microsoft's runtime, or was built for another Python.",
            "Install the latest Microsoft Visual C++ Redistributable (x64), then press Install what is missing "
            "in the script's panel.",
        ),
        (
            r"_ARRAY_API not found|numpy\.core\.multiarray failed to import|compiled using NumPy 1",
            "The libraries were loaded with an incompatible numpy, perhaps another script's.",
            "Put obs_eoam.py above the other Python scripts under Tools > Scripts, and restart OBS.",
        ),
        (
            r"undefined symbol: Py|symbol not found in flat namespace '_Py",
            "A library was built for a different Python than OBS's.",
            "Press Install what is missing in the script's panel, or run install.py again.",
        ),
        (
            r"requested API version \[\d+\] is not available",
            "An older onnxruntime was loaded instead of EOAM's: another plugin's, or the one in Windows's system32.",
            "Remove other plugins one at a time to find the one that loads it, then report it.",
        ),
        (
            r"Another script has loaded numpy",
            "Another script has loaded an older numpy before this one, and all scripts share it.",
            "Remove that script under Tools > Scripts, restart OBS, and add it again below obs_eoam.py.",
        ),
        (
            r"component_missing name=model|frame_failed .*ModelError",
            _NO_MODEL,
            "Run install.py again, then restart OBS.",
        ),
        (
            r"component_missing|libraries.*missing|filter_cannot_run problem=.* is missing: ",
            _NO_LIBRARY,
            "Press Install what is missing in the script's panel, or run install.py again.",
        ),
        (
            r"No module named 'eoam_|must (lie|be) beside obs_eoam\.py",
            "The script's own folders are not beside it.",
            "Unpack the whole download, run install.py, and remove the old script under Tools > Scripts.",
        ),
        (
            r"worker_died|frame_failed",
            "The network stopped or failed on a frame; nothing was shown during that time.",
            "Run eoam doctor; if it finds nothing, report this with the log.",
        ),
        (
            r"callback_failed|render_failed|watch_failed",
            "Something in the filter failed; nothing was shown during that time.",
            "Restart OBS; if it happens again, report this with the log.",
        ),
        (
            r"\[EOAM\].*filter_cannot_run",
            "The filter could not run; nothing was shown.",
            "The log line and the status line in the filter's panel say why.",
        ),
        (
            r"\[Python: obs_eoam\.py\] .*(Error|Exception)\b",
            "The script raised an error.",
            "Restart OBS; if it happens again, report this with the log.",
        ),
    )
)


def newest_log(config: Path) -> Path | None:
    """Return the newest log of the OBS whose settings folder is `config`, or None."""
    try:
        return max((config / "logs").glob("*.txt"), key=lambda path: path.stat().st_mtime, default=None)
    except OSError:
        return None


def read_log(path: Path) -> str:
    """Return a log's text; of a long one the beginning, which says what was loaded, and the end.

    Raises:
        OSError: it cannot be read, or is not a file, such as a pipe without a writer.
    """
    if not path.is_file():
        raise OSError(errno.EINVAL, "it is not a file", str(path))
    with path.open("rb") as file:
        content = file.read(_HEAD_BYTES)
        end = file.seek(0, os.SEEK_END)
        if end > _HEAD_BYTES:
            file.seek(max(_HEAD_BYTES, end - _TAIL_BYTES))
            content += b"\n" * (end > _HEAD_BYTES + _TAIL_BYTES) + file.read(_TAIL_BYTES)
    return content.decode("utf-8", "replace")


def our_lines(text: str) -> list[str]:
    """Return this project's last lines of a log, without their times."""
    found = [_without_time(line) for line in _lines(text) if _OURS.search(line)]
    return found[-_SHOWN:]


def known_failures(text: str) -> list[KnownFailure]:
    """Return each known failure in a log once, with the first line that shows it."""
    found: dict[str, KnownFailure] = {}
    for line in _lines(text):
        for pattern, meaning, cure in _KNOWN:
            if pattern.search(line):
                failure = KnownFailure(
                    line=_without_time(line), meaning=meaning, cure=cure, cause=_CAUSES.get(meaning, "")
                )
                found.setdefault(meaning, failure)
                break
    if _SAFE_MODE in found:
        found.pop(_NO_SCRIPT, None)  # the known reason
    return list(found.values())


def _lines(text: str) -> Iterator[str]:
    # Truncated, because searching takes quadratic time on a line that repeats a pattern's beginning.
    return (printable(line, _LONGEST_LINE) for line in text.splitlines())


def _without_time(line: str) -> str:
    return re.sub(r"^\d\d:\d\d:\d\d\.\d+: ", "", line)
