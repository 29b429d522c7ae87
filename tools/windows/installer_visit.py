"""Run the installer as one user, from the dry run to the removal, and check the result of each step."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.windows.computer import COLLECTIONS, Computer
from tools.windows.console import talk
from tools.windows.errors import WindowsToolError
from tools.windows.fetch import cache
from tools.windows.installer_checks import check_installed, users_files
from tools.windows.pip_settings import pip_environment
from tools.windows.snapshot import Snapshot, named, take_snapshot
from tools.windows.stage import Outcome
from tools.windows.wine import program, windows_path

_EXAMINED: Final = {"Python", "numpy", "onnxruntime", "opencv", "model", "installation"}
_LIMIT_S: Final = 900.0  # for one run of the installer, on a busy machine
_NO_INDEX: Final = "there is no connection to the package index"
# Python writes its caches beside its files, as it does for users.
_AS_USERS: Final = {"PYTHONPYCACHEPREFIX": ""}
_RUNTIME: Final = ("python311.dll", "ucrtbase.dll", "vcruntime140.dll", "vcruntime140_1.dll")
_WAIT: Final = "import sys; print('up', flush=True); sys.stdin.read()"


class InstallationFailed(Exception):
    """There is nothing to go on with; why is among what failed."""


@dataclass
class Visit:
    """The steps, each of which leaves the computer ready for the next; `folder` is for what they write.

    `obs` is the version of the OBS that is there.
    """

    computer: Computer
    folder: Path
    obs: str
    outcome: Outcome

    def __post_init__(self) -> None:
        self._environment = {**_AS_USERS, **pip_environment()}
        self._away = self.computer.drive / "windows" / "system32"  # whence a double click may start a program
        self._script = self.computer.windows(self.computer.download / "install.py")
        self._before = self._everything()
        self._originals = {path: path.read_bytes() for path in users_files(self.computer)}

    def look(self) -> None:
        """Look at what would be done, and be refused for something that Windows does not allow."""
        code, said = self._install("--dry-run")
        self._check(code == 0, "a dry run ends with exit code 0", said)
        self._check(f"OBS {self.obs} (native" in said, "a dry run finds OBS by the registry", said)
        self._check("Python 3.11 in" in said, "a dry run finds Python by the registry", said)
        self._check(said.count("gets the script") == 2, "a dry run names both scene collections", said)
        if self.computer.person.has_pip:
            self._meet_a_read_only_file()
        else:
            self._meet_a_long_path()
        self._check_unchanged(self._before, "looking and being refused change no file and no registry key")

    def _meet_a_read_only_file(self) -> None:
        locked = self.computer.scenes / f"{COLLECTIONS[1]}.json"
        rights = stat.S_IMODE(locked.stat().st_mode)
        locked.chmod(stat.S_IREAD)
        code, said = self._install("--yes", "--offline", self._wheels)
        self._check(code == 1 and "is write-protected" in said, "a read-only scene collection is named", said)
        locked.chmod(rights)

    def _meet_a_long_path(self) -> None:
        long = self.computer.windows(self.computer.profile / ("so long " * 15).strip() / "eoam-obs")
        code, said = self._install("--yes", "--offline", self._wheels, "--target", long)
        self._check(code == 1 and "is too long" in said, "a folder with too long a path is refused", said)

    def install(self) -> None:
        """Install with pip: a user with pip by the command, another one by a double click."""
        code, said = self._install("--yes") if self.computer.person.has_pip else self._double_click()
        if code and _NO_INDEX in said:
            self.outcome.skipped.append(f"{self._name}: pip reaches no package index, so nothing was fetched with it.")
            code, said = self._install("--yes", "--offline", self._wheels)
        self._check(code == 0 and "Installed in" in said, "the installation ends with exit code 0", said)
        if code:
            raise InstallationFailed
        self._check_unchanged(
            self._before,
            "the installation changes nothing but user.ini and the scene collections",
            but=self._originals,
            installed=True,
        )
        check_installed(self.computer, self._originals, self._check)

    def use(self, picture: Path, cut: Path) -> None:
        """Cut a person out with what was installed and with none of the Python's own packages.

        `cut` is what the project's files make of the picture with the same libraries.
        """
        mine = self.folder / "cut.png"
        done = self.computer.wine.run_python(
            *("-S", "-m", "eoam_core", "image", windows_path(picture), windows_path(mine)),
            folder=self.computer.target,
            environment=self._environment,
        )
        self._check(done.returncode == 0, "the installed copy cuts a person out with -S", done.stdout)
        same = mine.is_file() and mine.read_bytes() == cut.read_bytes()
        self._check(same, "the installed copy makes of a picture what the project's files make of it")

    def update(self) -> None:
        """Update without a network after OBS has written its files; at first OBS is still running."""
        own = self.computer.target / "models" / "mein – 私の.onnx"
        own.write_bytes(b"a network of the user's")
        (self.computer.target / "eoam_core" / "settings.py").chmod(stat.S_IREAD)
        self._set_threshold()
        written = {path: path.read_bytes() for path in users_files(self.computer)}
        before = self._everything()
        with self._running_obs():
            what = ("--yes", "--offline", self._wheels) if self.computer.person.has_pip else ("--uninstall",)
            code, said = self._install(*what)
            self._check(code == 1 and "OBS is running" in said, f"{what[0]} is refused while OBS runs", said)
        self._check_unchanged(before, "what is refused while OBS runs changes nothing")
        code, said = self._install("--yes", "--offline", self._wheels)
        self._check(code == 0, "the update works when OBS has ended", said)
        same = all(path.read_bytes() == content for path, content in written.items())
        self._check(same, "the update keeps the script's settings and OBS's")
        self._check(own.is_file(), "the update keeps what the user has put into the folder")
        left = [path.name for path in self.computer.target.parent.glob(".eoam-obs.*")]
        self._check(not left, f"the update leaves nothing beside the folder, but there is {left}")
        own.unlink(missing_ok=True)

    def diagnose(self) -> None:
        """Ask the doctor."""
        code, said = self._install("--doctor")
        # How fast the self-test is says something of this machine only.
        bad = [line for line in said.splitlines() if line.startswith("BAD") and "slower than a frame" not in line]
        found = {word for word in _EXAMINED if f"ok  {word} " in said}
        self._check(not bad and code in (0, 1), "the doctor finds nothing wrong", said)
        self._check(found == _EXAMINED, f"the doctor finds all parts well, but only {sorted(found)}", said)
        self._check("2 of 2 scene collections list the script" in said, "the doctor finds the script", said)

    def remove(self) -> None:
        """Remove everything with the installed copy itself, from within its folder, though a file is read-only."""
        (self.computer.target / "obs_eoam.py").chmod(stat.S_IREAD)
        done = self.computer.wine.run_python(
            "install.py", "--uninstall", folder=self.computer.target, environment=self._environment
        )
        self._check(done.returncode == 0, "removing ends with exit code 0", done.stdout)
        # This one OBS has written since: it is not put back, it loses the script.
        path = self.computer.scenes / f"{COLLECTIONS[0]}.json"
        same = json.loads(path.read_bytes()) == json.loads(self._originals[path])
        self._check(same, "a collection that OBS has written meanwhile loses the script and nothing else")
        self._check_unchanged(self._before, "removing leaves every file and registry key as it was", but=[path])

    @property
    def _name(self) -> str:
        return self.computer.person.name

    @property
    def _wheels(self) -> str:
        return windows_path(cache() / "downloads")

    def _install(self, *arguments: str) -> tuple[int, str]:
        """Run the download's install.py and return its exit code and what it said."""
        done = self.computer.wine.run_python(
            self._script, *arguments, folder=self._away, environment=self._environment, timeout=_LIMIT_S
        )
        return done.returncode, done.stdout

    def _double_click(self) -> tuple[int, str]:
        command = [str(self.computer.wine.python / "python.exe"), self._script]
        held = "Press Enter to close this window."
        answers = [("Enter for all", ""), (held, "")]
        code, said = talk(
            self.computer.wine,
            command,
            answers,
            folder=self._away,
            environment=self._environment,
            timeout=_LIMIT_S,
        )
        self._check(COLLECTIONS[1] in said, "the window of a double click shows Japanese", said)
        self._check(held in said, "the window of a double click stays until Enter is pressed", said)
        return code, said

    def _set_threshold(self) -> None:
        """Change one of the script's settings in a scene collection, as OBS does when it ends."""
        path = self.computer.scenes / f"{COLLECTIONS[0]}.json"
        content = json.loads(path.read_bytes())
        content["modules"]["scripts-tool"][-1]["settings"] = {"threshold": 0.7}
        path.write_text(json.dumps(content, indent=4, ensure_ascii=False), encoding="utf-8")

    @contextmanager
    def _running_obs(self) -> Iterator[None]:
        """Run a program called obs64.exe: a Python that waits."""
        place = self.folder / "running"
        place.mkdir()
        python = self.computer.wine.python
        shutil.copyfile(python / "python.exe", place / "obs64.exe")
        for name in _RUNTIME:
            shutil.copyfile(python / name, place / name)
        environment = {**_AS_USERS, "PYTHONHOME": self.computer.windows(python)}
        with subprocess.Popen(
            [program(), str(place / "obs64.exe"), "-S", "-c", _WAIT],
            env=self.computer.wine.environment(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            if process.stdout.readline().strip() != "up":
                raise WindowsToolError("A Python that is called obs64.exe does not start.")
            try:
                yield
            finally:
                process.stdin.close()
                process.wait(60)

    def _check(self, holds: bool, sentence: str, said: str = "") -> None:
        shown = f" It said: {' '.join(said.split())[-400:]}" if said else ""
        self.outcome.check(holds, f"{self._name}: {sentence}.{shown}")

    def _everything(self) -> Snapshot:
        return take_snapshot(self.computer.wine, but_caches_in=(self.computer.wine.python, self.computer.download))

    def _check_unchanged(
        self, before: Snapshot, sentence: str, *, but: Iterable[Path] = (), installed: bool = False
    ) -> None:
        """Check that nothing is another than `before` but these files and, if `installed`, the folder of the filter."""
        drive = self.computer.drive
        expected = {f"{path.relative_to(drive)} is another" for path in but}
        folder = str(self.computer.target.relative_to(drive))
        found = {text for text in before.differences(self._everything()) if not (installed and text.startswith(folder))}
        wrong = sorted(found - expected) + [f"{text.removesuffix(' is another')} is not" for text in expected - found]
        self._check(not wrong, f"{sentence}, but {named(wrong)}")
