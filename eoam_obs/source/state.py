"""Describe a filter's state, and turn it into a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from eoam_core.settings import Timing
from eoam_obs.source.locale import Texts

Kind = Literal["running", "waiting", "late", "starved", "problem", "stopped", "hidden"]
_FAST: Final = 9.95  # a second; from here on a rate has no decimals
BEHIND: Final = " behind"  # in `State.look`
# States in which the filter draws and there is something to blur.
_COVERED: Final = ("waiting", "late", "starved", "problem")


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What a filter is doing; `kind` decides which of the other fields matter.

    `milliseconds` is the time of one mask, `masks_per_second` the recent rate, `pictures_per_second` the rate of
    pictures that should get a mask, and `behind` says that masks have been too few for a while. `delay` is the
    picture's delay in frames; `limit_s` the age above which a mask is not used ("late": the newest is older, and
    nothing is shown; "starved": OBS draws so rarely that none is used). `guard_open` says that the privacy guard would
    hide nothing. `problem` is what is wrong ("problem": nothing is shown), `notice` what differs from the settings,
    `last_error` the previous problem. `busy_scripts` are files of other scripts that keep Python busy and so delay the
    masks. `covered` says that without a mask everything is shown blurred, instead of nothing.
    """

    kind: Kind
    covered: bool = False
    problem: str = ""
    notice: str = ""
    last_error: str = ""
    model: str = ""
    width: int = 0
    height: int = 0
    milliseconds: float = 0.0
    masks: int = 0
    masks_per_second: float = 0.0
    pictures_per_second: float = 0.0
    behind: bool = False
    limit_s: float = 0.0
    timing: Timing = Timing.ALIGNED
    delay: int = 0
    guard_open: bool = False
    busy_scripts: tuple[str, ...] = ()

    @property
    def look(self) -> str:
        """What a panel shows apart from figures; the panel is refreshed when this changes."""
        because = " busy scripts" if self.busy_scripts and self._lacks_masks else ""
        return f"{self.kind}{BEHIND if self.behind else ''}{' covered' if self.covered else ''}{because}"

    @property
    def _lacks_masks(self) -> bool:
        return self.behind or self.kind in ("late", "starved")

    @property
    def is_warning(self) -> bool:
        """Return whether the user should do something."""
        return self.behind or self.guard_open or self.kind in ("problem", "stopped", "late", "starved")

    def sentence(self, texts: Texts) -> str:
        """Return a sentence for a panel, and one more for each thing that the user should know."""
        said = self._doing(texts)
        return f"{said} {texts('state.guard_open', guard=texts('panel.guard'))}" if self.guard_open else said

    def _doing(self, texts: Texts) -> str:
        if self.kind != "running":
            kind = "python_busy" if self.busy_scripts and self._lacks_masks else self.kind
            key = f"state.{kind}.covered" if self.covered and self.kind in _COVERED else f"state.{kind}"
            given = {"problem": self.problem, "seconds": f"{self.limit_s:g}", "preset": texts("preset.low_cpu")}
            return texts(key, scripts=", ".join(self.busy_scripts), **given)
        said = texts(
            "state.running",
            milliseconds=f"{self.milliseconds:.1f}",
            rate=_rate(self.masks_per_second),
            model=self.model,
            timing=texts(f"timing.{self.timing.value}.short"),
            delay=texts(f"state.delay.{('none', 'one')[self.delay] if self.delay < 2 else 'more'}", frames=self.delay),
        )
        if self.behind:
            given = {"rate": _rate(self.masks_per_second), "pictures": _rate(self.pictures_per_second)}
            given |= {"preset": texts("preset.low_cpu"), "scripts": ", ".join(self.busy_scripts)}
            said = f"{said} {texts('state.python_busy.behind' if self.busy_scripts else 'state.behind', **given)}"
        if self.notice:
            return f"{said} {self.notice}"
        if self.last_error:
            said += " " + texts("state.last_error", problem=self.last_error)
        return said


def _rate(per_second: float) -> str:
    """Return a rate as text; a slow one has tenths."""
    return f"{per_second:.0f}" if per_second >= _FAST else f"{per_second:.1f}"
