"""One filter on one source: what happens on OBS's graphics thread, once per video tick.

The tick: take the newest mask; draw the source into a texture and start shrinking it; draw a picture through a mask.
However often OBS draws the source within a tick (program, preview, projector, screenshot), only the last step is
repeated. The worker reads the small picture itself, in the pause between two ticks, when the GPU has long finished it:
its mask is there at the next tick, and nothing on this thread ever waits (but in the timing mode "same frame", whose
point that is).

Fail closed: there is something to draw only while `_shown` holds a picture with a mask of its own, or, in low latency,
with a mask that is recent. Everything that goes wrong clears it, and nothing in here draws the raw source.
"""

from __future__ import annotations

import ctypes
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from eoam_core.installation import check_installation
from eoam_core.settings import Settings, Timing, View
from eoam_obs import libobs
from eoam_obs.gpu import Canvas, PictureRing, Shrinker
from eoam_obs.libobs import LibObs
from eoam_obs.matte_effect import MaskTexture, MatteEffect

if TYPE_CHECKING:
    from eoam_core.pipeline import Matte
    from eoam_obs.matting import Matting

_LOG: Final = logging.getLogger("eoam")
_SECOND: Final = 1_000_000_000  # libobs counts nanoseconds
_PAUSE_NS: Final = _SECOND // 2  # not drawn for so long: hidden, asleep; what was known is about another scene
# How old a mask may get. A picture with its own mask is held (frozen) for two seconds; newer pictures are shown through
# an older mask for half a second.
_STALE_NS: Final = {
    Timing.ALIGNED: 2 * _SECOND,
    Timing.SAME_FRAME: 2 * _SECOND,
    Timing.LOW_LATENCY: _SECOND // 2,
}
# The worker reads a picture so long after it was drawn, as a share of the time between two ticks: late enough for the
# GPU to have finished it, early enough for the mask to be there at the next tick.
_READ_AFTER: Final = 0.35
_TICK_NS: Final = (_SECOND // 250, _SECOND // 20)  # what a tick can reasonably last
_SAME_FRAME_TIMEOUT_S: Final = 0.025  # then the picture before is shown once more
_RETRY_NS: Final = 2 * _SECOND  # wait after a failure, instead of failing sixty times a second
# The one that is shown, the one the worker has, and the one being drawn.
_PICTURES: Final = 3
_DRAWS_ITSELF: Final = libobs.OBS_SOURCE_CUSTOM_DRAW | libobs.OBS_SOURCE_ASYNC
_NARROWEST: Final = 1 / 255  # the formula of eoam_core.compose
# How often the source is asked for its colour space; until then libobs converts what it draws to the old one.
_SPACE_TICKS: Final = 16
# What the picture is drawn in: what its source has, if it is one of these, as OBS's own filters do it.
_SPACES: Final = (ctypes.c_int * 3)(libobs.GS_CS_SRGB, libobs.GS_CS_SRGB_16F, libobs.GS_CS_709_EXTENDED)

_reported_names: Final[set[str]] = set()


@dataclass
class _Counts:
    """What a filter has done since it started, for one line in the log when it stops."""

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

    The methods are called by libobs from several threads: `render` and `update` on the graphics thread, `suspend` and
    `resume` on the UI thread, `destroy` on any. They take no lock, since a lock held while libobs waits for its own
    would be a deadlock; each field has one writer, or is swapped as a whole.
    """

    def __init__(self, obs: LibObs, source: int, values: Mapping[str, object], defaults: Settings) -> None:
        self._obs = obs
        self._source = source
        self._defaults = defaults
        self._settings = defaults
        self._suspended = False
        self._problem = ""
        self._last_error = ""
        self._size = (0, 0)
        self._parent = self._parent_flags = 0
        self.space = libobs.GS_CS_SRGB  # the colour space that `render` draws in
        self._frame_time = 0
        self._counts = _Counts()
        self._since = 0  # mattes of older pictures are not used any more
        self._retry_at = 0
        self._matte: Matte | None = None
        self._shown: Canvas | None = None
        self._matting: Matting | None = None
        self._retired: list[Matting] = []
        self._shrinker: Shrinker | None = None
        self._uploaded: object = None  # the mask that is on the GPU
        self._pictures = PictureRing(lambda: Canvas(obs), limit=_PICTURES)
        self._mask = MaskTexture(obs)
        self._effect = MatteEffect(obs)
        self.update(values)

    def update(self, values: Mapping[str, object]) -> None:
        """Take the stored settings; what this version does not know is left alone and logged once."""
        parsed = Settings.from_mapping({**self._defaults.to_mapping(), **values})
        for kind, names in (("unknown", parsed.unknown), ("adjusted", parsed.adjusted)):
            new = sorted(set(names) - _reported_names)
            if new:
                _reported_names.update(new)
                _LOG.warning("settings_%s names=%s", kind, ",".join(new))
        self._settings = parsed.settings
        matting = self._matting
        if matting is not None:
            matting.update_settings(parsed.settings)

    def suspend(self) -> None:
        """Draw nothing and stop the worker until `resume`."""
        self._suspended = True
        self._shown = None
        matting, self._matting = self._matting, None
        if matting is not None:
            matting.close()
        counts, self._counts = self._counts, _Counts()
        if counts.ticks:
            _LOG.info("filter_stopped %s", counts.line())

    def resume(self) -> None:
        """Start again, as if the source had just appeared."""
        self._problem = ""
        self._retry_at = 0
        self._size = (0, 0)
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

    def status(self) -> str:
        """Say in one line: model, milliseconds, frames, last error."""
        matting, matte = self._matting, self._matte
        problem = self._problem or (matting.error if matting is not None else "")
        if self._suspended:
            return "not running: the script is unloaded"
        if problem:
            return f"Nothing is shown. {problem}"
        if matting is None or matte is None:
            return "waiting for the first picture"
        after = f"; last error: {self._last_error}" if self._last_error else ""
        took = f"{matte.timings.total_ms:.1f} ms per mask ({matting.width}x{matting.height})"
        return f"{matting.name}: {took}, {matting.frames} masks{after}"

    def render(self) -> None:
        """Draw the person, or nothing."""
        if self._suspended:
            return
        obs = self._obs
        now = obs.obs_get_video_frame_time()
        # What is drawn here changes the state of the graphics several times; it is saved and restored once.
        obs.gs_blend_state_push()
        encoded_before = obs.gs_framebuffer_srgb_enabled()
        try:
            if now != self._frame_time:
                passed = now - self._frame_time
                paused = passed > _PAUSE_NS
                self._frame_time = now
                self._counts.ticks += 1
                self._counts.nanoseconds += 0 if paused else passed
                if now >= self._retry_at:
                    self._advance(now, passed, paused=paused)
            self._draw()
        except Exception as error:
            self._fail(error, now)
        finally:
            obs.gs_enable_framebuffer_srgb(encoded_before)
            obs.gs_blend_state_pop()

    def _advance(self, now: int, passed: int, *, paused: bool) -> None:
        obs = self._obs
        self._shown = None
        target = obs.obs_filter_get_target(self._source)
        if not target:
            return
        width, height = obs.obs_source_get_base_width(target), obs.obs_source_get_base_height(target)
        space = self.space
        if self._counts.ticks % _SPACE_TICKS == 1 or (width, height) != self._size:
            space = obs.obs_source_get_color_space(target, len(_SPACES), _SPACES)
        if (width, height) != self._size or space != self.space:
            self._begin(width, height, space, now)
        elif paused:
            self._forget(now)
        matting, shrinker = self._matting, self._shrinker
        if matting is None or shrinker is None:
            return
        in_flight = matting.in_flight
        self._collect(matting, now)
        newest = self._capture(shrinker, target, now, in_flight)
        if self._settings.timing is Timing.SAME_FRAME:
            matting.process_now(now, _SAME_FRAME_TIMEOUT_S)
            self._collect(matting, now)
        else:
            tick = min(max(passed, _TICK_NS[0]), _TICK_NS[1])
            matting.read_later(time.monotonic() + _READ_AFTER * tick / _SECOND)
        self._shown = self._choose(newest, now)

    def _begin(self, width: int, height: int, space: int, now: int) -> None:
        """Start over with a source of another size or colour space; nothing of the old one is used again."""
        self._forget(now)
        self._pictures.destroy()
        self._size = (width, height)
        self.space = space
        self._parent = self._obs.obs_filter_get_parent(self._source) or 0
        self._parent_flags = self._obs.obs_source_get_output_flags(self._parent) if self._parent else 0
        if not width or not height or self._problem:
            self._retire()
            return
        from eoam_core.geometry import network_size

        network_width, network_height = network_size(width, height)
        matting = self._matting
        if matting is not None and (matting.width, matting.height) == (network_width, network_height):
            return
        self._retire()
        try:
            from eoam_obs.matting import Matting
        except Exception as error:  # a library that is missing, or one that is there and does not load
            self._problem = _missing_libraries() or f"A library does not load: {error}"
            _LOG.error("filter_cannot_run problem=%r", self._problem)
            return
        self._shrinker = Shrinker(self._obs, network_width, network_height)
        self._matting = Matting(network_height, network_width, self._settings, self._shrinker)
        if self._suspended:  # on the UI thread, while this thread was busy here
            self._retire()

    def _retire(self) -> None:
        matting, self._matting = self._matting, None
        if matting is not None:
            matting.close_soon()
            self._retired = [*self._retired[-3:], matting]
        shrinker, self._shrinker = self._shrinker, None
        if shrinker is not None:
            shrinker.destroy()

    def _forget(self, now: int) -> None:
        self._since = now
        self._shown = self._matte = None
        shrinker, matting = self._shrinker, self._matting
        if shrinker is not None:
            shrinker.staged = None
        if matting is not None:
            matting.reset()

    def _collect(self, matting: Matting, now: int) -> None:
        """Take the newest mask to the GPU."""
        matte = matting.latest()
        if matte is not None and matte.sequence < self._since:
            matte = None
        if matte is not None and matte.mask is not self._uploaded:
            self._uploaded = None
            self._upload(matte, matting)
            self._uploaded = matte.mask
            self._counts.masks += 1
            self._counts.mask_ms += matte.timings.total_ms
        self._matte = matte
        if matting.error:
            self._last_error = matting.error

    def _upload(self, matte: Matte, matting: Matting) -> None:
        factors = matte.coefficients
        address, rows, columns = (0, 0, 0) if factors is None else (factors.ctypes.data, *factors.shape[:2])
        levels = matte.levels.ctypes.data
        self._mask.upload(levels, matting.width, matting.height, address, columns, rows, fine=True)

    def _capture(self, shrinker: Shrinker, target: int, now: int, in_flight: int | None) -> Canvas:
        """Draw the source into a texture and start shrinking it."""
        obs = self._obs
        # What waits for the worker is not kept: the picture drawn here takes its place.
        picture = self._pictures.next(now, in_flight, self._matte.sequence if self._matte is not None else None)
        width, height = self._size
        picture.begin(width, height, self.space)
        # A camera's frames are copied byte by byte: the shader that draws them decodes the sRGB, and linear light in
        # between would cost a software renderer half of the frame. Layers (scenes, other filters) are blended in linear
        # light. Either is set, not taken over: a screenshot must not see other colours than the programme.
        is_source = target == self._parent
        linear_before = obs.gs_set_linear_srgb(not (is_source and self._parent_flags & libobs.OBS_SOURCE_ASYNC))
        try:
            # Premultiplied afterwards, whatever the source draws: OBS's own filters begin like this.
            obs.gs_blend_function_separate(
                libobs.GS_BLEND_SRCALPHA, libobs.GS_BLEND_INVSRCALPHA, libobs.GS_BLEND_ONE, libobs.GS_BLEND_INVSRCALPHA
            )
            if is_source and not self._parent_flags & _DRAWS_ITSELF:
                obs.obs_source_default_render(target)
            else:
                obs.obs_source_video_render(target)
        finally:
            obs.gs_set_linear_srgb(linear_before)
            picture.end()
        shrinker.stage(picture.texture, width, height, now, encode=self.space != libobs.GS_CS_SRGB)
        return picture

    def _choose(self, newest: Canvas, now: int) -> Canvas | None:
        """Return the picture to show through the mask, or None: then nothing is drawn."""
        matte, timing = self._matte, self._settings.timing
        if matte is None or now - matte.sequence > _STALE_NS[timing]:
            return None
        return newest if timing is Timing.LOW_LATENCY else self._pictures.find(matte.sequence)

    def _draw(self) -> None:
        picture, settings = self._shown, self._settings
        if picture is None or self._suspended:
            return
        half = max(settings.softness, _NARROWEST) / 2
        low, high = settings.threshold - half, settings.threshold + half
        width, height = self._size
        self._effect.draw(
            picture.texture,
            self._mask.texture,
            low,
            high,
            show_mask=settings.view is View.MASK,
            coefficients=self._mask.coefficients,
            refinement=settings.refinement,
            edge_shift=settings.edge_shift,
            width=width,
            height=height,
            mask_size=self._mask.size,
        )

    def _fail(self, error: Exception, now: int) -> None:
        """Draw nothing for a while and start over, with new GPU objects."""
        text = str(error) or type(error).__name__
        if text != self._last_error:
            _LOG.error("render_failed error=%r", error, exc_info=error)
        self._last_error = text
        self._retry_at = now + _RETRY_NS
        self._forget(now)
        self._size = (0, 0)
        self._retire()
        self._free()

    def _free(self) -> None:
        self._shown = self._uploaded = None
        shrinker, self._shrinker = self._shrinker, None
        for part in (self._pictures, self._mask, self._effect, shrinker):
            if part is not None:
                part.destroy()


def _missing_libraries() -> str:
    """Say which libraries are missing and how to install them, or ""."""
    missing = [part for part in check_installation() if not part.ok and part.name != "model"]
    return " ".join(f"{part.name} is missing: {part.remedy}" for part in missing)
