"""What scripts/test-windows says and leaves behind when something it needs cannot be had. Without Wine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.windows import __main__ as command
from tools.windows import fetch, folders, wine
from tools.windows.errors import WindowsToolError

REPOSITORY = Path(__file__).resolve().parents[2]
WHEEL = "some_library-1.0-py3-none-any.whl"


def write_wheel(folder: Path, content: str = "x = 1\n") -> Path:
    """Write a wheel that pip accepts."""
    path = folder / WHEEL
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("some_library.py", content)
        wheel.writestr(
            "some_library-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: some-library\nVersion: 1.0\n"
        )
        wheel.writestr(
            "some_library-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("some_library-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the only index, an empty cache, and a lock that names the one wheel in it."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel = write_wheel(folder)
    lock = tmp_path / "downloads.json"
    entry = {"sha256": fetch.sha256_of(wheel), "size": wheel.stat().st_size}
    lock.write_text(json.dumps({"groups": {"group": [WHEEL]}, "files": {WHEEL: entry}}))
    monkeypatch.setattr(fetch, "LOCK", lock)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def kept() -> list[str]:
    """Return the names of what the cache holds."""
    return sorted(path.name for path in (fetch.cache() / "downloads").iterdir())


def test_a_wheel_is_downloaded_once(index: Path) -> None:
    assert [path.name for path in fetch.fetch("group")] == [WHEEL]
    (index / WHEEL).unlink()
    assert fetch.fetch_one("group").is_file()


def test_a_wheel_with_another_hash_is_refused_by_name_and_not_kept(index: Path) -> None:
    write_wheel(index, "x = 2\n")
    with pytest.raises(WindowsToolError, match=r"some_library-1\.0.*is not the file of downloads\.json"):
        fetch.fetch("group")
    assert kept() == []


def test_a_spoiled_file_in_the_cache_is_named_and_deleted(index: Path) -> None:
    fetch.fetch_one("group").write_bytes(b"spoiled")
    with pytest.raises(WindowsToolError, match=r"some_library-1\.0.*deleted"):
        fetch.fetch("group")
    assert kept() == []
    assert fetch.fetch_one("group").is_file()


def test_without_a_network_the_file_and_the_remedy_are_named(index: Path) -> None:
    (index / WHEEL).unlink()
    with pytest.raises(WindowsToolError, match=r"some_library-1\.0.*could not be downloaded.*Go online"):
        fetch.fetch("group")
    assert kept() == []


def test_an_unknown_group_is_named_with_the_known_ones(index: Path) -> None:
    with pytest.raises(WindowsToolError, match=r"'other' is no group .* there are group"):
        fetch.downloads("other")


@pytest.mark.parametrize("error", [WindowsToolError("no compiler"), KeyboardInterrupt()])
def test_a_folder_that_could_not_be_made_leaves_nothing(index: Path, error: BaseException) -> None:
    def make(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise error

    with pytest.raises(type(error)):
        folders.made("thing", make)
    assert [path for path in fetch.cache().iterdir() if path.name != "downloads"] == []


def test_a_folder_is_made_anew_when_what_it_is_made_of_changes(index: Path, tmp_path: Path) -> None:
    source = tmp_path / "source.c"
    source.write_text("1")
    calls: list[Path] = []
    make: Callable[[Path], None] = calls.append
    first = folders.made("thing", make, of=(source,))
    assert folders.made("thing", make, of=(source,)) == first
    source.write_text("2")
    assert folders.made("thing", make, of=(source,)) != first
    assert len(calls) == 2


def test_without_wine_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wine, "_PROGRAMS", ())
    monkeypatch.setenv("PATH", "")
    with pytest.raises(WindowsToolError, match="Wine is not installed: apt-get install wine"):
        wine.program()


def test_an_unknown_stage_is_named_with_exit_code_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["test-windows", "nonsense"])
    assert command.main() == 3
    assert "There is no stage 'nonsense'; there are python, filter" in capsys.readouterr().err


def test_what_cannot_be_had_is_exit_code_3_and_one_sentence(index: Path) -> None:
    (index / WHEEL).unlink()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    code = "import sys; from pathlib import Path; from tools.windows import fetch; fetch.LOCK = Path(sys.argv.pop(1))"
    run = [sys.executable, "-c", f"{code}; sys.exit(fetch.main())", str(fetch.LOCK), "group"]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
