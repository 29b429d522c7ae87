"""Wheels that want to be elsewhere, to be huge, or to be other wheels."""

from __future__ import annotations

import hashlib
import io
import shutil
import stat
import zipfile
from pathlib import Path

import pytest

from eoam_install import archive, wheels
from eoam_install.wheels import Wheel
from eoam_machine.errors import InstallError

from .confined import run

NAME = "spam-1.0-cp312-cp312-any.whl"


def _zip(*entries: tuple[str, bytes], mode: int = 0o644) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in entries:
            entry = zipfile.ZipInfo("x")
            entry.filename = name
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, data)
    return content.getvalue()


def _refused(tmp_path: Path, content: bytes, *, most_bytes: int = 10_000) -> str:
    (tmp_path / "canary").write_bytes(b"precious")
    with pytest.raises(InstallError) as caught:
        archive.unpack(NAME, content, tmp_path / "a" / "out", most_bytes=most_bytes)
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and tmp_path / "a" / "out" not in path.parents]
    assert outside == [tmp_path / "canary"]
    assert (tmp_path / "canary").read_bytes() == b"precious"
    message = str(caught.value)
    assert message.endswith(".")
    return message


@pytest.mark.parametrize(
    "name",
    ["../evil", "/evil", "a/../../evil", "C:/evil", "C:evil", "..\\evil", "\\\\server\\evil", "a.data/purelib/../../x"],
)
def test_nothing_is_written_elsewhere(tmp_path: Path, name: str) -> None:
    assert "would be outside its folder" in _refused(tmp_path, _zip((name, b"x")))


@pytest.mark.parametrize("name", ["a/nul", "CON", "aux.py", "Com1.txt", "a./b", "a ", 'a"b', "a*", "x" * 500])
def test_a_name_that_some_system_takes_for_something_else_is_refused(tmp_path: Path, name: str) -> None:
    assert "which is not a valid file name" in _refused(tmp_path, _zip((name, b"x")))


def test_a_link_is_refused(tmp_path: Path) -> None:
    assert "contains a link, 'spam'" in _refused(tmp_path, _zip(("spam", b"/etc/passwd"), mode=stat.S_IFLNK | 0o777))


def test_two_names_that_are_one_to_windows_are_refused(tmp_path: Path) -> None:
    assert "holds 'SPAM.py' twice" in _refused(tmp_path, _zip(("spam.py", b"1"), ("SPAM.py", b"2")))
    assert "twice" in _refused(tmp_path, _zip(("a.py", b"1"), ("spam-1.data/purelib/a.py", b"2")))


def test_a_file_that_is_a_folder_as_well_is_refused(tmp_path: Path) -> None:
    assert "cannot be unpacked" in _refused(tmp_path, _zip(("a", b"1"), ("a/b", b"2")))


def test_a_wheel_overwrites_nothing_of_another(tmp_path: Path) -> None:
    archive.unpack(NAME, _zip(("a.py", b"first")), tmp_path / "a" / "out", most_bytes=99)
    assert "cannot be unpacked" in _refused(tmp_path, _zip(("a.py", b"second")))
    assert (tmp_path / "a" / "out" / "a.py").read_bytes() == b"first"


def test_a_bomb_of_size_is_refused_before_it_goes_off(tmp_path: Path) -> None:
    bomb = _zip(("big", bytes(50_000_000)))
    assert len(bomb) < 100_000
    assert "contains more than expected" in _refused(tmp_path, bomb)
    assert not list((tmp_path / "a").rglob("*")) if (tmp_path / "a").exists() else True


def test_a_bomb_that_lies_about_its_size_gives_no_more_than_it_said(tmp_path: Path) -> None:
    bomb = bytearray(_zip(("big", bytes(50_000_000))))
    size = (50_000_000).to_bytes(4, "little")
    assert bomb.count(size) == 2
    small = bytes(bomb.replace(size, (100).to_bytes(4, "little")))
    assert "cannot be unpacked" in _refused(tmp_path, small)
    assert sum(path.stat().st_size for path in (tmp_path / "a").rglob("*") if path.is_file()) <= 100


def test_a_bomb_of_count_is_refused(tmp_path: Path) -> None:
    bomb = _zip(*((str(number), b"") for number in range(20_001)))
    assert "contains more than expected (20001 files)" in _refused(tmp_path, bomb)


def test_a_wheel_in_an_archive_of_another_kind_or_locked_is_a_sentence(tmp_path: Path) -> None:
    locked = bytearray(_zip(("a.py", b"x" * 50)))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + at] |= 1  # encrypted
    for content in (bytes(locked), b"", b"Rar!\x1a\x07", _zip(("a", b"1"))[:-10]):
        assert "cannot be unpacked" in _refused(tmp_path, content)


def test_what_record_says_changes_nothing(tmp_path: Path) -> None:
    lies = b"../../evil,sha256=AAAA,1\n/etc/passwd,,\nspam.py,sha256=wrong,999\n"
    archive.unpack(
        NAME, _zip(("spam.py", b"1"), ("spam-1.0.dist-info/RECORD", lies)), tmp_path / "out", most_bytes=9999
    )
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert found == ["out/spam-1.0.dist-info/RECORD", "out/spam.py"]


def test_a_wheel_that_is_swapped_after_the_check_is_not_unpacked(tmp_path: Path) -> None:
    good, evil = _zip(("spam.py", b"good")), _zip(("spam.py", b"evil"))
    wheel = Wheel(NAME, hashlib.sha256(good).hexdigest(), len(good), 100)
    (tmp_path / NAME).write_bytes(good)
    found = wheels.find_offline([wheel], tmp_path)
    (tmp_path / NAME).write_bytes(evil)
    with pytest.raises(InstallError, match="its SHA-256 is not the one in"):
        wheels.unpack([wheel], found, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*"))
    with (tmp_path / NAME).open("wb") as file:
        file.write(good)
        file.truncate(1 << 40)  # a file without end is read no further than it should be long
    with pytest.raises(InstallError, match="its SHA-256 is not the one in"):
        wheels.unpack([wheel], found, tmp_path / "out")


def test_a_real_wheel_fits_what_the_lock_says_of_it(tmp_path: Path) -> None:
    good = _zip(("spam/__init__.py", b"x" * 1000), ("spam-1.0.dist-info/RECORD", b""))
    wheel = Wheel(NAME, hashlib.sha256(good).hexdigest(), len(good), 1000)
    (tmp_path / NAME).write_bytes(good)
    wheels.unpack([wheel], [tmp_path / NAME], tmp_path / "out")
    assert (tmp_path / "out" / "spam" / "__init__.py").read_bytes() == b"x" * 1000
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(InstallError, match="contains more than expected"):
        wheels.unpack([Wheel(NAME, wheel.sha256, wheel.size, 999)], [tmp_path / NAME], tmp_path / "out")


def test_unpacking_takes_no_more_memory_than_the_wheel(tmp_path: Path) -> None:
    content = _zip(("big", bytes(300_000_000)))
    (tmp_path / "x").write_bytes(content)
    code = (
        "import re\nfrom pathlib import Path\nfrom eoam_install import archive\n"
        "archive.unpack('x', Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]), most_bytes=300_000_000)\n"
        # Not getrusage: that knows the size of the process which this one was forked from, too.
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) // 1024)\n"
    )
    done = run(code, [tmp_path / "x", tmp_path / "out"], mebibytes=1024)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100
