"""Make one training sample: a portrait as photographed, people composited into a room, or an empty room.

Portraits alone teach "the middle is a person": a quarter of an empty room is then called person. Composition prevents
that. Everything is OpenCV on uint8, a few milliseconds a sample on one core. All random numbers come from one
generator, so a batch is a function of (seed, batch number) alone and a run can be resumed exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .data import DataError, Image, Person, TrainingSet, is_uncut
from .posters import add_poster
from .props import (
    add_bars,
    add_chair,
    add_clutter,
    add_furniture,
    add_headphones,
    add_lookalike,
    add_microphone,
    skin_or_wood,
)
from .recolour import recolour

KINDS = ("portrait", "street", "mixed", "composite", "empty", "pack")


@dataclass(frozen=True, kw_only=True)
class MixConfig:
    """Shares of the kinds of sample, as weights; each of the two by the shape of the batch (upright/square or wide)."""

    portrait: float = 0.50  # EG1800 as photographed
    street: float = 0.07  # ccp_upper as photographed: hair, bags, street
    mixed: float = 0.06  # groups, children; machine-made masks, so few
    composite: float = 0.29  # somebody in a room
    empty: float = 0.11  # nobody in a room
    wide_portrait: float = 0.15
    wide_street: float = 0.05
    wide_mixed: float = 0.05
    wide_composite: float = 0.62
    wide_empty: float = 0.16
    # Shares of the composites with something in them, and of all samples taken in the dark.
    headphones: float = 0.08
    microphone: float = 0.10
    chair: float = 0.18
    far: float = 0.15
    clutter: float = 0.50  # of all rooms, empty ones included
    plain: float = 0.10  # of all rooms: a painted or lit wall, missing in the pictures of rooms
    dark: float = 0.07
    # Of all rooms: dark, rounded things as large as somebody. Not in the validation's rooms, so off unless asked for.
    furniture: float = 0.0
    # Of the portraits: as photographed, but in front of a room. This is the only way to see a person cut by the frame
    # against another background, because people put into rooms elsewhere must not be cut.
    swap: float = 0.0
    bars: float = 0.0  # of all samples: bars beside, or above and below, a picture of another shape
    lookalike: float = 0.20  # of the composites: a structure behind the person in the person's own colours
    # All of these are off by default, as in the runs before they existed.
    pack: float = 0.0  # people_pd and people_open as photographed; needs `--with people_pd people_open`
    wide_pack: float = 0.0
    recolour: float = 0.0  # of all samples with a person: other clothes, sometimes dyed hair
    very_dark: float = 0.0  # of all samples: a twentieth to a quarter of the light, and the sensor's noise
    turned: float = 0.0  # of all samples: turned by 90 or 270 degrees
    posters: float = 0.0  # of all rooms: one or two photographs of people on the wall or a screen

    @classmethod
    def from_dict(cls, values: dict[str, float]) -> MixConfig:
        """Build the mix that a checkpoint was trained with; later additions had no share in it."""
        return cls(**{"lookalike": 0.0, **values})

    def with_shares(self, shares: Iterable[str]) -> MixConfig:
        """Return the mix with some shares replaced; each of `shares` reads `NAME=SHARE`. Raises `DataError`."""
        values = self.to_dict()
        for share in shares:
            name, _, text = share.partition("=")
            if name not in values:
                raise DataError(f"--mix {share}: there is no share of that name (there are {', '.join(values)}).")
            try:
                values[name] = float(text)
            except ValueError:
                values[name] = math.nan
            if not 0 <= values[name] <= 1:
                raise DataError(f"--mix {share}: need {name}= and a share from 0 to 1.")
        mix = MixConfig(**values)
        for wide in (False, True):
            names = mix.kinds(wide=wide)
            if not any(values[name] for name in names):
                raise DataError(f"--mix leaves no sample of one shape: {', '.join(names)} are all 0.")
        return mix

    def to_dict(self) -> dict[str, float]:
        """Return the fields as a plain dictionary, for a checkpoint's metadata."""
        return asdict(self)

    def weights(self, *, wide: bool) -> np.ndarray:
        """Return the shares of the kinds, normalised, in the order of `KINDS`."""
        values = np.array([getattr(self, name) for name in self.kinds(wide=wide)])
        return np.asarray(values / values.sum())

    @staticmethod
    def kinds(*, wide: bool) -> list[str]:
        """Return the names of the kinds' shares, in that order."""
        return [("wide_" if wide else "") + name for name in KINDS]


