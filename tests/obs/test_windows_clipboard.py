"""Windows's clipboard: with stand-ins for its functions anywhere, and with the real ones on Windows."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import pytest

from eoam_obs.binding import desktop, windows_clipboard

TEXT = "Grüße 日本 😀\nsecond line"


class Function:
    """Stand in for a function of a library; what is declared for it must fit the call."""

    restype: Any = None
    argtypes: tuple[Any, ...] = ()

    def __init__(self, body: Any) -> None:
        self._body = body

    def __call__(self, *arguments: Any) -> Any:
        assert len(arguments) == len(self.argtypes)
        for wanted, value in zip(self.argtypes, arguments, strict=True):
            wanted.from_param(value)
        return self._body(*arguments)


class Windows:
    """Stand in for user32 and kernel32: `broken` is a function that fails, `busy` how often the clipboard is taken."""

    def __init__(self, *, broken: str = "", busy: int = 0) -> None:
        self.broken, self.busy = broken, busy
        self.calls: list[str] = []
        self.memory: dict[int, Any] = {}
        self.clipboard: str | None = "of before"
        self.now = 0.0

    def __getitem__(self, name: str) -> Function:
        return self.__dict__.setdefault(name, Function(lambda *arguments: self._call(name, *arguments)))

    def _call(self, name: str, *arguments: Any) -> Any:
        self.calls.append(name)
        return 0 if name == self.broken else getattr(self, f"_{name}", lambda *arguments: 1)(*arguments)

    def _OpenClipboard(self, owner: int) -> int:
        self.busy -= 1
        return int(self.busy < 0)

    def _EmptyClipboard(self) -> int:
        self.clipboard = None
        return 1

    def _GlobalAlloc(self, flags: int, size: int) -> int:
        self.memory[77] = ctypes.create_string_buffer(size)
        return 77

    def _GlobalLock(self, handle: int) -> int:
        return ctypes.addressof(self.memory[handle])

    def _GlobalFree(self, handle: int) -> int:
        del self.memory[handle]
        return 0

    def _SetClipboardData(self, kind: int, handle: int) -> int:
        self.clipboard = bytes(self.memory[handle]).decode("utf-16-le")
        return handle

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def copy(self, monkeypatch: pytest.MonkeyPatch, text: str = TEXT) -> bool:
        monkeypatch.setattr(ctypes, "CDLL", lambda name: self)
        return windows_clipboard.copy(text, clock=self.clock, sleep=self.sleep)


def test_the_text_is_on_the_clipboard_with_windowss_ends_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = Windows()
    assert windows.copy(monkeypatch)
    assert windows.clipboard == "Grüße 日本 😀\r\nsecond line\0"
    assert windows.memory, "the memory is the system's: it must not be freed"
    assert windows.calls[-2:] == ["CloseClipboard", "DestroyWindow"]
    assert windows.copy(monkeypatch, "a\r\nb")
    assert windows.clipboard == "a\r\nb\0"


def test_a_clipboard_that_another_program_has_for_a_moment_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = Windows(busy=4)
    assert windows.copy(monkeypatch)
    assert windows.calls.count("OpenClipboard") == 5


def test_a_clipboard_that_stays_taken_is_given_up_soon_and_not_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = Windows(busy=10_000)
    assert not windows.copy(monkeypatch)
    assert windows.now <= 0.5
    assert windows.clipboard == "of before"
    assert "CloseClipboard" not in windows.calls
    assert windows.calls[-1] == "DestroyWindow"


@pytest.mark.parametrize("broken", ["EmptyClipboard", "GlobalAlloc", "GlobalLock", "SetClipboardData"])
def test_what_fails_on_the_way_frees_the_memory_and_closes_the_clipboard(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    windows = Windows(broken=broken)
    assert not windows.copy(monkeypatch)
    assert not windows.memory
    assert windows.calls[-2:] == ["CloseClipboard", "DestroyWindow"]


def test_without_an_owner_the_clipboard_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = Windows(broken="CreateWindowExW")
    assert not windows.copy(monkeypatch)
    assert windows.calls == ["CreateWindowExW"]


@pytest.mark.skipif(sys.platform != "win32", reason="Windows alone has this clipboard")
def test_on_windows_the_text_can_be_pasted() -> None:
    assert desktop.copy(TEXT)
    user, kernel = ctypes.CDLL("user32"), ctypes.CDLL("kernel32")
    user.GetClipboardData.restype = kernel.GlobalLock.restype = ctypes.c_void_p
    assert user.OpenClipboard(None)
    try:
        memory = ctypes.c_void_p(user.GetClipboardData(13))
        assert ctypes.wstring_at(kernel.GlobalLock(memory)) == TEXT.replace("\n", "\r\n")
        kernel.GlobalUnlock(memory)
    finally:
        user.CloseClipboard()
