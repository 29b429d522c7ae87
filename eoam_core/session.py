"""Open onnxruntime sessions: with OBS's needs, shared by filters, and limited for untrusted networks.

A network that does not ship with EOAM gets its memory from a pool of fixed size. Before anything of it is precomputed,
it is run once in a way that can be stopped. `model_file` has already refused loops and functions.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, Final

import numpy as np

from eoam_core.errors import InstallationError, ModelError
from eoam_core.installation import check_installation
from eoam_core.model_file import ModelFile
from eoam_core.printable import printable

_Key = tuple[str, int, tuple[int, int]]  # SHA-256, threads, (height, width)
# Sessions in use.
_sessions: Final[weakref.WeakValueDictionary[_Key, Any]] = weakref.WeakValueDictionary()
_opening: Final[dict[_Key, threading.Lock]] = {}  # held while opening; one for each network and size so far
_sessions_lock: Final = threading.Lock()  # for these two, never held while opening
_slow: Final[set[tuple[str, tuple[int, int]]]] = set()  # what took too long, so that no retry takes as long again
_pool_lock: Final = threading.Lock()
_pool_made = False  # onnxruntime takes one per process
_POOL_BYTES: Final = 2 << 30
_FOLDED_BYTES: Final = 1 << 20
_FIRST_RUN_S: Final = 10.0
_SILENT: Final = 4  # errors are raised as well, and stderr belongs to OBS
_EXPECTED: Final = (
    "expected input 'frame' uint8 (1, height, width, 4) and output 'mask' uint8 (1, height, width) "
    "with free dimensions named 'height' and 'width'"
)


def shared_session(file: ModelFile, *, threads: int, size: tuple[int, int]) -> Any:
    """Return the session of this content at this (height, width), shared with other filters.

    onnxruntime allows several threads in one session. Networks are identified by content, not by path: a replaced file
    is another network, and a copied one the same.

    Raises:
        ModelError: the network is damaged, has another contract or needs too much; InstallationError: no onnxruntime.
    """
    key = (file.sha256, threads, size)
    with _sessions_lock:
        session = _sessions.get(key)
        opening = _opening.setdefault(key, threading.Lock())
    if session is not None:
        return session
    with opening:  # for this network only: an untrusted one may take seconds, and EOAM's own must not wait for it
        with _sessions_lock:
            session = _sessions.get(key)
        if session is None:
            if not file.is_ours:
                _try_out(file, threads, size)
            session = _open(file, threads=threads, size=size)
            _check_contract(session, file, size=size)
            with _sessions_lock:
                _sessions[key] = session
    return session


def described_session(file: ModelFile) -> Any:
    """Return a session that only describes the network, after checking its contract. Errors as `shared_session`."""
    session = _open(file, threads=1, size=None, optimised=False)
    _check_contract(session, file, size=None)
    return session


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its type's name."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _open(file: ModelFile, *, threads: int, size: tuple[int, int] | None, optimised: bool = True) -> Any:
    onnxruntime = _import()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _SILENT
    # Waiting threads must sleep: spinning would burn the cores that the game and the encoder need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Not one of onnxruntime's own formats, which it would recognise by unchecked bytes.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if size is not None:
        # Fixed dimensions let onnxruntime fold every shape computation away and plan its memory once.
        options.add_free_dimension_override_by_name("height", size[0])
        options.add_free_dimension_override_by_name("width", size[1])
    if not file.is_ours:
        _bound_memory(onnxruntime, options)
    try:
        return onnxruntime.InferenceSession(file.content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exception types are private
        raise _damaged(file, error) from error


def _damaged(file: ModelFile, error: Exception) -> ModelError:
    return ModelError(
        f"The model file {file.path} is damaged or not an ONNX model ({first_line(error)}); "
        f"put the project's eoam.onnx there, {_EXPECTED}."
    )


def _import() -> Any:
    # Newer versions, once imported, store an identity of the computer and a database of events in the user's home
    # folder.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except Exception as error:
        remedy = next(part.remedy for part in check_installation() if part.name == "onnxruntime")
        raise InstallationError(f"onnxruntime does not load ({first_line(error)}); install it: {remedy}") from error
    onnxruntime.disable_telemetry_events()  # builds for Windows have this as well
    return onnxruntime


def _bound_memory(onnxruntime: Any, options: Any) -> None:
    """Make a session use the one memory pool that all untrusted networks share."""
    global _pool_made
    with _pool_lock:
        if not _pool_made:
            arena = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
            info = onnxruntime.OrtMemoryInfo("Cpu", arena, 0, onnxruntime.OrtMemType.DEFAULT)
            as_requested = 1  # not twice as much each time
            limits = onnxruntime.OrtArenaCfg({"max_mem": _POOL_BYTES, "arena_extend_strategy": as_requested})
            onnxruntime.create_and_register_allocator(info, limits)
            _pool_made = True
    options.add_session_config_entry("session.use_env_allocators", "1")
    # Precomputed values lie outside the pool. An older onnxruntime ignores this name.
    options.add_session_config_entry("optimization.constant_folding_max_output_size_in_bytes", str(_FOLDED_BYTES))


def _try_out(file: ModelFile, threads: int, size: tuple[int, int]) -> None:
    """Run an untrusted network once, unoptimised; if that takes too long, stop it after its current operator.

    Only afterwards is it optimised, which runs the parts that do not depend on the input and cannot be stopped.
    """
    too_slow = f"{file.path} takes more than {_FIRST_RUN_S:g} s per frame; choose a smaller network."
    if (file.sha256, size) in _slow:
        raise ModelError(too_slow)
    session = _open(file, threads=threads, size=size, optimised=False)
    _check_contract(session, file, size=size)
    options = _import().RunOptions()
    options.log_severity_level = _SILENT
    stopper = threading.Timer(_FIRST_RUN_S, setattr, (options, "terminate", True))
    stopper.daemon = True
    stopper.start()
    try:
        session.run(("mask",), {"frame": np.zeros((1, *size, 4), np.uint8)}, options)
    except Exception as error:  # onnxruntime's own exception types are private
        if options.terminate:
            _slow.add((file.sha256, size))
            raise ModelError(too_slow) from error
        raise ModelError(f"{file.path} failed to run: {first_line(error)}") from error
    finally:
        stopper.cancel()


def _check_contract(session: Any, file: ModelFile, *, size: tuple[int, int] | None) -> None:
    needs: dict[str, list[int | str]] = {"frame": [1, "height", "width", 4], "mask": [1, "height", "width"]}
    try:
        inputs, outputs = session.get_inputs(), session.get_outputs()
        found = ", ".join(f"{value.name!r} {value.type} {tuple(value.shape)}" for value in (*inputs, *outputs))
    except UnicodeDecodeError as error:  # a name that is no text
        raise _damaged(file, error) from error
    fits = [value.name for value in inputs] == ["frame"] and [value.name for value in outputs] == ["mask"]
    for value in (*inputs, *outputs):
        fits = fits and value.type == "tensor(uint8)" and _same_shape(value.shape, needs[value.name], size)
    if not fits:
        found = printable(found, 300)
        raise ModelError(f"The model file {file.path} has unexpected inputs or outputs: found {found}; {_EXPECTED}.")


def _same_shape(found: list[int | str | None], need: list[int | str], size: tuple[int, int] | None) -> bool:
    if len(found) != len(need):
        return False
    if size is None:
        # Shape inference may lose the output's free dimensions (None or a made-up name); a number must be right.
        return all(a == b or (isinstance(b, str) and not isinstance(a, int)) for a, b in zip(found, need, strict=True))
    # Before version 1.23 a session that is not optimised still names the dimensions that were given a size.
    sizes = {"height": size[0], "width": size[1]}
    return all(a in (b, sizes.get(b, b) if isinstance(b, str) else b) for a, b in zip(found, need, strict=True))