class SampleMaker:
    """Draw samples from a training set; stateless apart from the data, so every worker process can have one."""

    def __init__(self, data: TrainingSet, mix: MixConfig):
        if (mix.pack or mix.wide_pack) and not data.packs:
            raise DataError("--mix pack needs people of that kind: say --with people_pd people_open, or pack=0.")
        self.data = data
        self.mix = mix
        self.photographs = {"portrait": data.portraits, "street": data.street, "mixed": data.mixed, "pack": data.packs}
        self.rooms = [rooms for rooms in (data.rooms, data.hard_rooms, data.plain_rooms) if rooms]
        # Drawing 150,000 normal numbers costs more than the network's share of a sample: one tile, shifted at random.
        # A head cut off by the photograph must not float in a room; faces at the frame's edge are learnt elsewhere.
        self.seated = [p for p in (*data.portraits, *data.packs) if is_uncut(p)] or data.portraits
        self.noise = np.random.default_rng(0).normal(0, 1, (512, 512, 3)).astype(np.float32)

    def batch(self, seed: int, index: int, size: tuple[int, int], count: int) -> tuple[Image, Image]:
        """Return `(count, h, w, 3)` BGR and `(count, h, w)` alpha, both uint8, for batch `index` of run `seed`."""
        rng = np.random.default_rng((seed, index))
        frames = np.empty((count, *size, 3), np.uint8)
        alphas = np.empty((count, *size), np.uint8)
        for i in range(count):
            frames[i], alphas[i] = self.sample(rng, size)
        return frames, alphas

    def sample(self, rng: Generator, size: tuple[int, int]) -> tuple[Image, Image]:
        """Return one sample: BGR `(h, w, 3)` and alpha `(h, w)`."""
        if self.mix.turned and rng.random() < self.mix.turned:
            frame, alpha = self.upright(rng, size[::-1])
            quarters = (1, 3)[rng.integers(2)]
            return np.rot90(frame, quarters), np.rot90(alpha, quarters)
        return self.upright(rng, size)

    def upright(self, rng: Generator, size: tuple[int, int]) -> tuple[Image, Image]:
        """Return one sample that is not turned: BGR `(h, w, 3)` and alpha `(h, w)`."""
        height, width = size
        kind = KINDS[rng.choice(len(KINDS), p=self.mix.weights(wide=width > 1.2 * height))]
        if kind in self.photographs:
            people = self.photographs[kind]
            person = people[rng.integers(len(people))]
            if self.mix.swap and kind in ("portrait", "pack") and rng.random() < self.mix.swap:
                frame, alpha = self.swapped(rng, person, size)
            else:
                frame, alpha = photographed(rng, person, size)
            frame = self.redressed(rng, frame, alpha)
        else:
            frame = self.room(rng, size)
            alpha = np.zeros(size, np.uint8)
            if kind == "composite":
                frame, alpha = self.add_person(rng, frame, alpha)
                frame = self.redressed(rng, frame, alpha)
                if rng.random() < self.mix.headphones:
                    frame, alpha = add_headphones(rng, frame, alpha)
                if self.mix.lookalike and rng.random() < self.mix.lookalike:
                    frame = add_lookalike(rng, frame, alpha)
                if rng.random() < self.mix.chair:
                    frame = add_chair(rng, frame, alpha)
                if rng.random() < 0.15:
                    frame, alpha = self.add_person(rng, frame, alpha)
        if kind in ("portrait", "composite", "pack") and rng.random() < self.mix.microphone:
            frame, alpha = add_microphone(rng, frame, alpha)
        if rng.random() < 0.5:
            frame, alpha = frame[:, ::-1], alpha[:, ::-1]
        frame, alpha = self.degrade(rng, np.ascontiguousarray(frame)), np.ascontiguousarray(alpha)
        if self.mix.bars and rng.random() < self.mix.bars:
            add_bars(rng, frame, alpha)
        return frame, alpha

    def redressed(self, rng: Generator, frame: Image, alpha: Image) -> Image:
        """Return the picture, in some cases with the person in other colours."""
        if self.mix.recolour and rng.random() < self.mix.recolour:
            return recolour(rng, frame, alpha)
        return frame

    def any_room(self, rng: Generator) -> Image:
        """Return a whole picture of a room; each kind of rooms is drawn equally often, however many it has."""
        rooms = self.rooms[rng.integers(len(self.rooms)) if len(self.rooms) > 1 else 0]
        return rooms[rng.integers(len(rooms))]

    def with_posters(self, rng: Generator, frame: Image) -> Image:
        """Return the room, in some cases with photographs of people in it."""
        if self.mix.posters and rng.random() < self.mix.posters:
            people = self.data.packs if self.data.packs and rng.random() < 0.5 else self.data.portraits
            for _ in range(int(rng.integers(1, 3))):
                frame = add_poster(rng, frame, people[rng.integers(len(people))])
        return frame

    def swapped(self, rng: Generator, person: Person, size: tuple[int, int]) -> tuple[Image, Image]:
        """Return a portrait framed as photographed, in front of a room: BGR `(h, w, 3)` and alpha `(h, w)`."""
        bgr, cover = photographed(rng, replace(person, soft=None), size)
        bgr = tone(rng, bgr, 0.2) if rng.random() < 0.5 else bgr
        alpha = hard_to_soft(cover)
        frame = paste(self.room(rng, size), bgr, alpha)
        if self.mix.lookalike and rng.random() < self.mix.lookalike:
            frame = add_lookalike(rng, frame, alpha)
        return frame, alpha

    def room(self, rng: Generator, size: tuple[int, int]) -> Image:
        """Return a random part of a random room, `size` large."""
        height, width = size
        if rng.random() < self.mix.plain:
            return self.plain_wall(rng, size)
        room = self.any_room(rng)
        cover = max(height / room.shape[0], width / room.shape[1])
        scale = cover * rng.uniform(1.0, 1.8)
        slack_x, slack_y = room.shape[1] * scale - width, room.shape[0] * scale - height
        stretch = rng.uniform(1.0, 1.15)
        matrix = np.array(
            [[scale * stretch, 0, -rng.uniform(0, 1) * slack_x], [0, scale, -rng.uniform(0, 1) * slack_y]], np.float32
        )
        frame = warp(room, matrix, size, border=cv2.BORDER_REFLECT_101)
        for _ in range(int(rng.integers(1, 4)) if rng.random() < self.mix.clutter else 0):
            frame = add_clutter(rng, frame, self.any_room(rng))
        if self.mix.furniture and rng.random() < self.mix.furniture:
            frame = add_furniture(rng, frame, self.any_room(rng))
        frame = self.with_posters(rng, frame)
        if rng.random() < 0.35:  # a camera focused on the person blurs the background
            sigma = rng.uniform(0.5, 3.0)
            frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), sigma), np.uint8)
        return tone(rng, frame, 0.25)

    def plain_wall(self, rng: Generator, size: tuple[int, int]) -> Image:
        """Return a wall of one colour, unevenly lit, with a few coloured things on it."""
        height, width = size
        colour = skin_or_wood(rng) if rng.random() < 0.3 else rng.uniform(0, 255, 3)
        corners = colour + rng.normal(0, 25, (2, 2, 3))
        colours = cv2.resize(corners.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        frame: Image = np.clip(colours, 0, 255).astype(np.uint8)
        for _ in range(int(rng.integers(0, 6))):
            frame = add_clutter(rng, frame, self.any_room(rng))
        return self.with_posters(rng, frame)

    def add_person(self, rng: Generator, frame: Image, alpha: Image) -> tuple[Image, Image]:
        """Composite one person: mostly seated, on the lower edge; sometimes far, off-centre, cropped."""
        height, width = alpha.shape
        pick = rng.random()
        people = self.seated if pick < 0.62 else self.data.street if pick < 0.80 else self.data.cutouts
        person = people[rng.integers(len(people))]
        rows, columns = np.nonzero(person.alpha.max(1) > 127)[0], np.nonzero(person.alpha.max(0) > 127)[0]
        if not len(rows):
            return frame, alpha
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        whole_body = people is self.data.cutouts
        # The person's height in frame heights. A whole body is mostly enlarged until the frame cuts it at the chest.
        share = rng.uniform(0.8, 2.6) if whole_body else rng.uniform(0.40, 1.25)
        if not whole_body and rng.random() < self.mix.far:
            share = rng.uniform(0.2, 0.45)
        scale = share * height / (bottom - top)
        if (right - left) * scale > 1.3 * width:
            scale = 1.3 * width / (right - left)
        head = rng.uniform(0.02, 0.45) * height  # where the top of the head comes, for bodies that are cut anyway
        y = head if whole_body and share > 1 else height - (bottom - top) * scale + rng.uniform(0, 0.1) * height
        if not whole_body and rng.random() < 0.15:
            y += rng.uniform(0, 0.3) * height  # sunk below the edge: only head and shoulders
        x = width * np.clip(rng.normal(0.5, 0.22), 0.0, 1.0) - (right - left) * scale / 2
        stretch = rng.uniform(0.9, 1.1)
        angle = np.deg2rad(rng.normal(0, 5))
        linear = scale * np.array([[np.cos(angle) * stretch, -np.sin(angle)], [np.sin(angle) * stretch, np.cos(angle)]])
        anchor = np.array([(left + right) / 2, bottom if y + (bottom - top) * scale >= height else top], float)
        target = np.array([x + (right - left) * scale / 2, y + (anchor[1] - top) * scale])
        matrix = np.column_stack([linear, target - linear @ anchor]).astype(np.float32)
        colours = tone(rng, person.bgr, 0.2) if rng.random() < 0.5 else person.bgr
        bgr = warp(colours, matrix, (height, width), border=cv2.BORDER_REPLICATE)
        cover = warp(person.alpha, matrix, (height, width), border=cv2.BORDER_CONSTANT)
        if not whole_body:
            cover = hard_to_soft(cover)
        return paste(frame, bgr, cover), np.maximum(alpha, cover)

    def degrade(self, rng: Generator, frame: Image) -> Image:
        """Degrade the picture as cameras, rooms and drivers do: tone, blur, noise, compression, light from behind."""
        height, width = frame.shape[:2]
        frame = tone(rng, frame, 0.30)
        if rng.random() < 0.15:
            frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), rng.uniform(0.4, 1.4)), np.uint8)
        elif rng.random() < 0.15:
            small = cv2.resize(frame, None, fx=(f := rng.uniform(0.4, 0.8)), fy=f, interpolation=cv2.INTER_AREA)
            frame = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        if rng.random() < 0.12:  # a lamp or a window: a bright or dark gradient over the picture
            direction = rng.uniform(-1, 1, 2)
            ramp = np.linspace(-1, 1, width)[None] * direction[0] + np.linspace(-1, 1, height)[:, None] * direction[1]
            gain = (1 + 0.5 * ramp).astype(np.float32)
            frame = cv2.convertScaleAbs(frame * gain[..., None])
        dark = rng.random() < self.mix.dark
        if dark:
            ramp = np.linspace(0, 1, 256) ** rng.uniform(1.0, 1.8) * rng.uniform(0.12, 0.45)
            frame = np.asarray(cv2.LUT(frame, (ramp * 255).astype(np.uint8)), np.uint8)
        if dark or rng.random() < 0.35:
            y, x = rng.integers(0, 512 - height), rng.integers(0, 512 - width)
            tile = self.noise[y : y + height, x : x + width]
            frame = np.clip(frame + tile * rng.uniform(1, 12), 0, 255).astype(np.uint8)
        if self.mix.very_dark and rng.random() < self.mix.very_dark and not dark:
            frame = self.underexposed(rng, frame)
        if rng.random() < 0.20:
            _, coded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 85))])
            frame = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
        return frame

    def underexposed(self, rng: Generator, frame: Image) -> Image:
        """Return the picture at a quarter to a twentieth of the light: dark or brightened, noisy, tinted."""
        height, width = frame.shape[:2]
        light = np.exp(rng.uniform(np.log(0.05), np.log(0.25)) + rng.normal(0, 0.1, 3))
        y, x = rng.integers(0, 512 - height), rng.integers(0, 512 - width)
        seen: NDArray[np.floating[Any]] = np.multiply(frame, light.astype(np.float32))
        # The sensor's own noise and the photons', which grows with the root of their number.
        noise = rng.uniform(0.3, 1.5) + rng.uniform(0, 0.4) * np.sqrt(seen)
        gain = rng.uniform(1.5, 4) if rng.random() < 0.6 else 1.0
        seen = np.round(seen + self.noise[y : y + height, x : x + width] * noise) * gain
        return np.asarray(np.clip(seen, 0, 255), np.uint8)


