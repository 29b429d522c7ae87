"""Run one filter on one source: the work on OBS's graphics thread, once per video tick.

The tick: upload the newest mask; draw the source into a texture and start downscaling it; draw a picture through a
mask. However often OBS draws the source within a tick (program, preview, projector, screenshot), only the last step is
repeated. The worker reads the input frame itself, in the pause between two ticks, when the GPU has finished it. Its
mask is ready at the next tick, and this thread never waits, except in the timing mode "same frame".

Fail closed: something is drawn only while `Drawing` holds a picture with its own mask or, in low latency or with a mask
every N frames, with a recent mask. Every error clears it. Then nothing is drawn, or, by a setting, the placeholder:
this tick's picture in a few cells. Nothing here draws the raw source.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from eoam_core.errors import EoamError
from eoam_core.installation import check_installation
from eoam_core.settings import NoMask, Settings, Timing
from eoam_obs.binding import libobs
from eoam_obs.binding.functions import Source
from eoam_obs.binding.libobs import LibObs
from eoam_obs.binding.python_lock import LOCK
from eoam_obs.frame.camera import Camera
from eoam_obs.frame.compositor import has_chosen_colours
from eoam_obs.frame.drawing import Drawing
from eoam_obs.frame.gpu import Downscaler, PictureRing, RenderTarget
from eoam_obs.frame.pace import Pace, Patience, Speed
from eoam_obs.frame.placeholder import Placeholder
from eoam_obs.source.state import State

if TYPE_CHECKING:
    from eoam_core.pipeline import Matte
    from eoam_obs.frame.matting import Matting

_LOG: Final = logging.getLogger("eoam")
_SECOND: Final = 1_000_000_000  # libobs counts nanoseconds
_PAUSE_NS: Final = _SECOND // 2  # not drawn for so long: hidden or asleep; older state is outdated
# How old a mask may get. A picture with its own mask is held (frozen) for two seconds; newer pictures are shown through
# an older mask for half a second.
_STALE_NS: Final = {
    Timing.ALIGNED: 2 * _SECOND,
    Timing.SAME_FRAME: 2 * _SECOND,
    Timing.LOW_LATENCY: _SECOND // 2,
}
_TICK_NS: Final = (_SECOND // 250, _SECOND // 20)  # plausible lengths of a tick
_SAME_FRAME_TIMEOUT_S: Final = 0.025  # after that the previous picture is shown again
_RETRY_NS: Final = 2 * _SECOND  # wait after a failure, instead of failing sixty times a second
_TRIES: Final = 5  # attempts to clean up after a failure; without memory that may fail as well
# The one that is shown, the one the worker has, and the one being drawn.
_PICTURES: Final = 3


@dataclass
class _Counts:
    """What a filter has done since it started, logged when it stops."""

    ticks: int = 0
    nanoseconds: int = 0
    masks: int = 0
    mask_ms: float = 0.0

    def line(self) -> str:
        """Return the log's line; the rate is per second in which the source was drawn."""
        seconds = self.nanoseconds / _SECOND
        rate = self.masks / seconds if seconds else 0.0
        mean = self.mask_ms / self.masks if self.masks else 0.0
        return f"ticks={self.ticks} masks={self.masks} masks_per_s={rate:.1f} ms_per_mask={mean:.2f}"


