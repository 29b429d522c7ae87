from __future__ import annotations

import sys
from pathlib import Path

import pytest

from eoam_core.errors import InputError
from eoam_core.target import replacing, writing

SOURCE = Path("elsewhere.mp4")


def test_the_file_appears_only_when_it_is_complete(out: Path) -> None:
    target = out / "a.webm"
    with replacing(target, source=SOURCE) as temporary:
        temporary.write_bytes(b"new")
        assert not target.exists()
        assert (temporary.parent, temporary.suffix) == (out, ".webm")
    assert target.read_bytes() == b"new"
    assert list(out.iterdir()) == [target]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_whatever_goes_wrong_leaves_the_old_file_and_nothing_else(out: Path, error: type[BaseException]) -> None:
    target = out / "a.png"
    target.write_bytes(b"old")

    def write_half() -> None:
        with replacing(target, source=SOURCE) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        write_half()
    assert target.read_bytes() == b"old"
    assert list(out.iterdir()) == [target]


def test_the_input_is_never_overwritten(out: Path) -> None:
    source = out / "a.png"
    source.write_bytes(b"precious")
    with pytest.raises(InputError, match="is the input itself"), replacing(out / "." / "a.png", source=source):
        pass
    assert source.read_bytes() == b"precious"


def test_a_folder_is_no_target(out: Path) -> None:
    with pytest.raises(InputError, match="is a folder"), replacing(out, source=SOURCE):
        pass


def test_a_missing_folder_is_named(out: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"), replacing(out / "no" / "a.png", source=SOURCE):
        pass


def test_a_name_that_cannot_be_created_is_a_clear_error(out: Path) -> None:
    name = "a?b.png" if sys.platform == "win32" else "a" * 300
    with pytest.raises(InputError, match="cannot be written"), replacing(out / name, source=SOURCE):
        pass


def test_an_error_of_the_system_names_the_target(out: Path) -> None:
    with pytest.raises(InputError, match=r"a\.mov cannot be written: No space left"), writing(out / "a.mov"):
        raise OSError(28, "No space left on device")