def hard_to_soft(cover: Image) -> Image:
    """Cut off the rim of old background in a hand-drawn mask, or the network would learn the rim."""
    return np.asarray(cv2.GaussianBlur(cv2.erode(cover, np.ones((3, 3), np.uint8)), (3, 3), 0), np.uint8)


def paste(room: Image, bgr: Image, cover: Image) -> Image:
    """Return `bgr` blended over `room` with the opacity `cover`, 255 = opaque."""
    weight = (cover.astype(np.float32) / 255)[..., None]
    return np.asarray(cv2.convertScaleAbs(room + (bgr.astype(np.float32) - room) * weight), np.uint8)


def photographed(rng: Generator, person: Person, size: tuple[int, int]) -> tuple[Image, Image]:
    """Return a whole photograph fitted to `size`, moved, turned, zoomed and stretched a little."""
    height, width = size
    h, w = person.alpha.shape
    if width > 1.2 * height:
        # Fill the wide frame; a portrait's lower part falls off, as with a person close to a webcam.
        scale_x = scale_y = max(width / w, height / h) * rng.uniform(1.0, 1.3)
        origin_y = -(rng.uniform(0, 1) ** 1.5) * (h * scale_y - height)
        origin_x = -rng.uniform(0, 1) * (w * scale_x - width)
        linear = np.diag([scale_x, scale_y])
        offset = np.array([origin_x, origin_y])
    else:
        zoom = rng.uniform(0.92, 1.5) if rng.random() < 0.85 else rng.uniform(0.6, 0.92)
        stretch = rng.uniform(0.87, 1.15)
        linear = np.diag([width / w * zoom * stretch, height / h * zoom / stretch])
        if rng.random() < 0.4:
            angle = np.deg2rad(rng.normal(0, 12))
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            linear = turn @ linear
        # Zoomed in, any part may show; zoomed out, the body goes on to the lower edge (else its smeared border would).
        shift_x = rng.uniform(-1, 1) * (abs(zoom - 1) / 2 + 0.04)
        shift_y = rng.uniform(-1, 1) * (zoom - 1) / 2 if zoom > 1 else (1 - zoom) / 2
        centre = np.array([width * (0.5 + shift_x), height * (0.5 + shift_y)])
        offset = centre - linear @ np.array([w / 2, h / 2])
    matrix = np.column_stack([linear, offset]).astype(np.float32)
    alpha = warp(person.target, matrix, size, border=cv2.BORDER_REPLICATE)
    return warp(person.bgr, matrix, size, border=cv2.BORDER_REPLICATE), alpha


