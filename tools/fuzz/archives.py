"""Fuzz wheels, and program files that the installer reads."""

from __future__ import annotations

import io
import plistlib
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from eoam_core import model_sums
from eoam_install import archive
from eoam_machine import binaries
from eoam_machine.errors import InstallError, explain
from tools.fuzz.mutations import damaged, require_sentence
from tools.fuzz.target import Target

_MOST = 100_000
_NAMES = st.one_of(
    st.sampled_from(
        [
            "a.py",
            "A.PY",
            "a/b.py",
            "a",
            "../e",
            "/e",
            "..",
            ".",
            "",
            "a/../../e",
            "C:/e",
            "\\e",
            "nul",
            "aux.py",
            "a. ",
            "a\n",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text("./\\ab:", max_size=12),
    st.just("x" * 300 + "/" + "y" * 300),
)
_MODES = st.sampled_from([0, 0o644, stat.S_IFLNK | 0o777, stat.S_IFIFO, stat.S_IFDIR | 0o755])
_ENTRIES = st.lists(st.tuples(_NAMES, st.sampled_from([b"", b"x", b"../../e", bytes(60_000)]), _MODES), max_size=6)


def _packed(entries: list[tuple[str, bytes, int]]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data, mode in entries:
            entry = zipfile.ZipInfo("x")
            entry.filename = name  # as it is: the constructor would make it harmless
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            try:
                packed.writestr(entry, data)
            except (ValueError, IndexError, UnicodeError):
                continue
    return content.getvalue()


def _wheels() -> list[bytes]:
    files = [("spam/__init__.py", b"x = 1\n" * 50, 0o644), ("spam-1.data/purelib/a.py", b"1", 0o644)]
    return [
        _packed(files),
        _packed([("bomb", bytes(20_000_000), 0o644)]),
        _packed([(f"{n}", b"", 0o644) for n in range(99)]),
    ]


def _check_wheel(content: bytes, folder: Path) -> None:
    inside = folder / "a" / "b"
    (folder / "canary").write_bytes(b"precious")
    try:
        archive.unpack("spam.whl", content, inside, most_bytes=_MOST)
    except InstallError:
        pass
    except OSError as error:  # such as a name that is too long
        require_sentence(explain(error))
    found = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    assert all(path == folder / "canary" or inside in path.parents for path in found), found
    assert not any(path.is_symlink() for path in found)
    assert sum(path.stat().st_size for path in found) <= _MOST + 8
    assert (folder / "canary").read_bytes() == b"precious"


def _programs() -> list[bytes]:
    pe = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<H", 0x8664) + bytes(64)
    info = struct.pack("<IIIII", 0xFEEF04BD, 0x10000, 30 << 16, 2 << 16, 0)
    elf = b"\x7fELF\2\1\1" + bytes(11) + struct.pack("<H", 62) + b"libpython3.11.so.1.0"
    xml = plistlib.dumps({"CFBundleShortVersionString": "30.2.3"})
    return [pe + info, elf, b"\xcf\xfa\xed\xfe\x07\0\0\1", xml, plistlib.dumps({"a": [1]}, fmt=plistlib.FMT_BINARY)]


def _check_program(content: bytes, folder: Path) -> None:
    path = folder / "Contents" / "Info.plist"
    path.parent.mkdir()
    path.write_bytes(content)
    assert isinstance(binaries.architecture(path), str)
    binaries.linked_python(path)
    binaries.windows_version(path)
    binaries.bundle_version(folder)
    binaries.version(content.decode("utf-8", "replace"))
    assert model_sums.is_whole(content) in (True, False)


def _any(strategies: Any) -> Any:
    return st.one_of(strategies)


TARGETS = (
    Target("wheels", lambda: _any([_ENTRIES.map(_packed), damaged(_wheels)]), _check_wheel),
    Target("programs", lambda: _any([damaged(_programs), st.binary(max_size=64)]), _check_program),
)
