"""Short videos of people before a camera with exact truth for every frame, by group; made anew from fixed seeds.

`greenscreen`: the keyed man of greenscreen_d0 over the test rooms; for final figures only. `val`: validation portraits
moved along smooth paths over the validation rooms; for tuning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.data import DataError, Image, Person, is_uncut, read_cutouts, read_pairs, read_rooms, validation_ids
from models.props import head_box

from .sequence_props import Body, draw_body, hand, microphone, mug, skin_colour
from .sequence_rooms import Ground, panned, shaken, still, tinted, with_screen
from .sequence_scenes import SIZE, Actor, Frame, Place, Scene, Way, cut_out, frozen, hold, rise, shoot, sway, walk

PEOPLE = ("greenscreen", "val")
GROUPS = ("still", "moving", "similar", "poor light", "motion", "occluders", "gaps", "second", "enter", "cut")
COUNT = 36  # frames of a shot


@dataclass(frozen=True, eq=False)
class Sequence:
    """A sequence by name and group. `frames()` makes its frames anew, the same every time.

    `cuts` are the frames that show another scene than the one before; `moves` says that the person moves enough for a
    lag to be seen; `arrival` names who comes and goes: "", "person" or "second".
    """

    name: str
    group: str
    frames: Callable[[], Iterator[Frame]]
    cuts: tuple[int, ...] = ()
    moves: bool = False
    arrival: str = ""


@dataclass(frozen=True)
class Cast:
    """The people and rooms of one kind of `PEOPLE`."""

    actors: list[Actor]
    first: list[Person]  # each actor's first frame
    others: list[Person]  # second people, small whole-body cut-outs
    rooms: list[Image]
    bodies: dict[tuple[int, float], Body] = field(default_factory=dict)

    def body(self, number: int, *, elbows: float = 0.0) -> tuple[Actor, Image]:
        """Return an actor with a drawn body (see draw_body), and the gaps of it."""
        number %= len(self.actors)
        key = number, elbows
        if key not in self.bodies:
            self.bodies[key] = draw_body(self.first[number], elbows=elbows)
        body, actor = self.bodies[key], self.actors[number]
        return lambda t: body.dressed(actor(t)), body.gap

    def actor(self, number: int) -> Actor:
        """Return an actor as photographed."""
        return self.actors[number % len(self.actors)]

    def other(self, number: int) -> Actor:
        """Return a second person, who stands still."""
        person = self.others[number % len(self.others)]
        return lambda _: person

    def room(self, number: int) -> Image:
        """Return a room; the numbers 0 to 12 are spread over all there are, 13 and on fall between."""
        spread = (number + 0.35) * 13 % (13 * 13) / (13 * 13) if number >= 13 else (number + 0.5) / 13
        return self.rooms[int(spread * len(self.rooms)) % len(self.rooms)]


def read_cast(data: Path, people: str) -> Cast:
    """Read the people and rooms. Raises DataError."""
    # Every fifth cut-out from the third on: who is drawn does not depend on how many there are.
    others = [p for p in read_cutouts(data / "cutouts") if p.alpha.shape[0] > 150][2::5]
    if people == "greenscreen":
        frames = read_cutouts(data / "greenscreen_d0")
        around = [*frames, *frames[-2:0:-1]]  # there and back, so that it never jumps
        return Cast([lambda t: around[t % len(around)]], [frames[0]], others, read_rooms(data, "test"))
    if people != "val":
        raise DataError(f"people is {people!r}: choose from {', '.join(PEOPLE)}.")
    portraits = [p for p in read_pairs(data / "eg1800_train", keep=validation_ids(data)) if is_uncut(p)]
    # A person must fill most of the lower edge, or there is nothing to draw a body under.
    wide = [p for p in portraits if float((p.alpha[-8:] > 127).mean()) >= 0.7]
    chosen = [p for p in wide if _saturation(p) > 50][::3]  # no webcam is black and white
    chosen = [replace(p, alpha=_softened(p.alpha)) for p in chosen]
    return Cast([_posing(p) for p in chosen], chosen, others, read_rooms(data, "val"))


def _saturation(person: Person) -> float:
    return float(cv2.cvtColor(person.bgr, cv2.COLOR_BGR2HSV)[..., 1].mean())


def _softened(alpha: Image) -> Image:
    # Hard masks carry a rim of their old background.
    padded = cv2.copyMakeBorder(alpha, 4, 4, 4, 4, cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(cv2.erode(padded, np.ones((3, 3), np.uint8)), (3, 3), 0)
    return np.ascontiguousarray(soft[4:-4, 4:-4], np.uint8)


def _posing(person: Person) -> Actor:
    return lambda _: person


def sequences(data: Path, people: str, groups: tuple[str, ...] = GROUPS) -> list[Sequence]:
    """Return the sequences of some groups. Raises DataError."""
    if unknown := set(groups) - set(GROUPS):
        raise DataError(f"group {sorted(unknown)[0]!r} is unknown: choose from {', '.join(GROUPS)}.")
    cast = read_cast(data, people)
    return [entry for group in groups for entry in _MAKERS[group](cast)]


def _sequence(
    group: str, name: str, scenes: Callable[[Generator], list[tuple[int, Scene]]], **facts: object
) -> Sequence:
    seed = (41, GROUPS.index(group), *name.encode())
    return Sequence(name, group, lambda: shoot(scenes(np.random.default_rng(seed)), seed), **facts)  # type: ignore[arg-type]


def _still(cast: Cast) -> list[Sequence]:
    def make(number: int) -> Sequence:
        actor, x = cast.actor(number), 0.3 + 0.1 * number
        # Every other one holds quite still: what changes in their masks is flicker, at the edges too.
        still_one = number % 2 == 1
        scene = Scene(
            still(cast.room(number), SIZE), frozen(actor) if still_one else actor, hold(x) if still_one else sway(x)
        )
        return _sequence("still", f"still room {number + 1}", lambda _: [(COUNT, scene)])

    return [make(number) for number in range(4)]


def _moving(cast: Cast) -> list[Sequence]:
    def scenes(kind: str, number: int) -> Callable[[Generator], list[tuple[int, Scene]]]:
        def make(rng: Generator) -> list[tuple[int, Scene]]:
            room = cast.room(number)
            ground = {
                "slow pan": lambda: panned(room, SIZE, 2.0, COUNT),
                "fast pan": lambda: panned(room, SIZE, -6.0, COUNT),
                "hand-held": lambda: shaken(room, SIZE, rng, COUNT),
                "screen": lambda: with_screen(room, cast.room(number + 5), SIZE, COUNT),
            }[kind]()
            return [(COUNT, Scene(ground, cast.actor(number), hold(0.45)))]

        return make

    kinds = ("slow pan", "fast pan", "hand-held", "screen")
    return [_sequence("moving", kind, scenes(kind, 4 + i)) for i, kind in enumerate(kinds)]


def _similar(cast: Cast) -> list[Sequence]:
    def make(name: str, number: int, part: Callable[[Person], NDArray[np.float32]]) -> Sequence:
        actor = cast.actor(number)
        colour = part(cast.first[number % len(cast.first)])
        scene = Scene(tinted(cast.room(number), SIZE, colour), actor, sway(0.55))
        return _sequence("similar", name, lambda _: [(COUNT, scene)])

    return [make("wall like the skin", 8, skin_colour), make("wall like the clothes", 9, _clothes_colour)]


def _clothes_colour(person: Person) -> NDArray[np.float32]:
    lower = slice(round(0.92 * person.alpha.shape[0]), None)
    return np.asarray(np.median(person.bgr[lower][person.alpha[lower] > 250], 0), np.float32)


def _poor_light(cast: Cast) -> list[Sequence]:
    def make(number: int, camera: str) -> Sequence:
        scene = Scene(still(cast.room(number), SIZE), frozen(cast.actor(number)), hold(0.5), camera=camera)
        return _sequence("poor light", camera, lambda _: [(COUNT, scene)])

    return [make(8 + i, kind) for i, kind in enumerate(("dark", "noisy", "back-lit", "exposure", "compressed"))]


def _motion(cast: Cast) -> list[Sequence]:
    def make(name: str, number: int, path: Way, ground: Ground) -> Sequence:
        return _sequence("motion", name, lambda _: [(COUNT, Scene(ground, cast.actor(number), path))], moves=True)

    return [
        make("walk", 1, walk(0.1, 0.022), still(cast.room(13), SIZE)),
        make("to and fro", 2, sway(0.5, 0.9, 0.12, 24), still(cast.room(14), SIZE)),
        make("lean", 3, lambda t: Place(0.5, 1.02, 0.95, 16 * np.sin(2 * np.pi * t / 30)), still(cast.room(15), SIZE)),
        make("walk in a pan", 4, walk(0.85, -0.02), panned(cast.room(16), SIZE, 3.0, COUNT)),
    ]


_BODY_HEIGHT = 1.0  # of a person with a drawn body, in frame heights


def _occluders(cast: Cast) -> list[Sequence]:
    def make(name: str, number: int, room: int) -> Sequence:
        actor, _ = cast.body(number)
        path = sway(0.5, _BODY_HEIGHT, 0.006)

        def scenes(rng: Generator) -> list[tuple[int, Scene]]:
            _, alpha = cut_out(actor(0), path(0))
            head = head_box(alpha)
            assert head is not None  # the actor is in the picture
            x, top, width = head
            chin, skin = (x, top + 1.35 * width), skin_colour(cast.first[number % len(cast.first)])
            occluder = {
                "microphone": lambda: microphone(rng, SIZE, chin, width),
                "mug": lambda: mug(rng, SIZE, chin, width, skin, COUNT),
                "hand": lambda: hand(rng, SIZE, chin, width, skin, COUNT),
            }[name.split(",")[0]]()
            return [(COUNT, Scene(still(cast.room(room), SIZE), actor, path, occluder=occluder))]

        return _sequence("occluders", name, scenes)

    names = [(f"{thing}, room {n}", n) for thing in ("microphone", "mug", "hand") for n in (1, 2)]
    return [make(name, i, 17 + i) for i, (name, _) in enumerate(names)]


def _gaps(cast: Cast) -> list[Sequence]:
    def make(name: str, number: int, elbows: float, ground: Ground, path: Way) -> Sequence:
        actor, gap = cast.body(number, elbows=elbows)
        return _sequence("gaps", name, lambda _: [(COUNT, Scene(ground, actor, path, gap))])

    height = _BODY_HEIGHT
    clothes = _clothes_colour(cast.first[2 % len(cast.first)])
    return [
        make("arms on hips", 0, 0.36, still(cast.room(23), SIZE), sway(0.5, height)),
        make("arms on hips, moving", 1, 0.36, still(cast.room(24), SIZE), sway(0.5, height, 0.06, 40)),
        make("wide", 4, 0.6, still(cast.room(24), SIZE), sway(0.5, height)),
        make("wide, pan", 3, 0.6, panned(cast.room(25), SIZE, 2.5, COUNT), sway(0.45, height)),
        make("wide, wall like the clothes", 2, 0.6, tinted(cast.room(26), SIZE, clothes), sway(0.55, height)),
    ]


def _second(cast: Cast) -> list[Sequence]:
    def make(name: str, number: int, other: int, path: Way) -> Sequence:
        actor = cast.body(number)[0]
        scene = Scene(
            still(cast.room(27 + number), SIZE),
            actor,
            sway(0.33, 0.95),
            second=(cast.other(other), path),
        )
        return _sequence("second", name, lambda _: [(COUNT, scene)])

    return [
        make("beside", 0, 0, sway(0.8, 0.95)),
        make("at the back", 1, 3, lambda t: Place(0.78, 0.98, 0.55 + 0.002 * t)),
        make("small and near the limit", 2, 6, lambda t: Place(0.8, 0.9, 0.34 + 0.06 * np.sin(t / 5.0))),
    ]


def _enter(cast: Cast) -> list[Sequence]:
    ground = still(cast.room(30), SIZE)
    other = cast.other(9)
    seated = Scene(
        still(cast.room(32), SIZE),
        cast.actor(4),
        sway(0.3),
        second=(other, rise(0.8, 0.9, 10, 34)),
    )
    return [
        _sequence(
            "enter",
            "stands up and sits down",
            lambda _: [(52, Scene(ground, cast.actor(5), rise(0.5, 0.9, 12, 34)))],
            arrival="person",
        ),
        _sequence(
            "enter",
            "walks through",
            lambda _: [(60, Scene(still(cast.room(31), SIZE), cast.actor(6), walk(-0.35, 0.031)))],
            arrival="person",
        ),
        _sequence("enter", "a second one comes and goes", lambda _: [(52, seated)], arrival="second"),
    ]


def _cut(cast: Cast) -> list[Sequence]:
    def scene(room: int, actor: int, x: float, height: float = 0.9) -> Scene:
        return Scene(still(cast.room(room), SIZE), cast.actor(actor), sway(x, height))

    away = replace(scene(35, 3, 0.5), path=lambda _: Place(0.5, 3.0, 0.9))  # nobody: far below the picture
    shots = {
        "another scene": [(14, scene(33, 0, 0.25)), (10, scene(34, 1, 0.75))],
        "the camera jumps": [(14, scene(34, 2, 0.7)), (10, replace(scene(34, 2, 0.3, 0.75)))],
        "to an empty room": [(14, scene(36, 3, 0.5)), (10, away)],
    }

    def make(name: str, parts: list[tuple[int, Scene]]) -> Sequence:
        return _sequence("cut", name, lambda _: parts, cuts=(parts[0][0],))

    return [make(name, parts) for name, parts in shots.items()]


_MAKERS: dict[str, Callable[[Cast], list[Sequence]]] = {
    "still": _still,
    "moving": _moving,
    "similar": _similar,
    "poor light": _poor_light,
    "motion": _motion,
    "occluders": _occluders,
    "gaps": _gaps,
    "second": _second,
    "enter": _enter,
    "cut": _cut,
}