def warp(picture: Image, matrix: np.ndarray, size: tuple[int, int], *, border: int) -> Image:
    """Warp to `(h, w)` = `size`; shrinks in steps of two first, since a bilinear warp alone would alias."""
    shrink = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    while shrink < 0.6:
        h, w = picture.shape[:2]
        halved = cv2.resize(picture, (max(w // 2, 1), max(h // 2, 1)), interpolation=cv2.INTER_AREA)
        picture = np.asarray(halved, np.uint8)
        factor = np.array([w / picture.shape[1], h / picture.shape[0]], np.float32)
        matrix = matrix.copy()
        matrix[:, :2] *= factor
        shrink *= 2
    return np.asarray(
        cv2.warpAffine(picture, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR, borderMode=border), np.uint8
    )


def tone(rng: Generator, frame: Image, strength: float) -> Image:
    """Change gamma, contrast, brightness, white balance and saturation by up to about `strength`."""
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    gamma = np.exp(rng.normal(0, strength * 0.9))
    gain = np.exp(rng.normal(0, strength * 0.5) + rng.normal(0, strength * 0.25, 3)).astype(np.float32)
    curve = (ramp**gamma - 0.5) * gain + 0.5 + rng.normal(0, strength * 0.2)
    table = np.clip(curve * 255, 0, 255).astype(np.uint8).reshape(1, 256, 3)
    frame = np.asarray(cv2.LUT(frame, table), np.uint8)
    if rng.random() < 0.4:
        grey = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        keep = float(np.clip(rng.normal(1, strength * 1.5), 0, 1.6))
        frame = np.asarray(cv2.addWeighted(frame, keep, grey, 1 - keep, 0), np.uint8)
    return frame
