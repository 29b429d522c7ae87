"""The libraries' wheels: which fit, how they are fetched, and what goes wrong on the way."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from eoam_install import wheels
from eoam_install.wheels import Environment, Wheel
from eoam_machine.errors import InstallError

LINUX = Environment((3, 12), "linux_x86_64")
NAME = "spam_ham-1.2-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"


def make_wheel(folder: Path, name: str = NAME, files: dict[str, bytes] | None = None) -> Wheel:
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path, data in (files or {"spam/__init__.py": b"x = 1\n"}).items():
            archive.writestr(path, data)
    (folder / name).write_bytes(content.getvalue())
    return Wheel(name, hashlib.sha256(content.getvalue()).hexdigest(), len(content.getvalue()), 1000)


def test_the_lock_has_every_library_for_every_python_that_an_obs_may_have() -> None:
    lock = wheels.read_lock()
    wanted = {f"cp3{n}-{p}" for n in range(10, 15) for p in ("linux_x86_64", "linux_aarch64")}
    wanted |= {f"cp3{n}-{p}" for n in range(10, 13) for p in ("win_amd64", "macosx_arm64", "macosx_x86_64")}
    assert wanted <= set(lock["environments"])
    for entry in lock["environments"]:
        python, platform = entry.split("-")
        chosen = wheels.choose(Environment((3, int(python[3:])), platform), lock)
        assert [wheel.library for wheel in chosen] == ["numpy", "onnxruntime", "opencv-python-headless"]
        for wheel in chosen:
            assert re.search(rf"-({python}-{python}|cp3\d+-abi3)-", wheel.name)
            assert re.fullmatch(r"[0-9a-f]{64}", wheel.sha256)
            assert wheel.unpacked > wheel.size > 1_000_000


def test_the_lock_names_no_server() -> None:
    assert "://" not in wheels.LOCK.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("system", "architecture", "platform"),
    [
        ("windows", "AMD64", "win_amd64"),
        ("windows", "x86_64", "win_amd64"),
        ("macos", "arm64", "macosx_arm64"),
        ("macos", "x86_64", "macosx_x86_64"),
        ("linux", "aarch64", "linux_aarch64"),
        ("linux", "arm64", "linux_aarch64"),
    ],
)
def test_platforms_have_one_name_each(system: str, architecture: str, platform: str) -> None:
    assert wheels.platform_of(system, architecture) == platform


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        (Environment((3, 9), "win_amd64"), r"no libraries for Python 3\.9 on win_amd64, only for 3\.10, 3\.11"),
        (Environment((3, 12), "win_arm64"), r"no libraries for this platform \(win_arm64\)"),
    ],
)
def test_what_there_are_no_libraries_for_is_named(environment: Environment, sentence: str) -> None:
    with pytest.raises(InstallError, match=sentence):
        wheels.choose(environment)


@pytest.mark.parametrize(
    ("platform", "libc", "macos", "sentence"),
    [
        ("linux_x86_64", ("glibc", "2.17"), "", r"needs glibc 2\.2\d; this system has 2\.17"),
        ("linux_x86_64", ("musl", "1.2"), "", "no libraries for the C library of this system"),
        ("macosx_arm64", ("", ""), "11.7", r"needs macOS 13\.0; this is 11\.7"),
    ],
)
def test_a_system_that_is_too_old_is_refused(platform: str, libc: tuple[str, str], macos: str, sentence: str) -> None:
    chosen = wheels.choose(Environment((3, 12), platform))
    wheels.check_system(chosen, libc=("glibc", "2.36"), macos="15.1")
    with pytest.raises(InstallError, match=sentence):
        wheels.check_system(chosen, libc=libc, macos=macos)


def test_a_wheel_is_unpacked_for_import_and_nothing_else(tmp_path: Path) -> None:
    files = {
        "spam/__init__.py": b"1",
        "spam-1.2.data/platlib/spam/fast.so": b"2",
        "spam-1.2.data/purelib/spam/slow.py": b"3",
        "spam-1.2.data/scripts/spam": b"4",
        "spam-1.2.dist-info/RECORD": b"5",
    }
    wheel = make_wheel(tmp_path, files=files)
    wheels.unpack([wheel], [tmp_path / NAME], tmp_path / "out")
    found = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"spam/__init__.py", "spam/fast.so", "spam/slow.py", "spam-1.2.dist-info/RECORD"}


@pytest.mark.parametrize("name", ["../evil.py", "/evil.py", "spam/../../evil.py", "C:/evil.py", "a\\..\\evil.py"])
def test_a_wheel_cannot_write_outside_its_folder(tmp_path: Path, name: str) -> None:
    wheel = make_wheel(tmp_path / "in", files={name: b"x"})
    with pytest.raises(InstallError, match="outside its folder"):
        wheels.unpack([wheel], [tmp_path / "in" / NAME], tmp_path / "out")
    assert not list(tmp_path.rglob("evil.py"))


def test_offline_takes_the_wheels_and_checks_them(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    assert wheels.find_offline([wheel], tmp_path) == [tmp_path / NAME]
    (tmp_path / NAME).write_bytes((tmp_path / NAME).read_bytes()[:-5])
    with pytest.raises(InstallError, match="is damaged: its SHA-256"):
        wheels.find_offline([wheel], tmp_path)


def test_offline_names_a_wheel_for_another_python(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "elsewhere")
    other = NAME.replace("cp312", "cp311")
    make_wheel(tmp_path / "here", other)
    with pytest.raises(InstallError, match=f"lacks {NAME}; {other} is for another version"):
        wheels.find_offline([wheel], tmp_path / "here")
    with pytest.raises(InstallError, match="There is no folder"):
        wheels.find_offline([wheel], tmp_path / "nowhere")


Answer = Callable[[Sequence[str], Path, Callable[[], None]], "tuple[int, str]"]


def _bringing(source: Path) -> Answer:
    def run(command: Sequence[str], folder: Path, on_wait: Callable[[], None]) -> tuple[int, str]:
        on_wait()
        (folder / NAME).write_bytes((source / NAME).read_bytes())
        return 0, ""

    return run


def test_pip_is_told_everything_about_the_wheel_and_checks_its_hash(tmp_path: Path) -> None:
    wheel, out = make_wheel(tmp_path / "index"), tmp_path / "out"
    out.mkdir()
    commands: list[Sequence[str]] = []
    requirements: list[str] = []

    def run(command: Sequence[str], folder: Path, on_wait: Callable[[], None]) -> tuple[int, str]:
        commands.append(command)
        requirements.append(Path(command[-1]).read_text(encoding="utf-8"))
        return _bringing(tmp_path / "index")(command, folder, on_wait)

    progress: list[tuple[float, str]] = []
    found = wheels.fetch([wheel], LINUX, out, ["py", "-m", "pip"], on_progress=lambda *p: progress.append(p), run=run)
    assert found == [out / NAME]
    line = " ".join(commands[0])
    assert line.startswith("py -m pip download --no-deps --only-binary=:all: --require-hashes --no-cache-dir")
    assert "--python-version 3.12 --abi cp312 --platform manylinux_2_27_x86_64 --platform manylinux_2_28_x86_64" in line
    assert requirements == [f"spam-ham==1.2 --hash=sha256:{wheel.sha256}\n"]
    assert sorted(path.name for path in out.iterdir()) == [NAME]
    assert progress[0] == (0.0, "Downloading spam-ham 1.2 (0 MB, 1 of 1)")


def test_what_the_index_brings_is_checked_again(tmp_path: Path) -> None:
    make_wheel(tmp_path / "index", files={"other.py": b""})
    wheel = make_wheel(tmp_path / "other")
    (tmp_path / "out").mkdir()
    with pytest.raises(InstallError, match="is damaged"):
        wheels.fetch([wheel], LINUX, tmp_path / "out", ["pip"], run=_bringing(tmp_path / "index"))


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (
            "WARNING: Retrying (Retry(total=1)) after connection broken by 'NewConnectionError(...: Temporary failure "
            "in name resolution')\nERROR: Could not find a version that satisfies the requirement\n"
            "ERROR: No matching distribution found for numpy",
            "there is no connection to the package index",
        ),
        ("ERROR: No matching distribution found for spam-ham==1.2", "The package index that pip uses has no"),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE",
            "was downloaded with wrong contents",
        ),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "The disk is full"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "certificate"),
        ("ERROR: something new", "pip could not fetch spam-ham 1.2: ERROR: something new"),
        ("", "no output"),
    ],
)
def test_pips_failures_are_sentences(tmp_path: Path, output: str, sentence: str) -> None:
    wheel = make_wheel(tmp_path / "index")
    with pytest.raises(InstallError, match=re.escape(sentence)):
        wheels.fetch([wheel], LINUX, tmp_path, ["pip"], run=lambda command, folder, on_wait: (1, output))


def test_a_command_that_is_not_there_is_an_exit_code(tmp_path: Path) -> None:
    code, output = wheels.run_quietly(["/no/such/program"], tmp_path)
    assert (code, "/no/such/program" in output) == (127, True)