class Filter:
    """The filter on `source`, an `obs_source_t` of ours; the filter does not own a reference to it.

    The threads:

    * the graphics thread calls `render`, and nothing else does (screenshots and projectors are drawn with the graphics
      context held, one at a time);
    * OBS's UI thread calls `update`, `suspend`, `resume` and `state`; the watch's thread calls `state` as well;
    * `destroy` comes from any thread, after the last `render`.

    No lock is held while calling libobs, which may wait for one of its own locks while another thread holds that lock
    and waits for Python. So state shared by two threads is swapped as a whole: `_settings`, `_suspended`, `_problem`,
    `_begun_for` and `_matting` are each one reference, and after swapping one a thread checks the others (`update` sets
    `_settings` before it reads `_matting`, `_begin` the other way round; `suspend` and `_begin` likewise).
    `Drawing.clear` swaps such a reference, too. `Pace` has a lock of its own for what `state` changes.
    """

    def __init__(self, obs: LibObs, source: Source, settings: Settings) -> None:
        self._obs = obs
        self._settings = settings
        self._suspended = False
        self.hidden = False  # draw nothing, while a hotkey is held
        self._pace = Pace()
        self._patience = Patience(_RETRY_NS)  # in the timing mode "same frame"
        self._limit_ns = 0  # current age limit of a mask
        self._is_late = False  # the newest mask is older: nothing is shown
        self._problem = ""
        self._last_error = ""
        self._camera = Camera(obs, source)
        self._begun_for: tuple[object, ...] = ()  # the camera's and the settings' values at `_begin`
        self._network: tuple[object, ...] = ()  # what the worker was made for
        self.space = libobs.GS_CS_SRGB  # the colour space that `render` draws in
        self._is_encoded = False  # whether the framebuffer encodes sRGB when `render` is called
        self._frame_time = 0
        self._counts = _Counts()
        self._since = 0  # mattes of older pictures are not used any more
        self._retry_at = 0
        self._matte: Matte | None = None
        self._newest: RenderTarget | None = None  # this tick's picture
        self._previous: int | None = None  # the number of the last tick's
        self._rests = False  # nothing is captured in this tick
        self._matting: Matting | None = None
        self._retired: list[Matting] = []
        self._downscaler: Downscaler | None = None
        self._pictures = PictureRing(lambda: RenderTarget(obs), limit=_PICTURES)
        self._drawing = Drawing(obs)
        self._placeholder: Placeholder | None = None  # made when it is wanted
        self._placeholder_at = 0  # not before: it failed

    def update(self, settings: Settings) -> None:
        """Use other settings."""
        self._settings = settings
        matting = self._matting
        if matting is not None:
            matting.update_settings(settings)

    def suspend(self) -> None:
        """Draw nothing and stop the worker until `resume`."""
        self._suspended = True
        self._drawing.clear()
        matting, self._matting = self._matting, None
        if matting is not None:
            matting.close()
        counts, self._counts = self._counts, _Counts()
        if counts.ticks:
            _LOG.info("filter_stopped %s", counts.line())

    def resume(self) -> None:
        """Start again, as if the source had just appeared."""
        self._problem = ""
        self._retry_at = self._placeholder_at = 0
        self._begun_for = ()
        self._pace = Pace()
        self._suspended = False

    def destroy(self) -> None:
        """Stop the worker and free the GPU objects."""
        self.suspend()
        for matting in self._retired:
            matting.close()
        self._obs.obs_enter_graphics()
        try:
            self._free()
        finally:
            self._obs.obs_leave_graphics()
        self._drawing.close()

    def state(self) -> State:
        """Return the current state."""
        matting, matte, timing = self._matting, self._matte, self._settings.timing
        problem = self._problem or (matting.error if matting is not None else "")
        if self._suspended:
            return State(kind="stopped")
        covered = (
            self._settings.no_mask is NoMask.BLUR and self._frame_time >= self._placeholder_at
        )  # or the placeholder failed
        if problem:
            self._pace.forget()
            return State(kind="problem", problem=problem, covered=covered)
        if self.hidden:
            return State(kind="hidden")
        speed = self._pace.look(matting.frames) if matting is not None else Speed()
        if matting is not None and speed.is_starved:
            return State(kind="starved", covered=covered, busy_scripts=LOCK.busy_scripts)
        if matting is not None and self._is_late and speed.is_drawn:
            limit_s = self._limit_ns / _SECOND
            return State(kind="late", limit_s=limit_s, covered=covered, busy_scripts=LOCK.busy_scripts)
        if matting is None or matte is None or not speed.is_drawn:
            return State(kind="waiting", covered=covered)
        return State(
            kind="running",
            notice=self._drawing.problem,
            last_error=self._last_error,
            model=matting.name,
            width=matting.width,
            height=matting.height,
            milliseconds=matte.timings.total_ms,
            masks=matting.frames,
            masks_per_second=speed.masks,
            pictures_per_second=speed.pictures,
            behind=speed.is_behind,
            timing=timing,
            delay=1 if timing is Timing.ALIGNED else 0,
            busy_scripts=LOCK.busy_scripts if speed.is_behind else (),
        )

    def render(self) -> None:
        """Draw the person, or nothing."""
        if self._suspended:
            return
        obs = self._obs
        now = obs.obs_get_video_frame_time()
        # Drawing changes the graphics state several times; it is saved and restored once.
        obs.gs_blend_state_push()
        encoded_before = self._is_encoded = obs.gs_framebuffer_srgb_enabled()
        try:
            if now != self._frame_time:
                passed = now - self._frame_time
                paused = passed > _PAUSE_NS
                self._frame_time = now
                self._pace.tick(passed / _SECOND, late=paused)
                self._counts.ticks += 1
                self._counts.nanoseconds += 0 if paused else passed
                self._newest = None
                self._drawing.clear()
                if self._placeholder is not None:
                    self._placeholder.forget()
                if now >= self._retry_at:
                    self._advance(now, passed, paused=paused)
                if self._settings.no_mask is NoMask.BLUR and not self._drawing.is_shown:
                    self._cover_up(now)
            if not self._suspended and not self.hidden:
                self._drawing.draw()
                if self._placeholder is not None:
                    self._placeholder.draw()
        except Exception as error:
            for _ in range(_TRIES):
                try:
                    self._fail(error, now)
                    break
                except Exception:
                    continue
        finally:
            obs.gs_enable_framebuffer_srgb(encoded_before)
            obs.gs_blend_state_pop()

    def _advance(self, now: int, passed: int, *, paused: bool) -> None:
        camera, settings = self._camera, self._settings
        if not camera.look(as_shown=has_chosen_colours(settings)):
            self._forget(now)
            return
        network = (settings.model, settings.threads, settings.detail, settings.turn)
        looks = (camera.width, camera.height, camera.space, network)
        if looks != self._begun_for:
            self._begin(looks, settings, now)
        elif paused:
            self._forget(now)
        matting, downscaler = self._matting, self._downscaler
        if matting is None or downscaler is None:
            return
        tick = min(max(passed, _TICK_NS[0]), _TICK_NS[1])
        in_flight = matting.in_flight
        self._collect(matting)
        if self._matte is None and matting.is_closed and not self._suspended:
            raise EoamError(f"The mask worker has stopped: {matting.error}")  # another is made after a while
        # Until there is a mask, every frame may bring the first.
        is_due = self._matte is None or self._counts.ticks % settings.every == 0
        every = settings.every
        if every == 1 and matting.stands_still and self._matte is not None and settings.timing is Timing.ALIGNED:
            # A picture that has stood still for a while is captured only every other tick, and stays shown meanwhile.
            every = 2
            self._rests = not self._rests
        else:
            self._rests = False
        if not self._rests:
            newest = self._newest = self._capture(now, in_flight)
            if is_due:
                encode = camera.space != libobs.GS_CS_SRGB
                if encode != self._is_encoded:
                    self._obs.gs_enable_framebuffer_srgb(encode)
                downscaler.stage(newest.texture, camera.width, camera.height, now)
                self._pace.picture()
                if settings.timing is Timing.SAME_FRAME and self._patience.lasts(now):
                    self._wait_for_mask(matting, now, in_flight)
                else:
                    tick_s = tick / _SECOND
                    matting.read_later(time.monotonic() + downscaler.readback.after * tick_s, every * tick_s)
        number = self._choose(settings, now, tick)
        picture = self._pictures.find(number) if number is not None else None
        self._drawing.show(picture, settings, (camera.width, camera.height), now, number)
        if not self._rests:
            self._previous = now

    def _begin(self, looks: tuple[object, ...], settings: Settings, now: int) -> None:
        """Start over with a source of another size or colour space, or another network; nothing old is used again."""
        self._forget(now)
        self._pictures.destroy()
        self._begun_for = looks
        camera = self._camera
        self.space = camera.space
        if self._problem:
            self._retire()
            return
        from eoam_core.geometry import network_size

        width, height = network_size(camera.width, camera.height, settings.detail)
        network = (width, height, settings.model, settings.threads, settings.turn)
        if self._matting is not None and network == self._network:
            return
        self._retire()
        try:
            from eoam_obs.frame.matting import Matting
        except Exception as error:  # a library that is missing, or one that is there and does not load
            self._problem = _missing_libraries() or f"A library failed to load: {error}"
            _LOG.error("filter_cannot_run problem=%r", self._problem)
            return
        self._downscaler = Downscaler(self._obs, width, height)
        self._matting = Matting(height, width, settings, self._downscaler)
        self._network = network
        if self._suspended:  # on the UI thread, while this thread was busy here
            self._retire()
        elif self._settings is not settings:  # as well; `update` found no worker to tell
            self._matting.update_settings(self._settings)

    def _retire(self) -> None:
        matting = self._matting
        if matting is not None:
            # In this order: after a failure in between, the next call or `destroy` completes it.
            self._retired = [*(old for old in self._retired if not old.is_closed), matting]
            self._matting = None
        for old in self._retired:
            old.close_soon()
        downscaler, self._downscaler = self._downscaler, None
        if downscaler is not None:
            downscaler.destroy()

    def _forget(self, now: int) -> None:
        self._since = now
        self._previous = self._matte = None
        self._is_late = False
        self._drawing.clear()
        downscaler, matting = self._downscaler, self._matting
        if downscaler is not None:
            downscaler.staged = None
        if matting is not None:
            matting.reset()

    def _collect(self, matting: Matting) -> None:
        """Upload the newest mask to the GPU."""
        matte = matting.latest()
        if matte is None:
            self._last_error = matting.error or self._last_error
        elif matte.sequence < self._since:
            matte = None
        elif self._drawing.upload(matte):
            self._counts.masks += 1
            self._counts.mask_ms += matte.timings.total_ms
        self._matte = matte

    def _wait_for_mask(self, matting: Matting, now: int, in_flight: int | None) -> None:
        is_first = self._matte is None  # the network is being opened, which says nothing about the processor's speed
        matting.process_now(now, _SAME_FRAME_TIMEOUT_S)
        self._collect(matting)
        if in_flight is None and not is_first:
            self._patience.note(now, came=self._matte is not None and self._matte.sequence == now)

    def _capture(self, now: int, in_flight: int | None) -> RenderTarget:
        """Draw the source into a texture."""
        # A picture still waiting for the worker is not kept: this one replaces it.
        shown = self._matte.sequence if self._matte is not None else None
        picture = self._pictures.next(now, in_flight, shown if self._settings.every == 1 else self._previous)
        self._camera.draw_into(picture)
        return picture

    def _choose(self, settings: Settings, now: int, tick: int) -> int | None:
        """Return the number of the picture to show through the mask, or None: then nothing is drawn.

        With a mask every N frames most pictures have none of their own. They are shown through the newest mask and with
        the delay of `aligned`: sound stays in sync, and the mask is one frame less behind.
        """
        matte, timing, every = self._matte, settings.timing, settings.every
        limit = _STALE_NS[timing]
        if every > 1:
            limit = min(_STALE_NS[Timing.LOW_LATENCY] + every * tick, _STALE_NS[Timing.ALIGNED])
        if matte is None:  # opening the network takes its time
            limit = _STALE_NS[Timing.ALIGNED]
        self._limit_ns = limit
        self._is_late = now - (self._since if matte is None else matte.sequence) > limit
        if matte is None or self._is_late:
            return None
        if every == 1:
            return now if timing is Timing.LOW_LATENCY else matte.sequence
        return self._previous if timing is Timing.ALIGNED else now

    def _cover_up(self, now: int) -> None:
        """Prepare this tick's placeholder; separately, since whatever failed elsewhere may fail here too."""
        if now < self._placeholder_at:
            return
        camera, placeholder = self._camera, self._placeholder
        if placeholder is None:
            placeholder = self._placeholder = Placeholder(self._obs)
        try:
            if not camera.look(as_shown=has_chosen_colours(self._settings)):
                return
            self.space = camera.space
            newest = self._newest
            if newest is None:
                newest = placeholder.picture
                camera.draw_into(newest)
            placeholder.take(newest, camera.width, camera.height)
        except Exception as error:
            self._say(error)
            self._placeholder_at = now + _RETRY_NS
            placeholder.destroy()

    def _fail(self, error: Exception, now: int) -> None:
        """Draw nothing for a while and start over, with new GPU objects."""
        self._retry_at = now + _RETRY_NS
        self._begun_for = ()
        self._free()  # first of all targets still being drawn into: OBS continues when this returns
        self._forget(now)
        self._retire()
        self._say(error)

    def _say(self, error: Exception) -> None:
        text = str(error) or type(error).__name__
        if text != self._last_error:
            _LOG.error("render_failed error=%r", error, exc_info=error)
        self._last_error = text

    def _free(self) -> None:
        self._newest = None
        downscaler, self._downscaler = self._downscaler, None
        for part in (self._pictures, self._drawing, self._placeholder, downscaler):
            if part is not None:
                part.destroy()


def _missing_libraries() -> str:
    """Return which libraries are missing and how to install them, or ""."""
    missing = [part for part in check_installation() if not part.ok and part.name != "model"]
    return " ".join(f"{part.name} {part.fault or 'is missing'}: {part.remedy}" for part in missing)
