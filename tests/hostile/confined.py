"""Run Python in a process of its own with bounded memory, and, if wanted, without any way to the network.

Without the network means: the kernel ends the process at the first socket that is not for this computer's own files
(AF_UNIX), whichever library asks for it. A filter of the kernel's does that (seccomp), which needs no rights.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
CLI: Final = "from eoam_cli.main import main; sys.exit(main(sys.argv[1:]))"
KILLED_BY_THE_FILTER: Final = -signal.SIGSYS
# (the number by which the kernel's audit knows the processor, that of the call `socket`)
_CALLS: Final = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}


def run(
    code: str,
    arguments: Sequence[object] = (),
    *,
    mebibytes: int = 4096,
    seconds: float = 180.0,
    network: bool = True,
    **more: Any,
) -> subprocess.CompletedProcess[str]:
    """Run `code`, which finds `sys` imported, with `arguments`; TimeoutExpired after so many seconds."""
    start = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); "
    if not network:
        start += "from tests.hostile.confined import forbid_network; forbid_network(); "
    # Each thread of a library reserves addresses for its stack and its heap; few are enough here.
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", **more.pop("env", {})}
    return subprocess.run(
        [sys.executable, "-c", start + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=seconds,
        env=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20)),
        **more,
    )


def can_forbid_network() -> bool:
    """Whether this system's kernel can be told so."""
    return sys.platform == "linux" and platform.machine() in _CALLS


def forbid_network() -> None:
    """End this process, from now on, at the first socket that is not AF_UNIX."""
    audit, number = _CALLS[platform.machine()]
    load, equal, give = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
    allow, end = 0x7FFF0000, 0x80000000  # SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS
    steps = [
        (load, 0, 0, 4),  # the processor
        (equal, 0, 5, audit),
        (load, 0, 0, 0),  # the call
        (equal, 0, 3, number),
        (load, 0, 0, 16),  # its first argument
        (equal, 1, 0, 1),  # AF_UNIX
        (give, 0, 0, end),
        (give, 0, 0, allow),
    ]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    program = Program(len(steps), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    no_new_privileges, set_seccomp, mode_filter = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(
        set_seccomp, mode_filter, ctypes.addressof(program), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter")
