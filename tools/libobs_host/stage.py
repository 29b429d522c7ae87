"""Set up a session's scene: a camera that libobs draws, the filter on it, and access to the filter's state."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping
from ctypes import c_bool, c_char_p
from ctypes import c_void_p as Pointer
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eoam_core.pictures.picture import BackgroundPicture
from eoam_core.settings import Settings
from eoam_obs.source import source_type
from eoam_obs.source.instances import INSTANCES, Instance
from tools.libobs_host import camera, check
from tools.libobs_host.cases import Case, complete
from tools.libobs_host.host import LIMIT_S, Host, HostError
from tools.libobs_host.script import Script

Bytes = NDArray[np.uint8]

# The first ones after a change may be of the settings before it.
_FIRST_MASKS: Final = 6
_SAME_IN_A_ROW: Final = 4


class Stage:
    """A camera in libobs with our filter on it, or, to compare, without."""

    def __init__(self, host: Host, folder: Path, *, with_filter: bool) -> None:
        self.host = host
        self.folder = folder
        camera.register(host)
        self.script = Script(host)
        self.script.load()
        self.camera = camera.Camera(host)
        host.show(self.camera.source)
        self.filter = 0
        if with_filter:
            self.add_filter()

    @property
    def version(self) -> str:
        """libobs's version."""
        text: bytes = self.host.function("obs_get_version_string", c_char_p)()
        return text.decode()

    @property
    def instance(self) -> Instance:
        """The filter's Python side."""
        (found,) = INSTANCES.values()
        return found

    @property
    def live(self) -> Any:
        """The object that draws; what it has inside is looked at here to know what it should have drawn."""
        return self.instance.video_filter

    def add_filter(self, **settings: object) -> None:
        """Put a new filter on the camera."""
        self.filter = self.host.make_source(source_type.FILTER_ID, "EOAM", **settings)
        self.host.function("obs_source_filter_add", None, Pointer, Pointer)(self.camera.source, self.filter)

    def remove_filter(self) -> None:
        """Remove and release the filter."""
        self.host.function("obs_source_filter_remove", None, Pointer, Pointer)(self.camera.source, self.filter)
        self.host.function("obs_source_release", None, Pointer)(self.filter)
        self.filter = 0
        self.host.wait(lambda: not INSTANCES, "the end of the filter")

    def give(self, picture: Bytes) -> None:
        """Show the camera a picture, (h, w, 4) uint8 BGRA, and wait until it has its size."""
        height, width = picture.shape[:2]
        self.camera.give(picture)
        self.host.wait(lambda: self.camera.size() == (width, height), f"a camera of {width}x{height}")

    def update(self, values: Mapping[str, object]) -> None:
        """Change settings through libobs, as a panel does."""
        data = self.host.make_data(dict(values))
        self.host.function("obs_source_update", None, Pointer, Pointer)(self.filter, data)
        self.host.function("obs_data_release", None, Pointer)(data)

    def choose(self, case: Case) -> Settings:
        """Apply a case, wait until the filter uses it, and return the effective settings."""
        wanted = complete(case)
        preset = wanted["preset"]
        self.update({**wanted, "preset": "custom"})
        self._wait_for({**wanted, "preset": "custom"})
        if preset != "custom":
            self.update({"preset": preset})
            self.host.wait(lambda: self._stored().preset.value == preset, f"the preset {preset}")
        acting: Settings = self.live._settings
        return acting

    def _wait_for(self, wanted: Mapping[str, object]) -> None:
        def is_so() -> bool:
            return self._stored().to_mapping() == Settings.validated(**wanted).to_mapping()

        self.host.wait(is_so, f"the filter's taking of {dict(wanted)}")

    def _stored(self) -> Settings:
        stored = self.instance.stored
        assert stored is not None
        return stored.settings

    def settle(self) -> None:
        """Wait until the filter runs and the mask of a still picture no longer changes."""
        masks: dict[int, Bytes] = {}

        def rests() -> bool:
            matte = self.live._matte
            if matte is None or source_type.states()[0][1].kind != "running":
                return False
            masks.setdefault(matte.sequence, matte.mask)
            last = list(masks.values())[-_SAME_IN_A_ROW:]
            return len(masks) > _FIRST_MASKS and all(np.array_equal(mask, last[0]) for mask in last)

        self.host.wait(rests, f"a mask that has settled ({source_type.states()[0][1]})")

    def drawn(self) -> tuple[Bytes, Any]:
        """Return what libobs draws of the camera, (h, w, 4) uint8 BGRA, and the matte that was used, at one moment."""
        width, height = self.camera.size()
        with self.host.graphics():
            found = self.host.grab(self.camera.source, width, height)
            return found, self.live._matte

    def drawn_like_the_reference(
        self, picture: Bytes, settings: Settings, behind: BackgroundPicture | None
    ) -> tuple[Bytes, check.Difference]:
        """Wait until what is drawn is what the CPU makes of the same picture and matte; else the last difference.

        It waits, since a background picture is read on a thread of its own.
        """
        height, width = picture.shape[:2]
        ground = behind.at(height=height, width=width) if behind is not None else None
        ends = time.monotonic() + LIMIT_S / 4
        while True:
            found, matte = self.drawn()
            if matte is not None:
                wanted = check.reference(picture, matte, settings, ground)
                difference = check.compare(found, wanted, settings)
                if difference.is_small or time.monotonic() > ends:
                    return found, difference
            elif time.monotonic() > ends:
                raise HostError(f"There was no mask: {source_type.states()[0][1]}")
            self.host.wait_frames(3)

    def close(self) -> int:
        """End everything and return what libobs has not freed."""
        if self.filter:
            self.remove_filter()
        self.script.unload()
        self.script.close()
        self.host.show(None)
        self.camera.close()
        return self.host.stop()

    def property_names(self, properties: int) -> list[str]:
        """Return the names of an obs_properties and free it."""
        f = self.host.function
        names = []
        item = Pointer(f("obs_properties_first", Pointer, Pointer)(properties))
        while item.value:
            names.append(f("obs_property_name", c_char_p, Pointer)(item).decode())
            if not f("obs_property_next", c_bool, Pointer)(ctypes.addressof(item)):
                break
        f("obs_properties_destroy", None, Pointer)(properties)
        return names
