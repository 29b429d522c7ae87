"""Draw what each setting of the mask does, one picture per setting, from pictures that anybody may publish.

    python -m evaluation.setting_pictures docs/pictures

NASA's portrait of Eileen Collins (public domain, from scikit-image), cut out by this project's network and put into a
drawn room, alone, as three people, and with a drawn body whose arms leave gaps and a mug before it. Her backgrounds are
in the public domain as well, and in scikit-image: SpaceX's launch site by night and NASA's Hubble deep field.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from eoam_core import Cutter, OnnxSegmenter, Settings, default_model_path
from eoam_core.compose import compose_frame
from eoam_core.edge import picture_alpha
from eoam_core.errors import EoamError
from eoam_core.geometry import network_size
from eoam_core.pictures.picture import BackgroundPicture
from eoam_core.refine import Refiner, fine_levels
from eoam_core.settings import Detail, Turn
from models.data import DataError, Image, Person
from models.networks import bgra, shrink

from .filmstrip import over_colour
from .over_time import INPUT, cut_mask
from .sequence_methods import our_filter
from .sequence_props import draw_body, mug
from .sequence_scenes import SIZE, Frame, Scene, cut_out, frozen, hold, shoot, walk

_FRAMES = 24  # for what decides over time to settle
_LABEL = 26  # rows
_STRIDE = 0.012  # of the frame's width per frame: at 30 frames a second somebody who crosses it in three seconds


def portrait(model: Path) -> Person:
    """Return the astronaut with the alpha that the filter gives her."""
    from skimage import data

    bgr = np.ascontiguousarray(np.asarray(data.astronaut())[..., ::-1], np.uint8)  # type: ignore[no-untyped-call]
    width, height = network_size(*bgr.shape[1::-1])
    picture = bgra(bgr)[0]
    small = np.ascontiguousarray(shrink(picture, (height, width)))
    mask = OnnxSegmenter(model, width=width, height=height).segment(small)
    alpha = picture_alpha(picture, mask, Settings(), Refiner().coefficients(mask, small))
    # The flag and the model of the shuttle beside her are cut away by hand: the largest region alone is she.
    regions, _ = cv2.findContours((alpha > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    inside = np.zeros_like(alpha)
    cv2.drawContours(inside, [max(regions, key=cv2.contourArea)], -1, 255, cv2.FILLED)
    alpha = np.minimum(alpha, cv2.dilate(inside, np.ones((9, 9), np.uint8)))
    return Person(bgr, np.asarray(alpha, np.uint8))


def room() -> Image:
    """Return a drawn room: a wall in evening light, a shelf with books, a window."""
    height, width = SIZE
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    picture = np.array([150, 165, 170], np.float32) * (0.75 + 0.35 * x) * np.ones((height, 1, 1), np.float32)
    picture = np.ascontiguousarray(picture, np.float32)
    cv2.rectangle(picture, (30, 40), (170, 190), (225, 215, 190), -1)
    for line in ((100, 40, 100, 190), (30, 115, 170, 115)):
        cv2.line(picture, line[:2], line[2:], (120, 130, 140), 5)
    rng = np.random.default_rng(5)
    left = 440
    while left < 620:
        wide, tall = int(rng.integers(8, 18)), int(rng.integers(40, 66))
        colour = tuple(float(v) for v in rng.uniform(40, 170, 3))
        cv2.rectangle(picture, (left, 150 - tall), (left + wide, 150), colour, -1)
        left += wide + 2
    cv2.rectangle(picture, (430, 150), (630, 158), (60, 85, 110), -1)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def checkerboard() -> Image:
    """Return what picture editors show where nothing is, `(360, 640, 3)`."""
    y, x = np.indices(SIZE) // 20
    return np.repeat(np.where((x + y) % 2, np.uint8(204), np.uint8(250))[..., None], 3, 2)


def behind(name: str) -> Image:
    """Return one of scikit-image's pictures, cut to the frame as a background picture is, `(360, 640, 3)` BGR."""
    from skimage import data

    path = Path(data.__file__).parent / name
    return BackgroundPicture(path).at(height=SIZE[0], width=SIZE[1])


class Stage:
    """Frames of one scene with the masks that the filter is given, `size` being the network's input (h, w)."""

    def __init__(self, frames: list[Frame], mask: Callable[[Frame], Image], size: tuple[int, int] = INPUT) -> None:
        self._size = size
        self._shots = [(bgra(shrink(f.bgr, size))[0], mask(f), f.bgr) for f in frames]

    def alphas(self, settings: Settings) -> list[Image]:
        """Return what is shown with some settings, frame by frame."""
        step = our_filter(settings, size=self._size)()
        return [step(small, mask, picture) for small, mask, picture in self._shots]

    def cut_out(self, settings: Settings) -> Image:
        """Return the last frame's cut-out over green."""
        return over_colour(self._shots[-1][2], self.alphas(settings)[-1])

    def late(self, *, picture: int, mask: int) -> Image:
        """Return a frame cut out with the mask of another, both counted from the newest back."""
        return over_colour(self._shots[-1 - picture][2], self.alphas(Settings())[-1 - mask])

    def composed(self, settings: Settings, behind: Image | None = None) -> Image:
        """Return the last frame as the filter shows it, `behind` (360, 640, 3) being the background picture.

        What is transparent lies over a checkerboard.
        """
        step = our_filter(settings, drawn=False, size=self._size)()
        for small, raw, picture in self._shots:
            mask = step(small, raw, picture)
        frame = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA), np.uint8)
        rgba = compose_frame(frame, mask, settings, picture=behind, confidence=fine_levels(raw))
        opacity = rgba[..., 3:].astype(np.float32) / 255
        return np.asarray(rgba[..., 2::-1] * opacity + checkerboard() * (1 - opacity) + 0.5).astype(np.uint8)

    def unrest(self, settings: Settings) -> Image:
        """Return the mean change of the alpha from frame to frame, eight times as bright."""
        shown = np.stack(self.alphas(settings)[4:]).astype(np.float32)
        change = np.abs(np.diff(shown, axis=0)).mean(0) * 8
        return np.repeat(np.clip(change, 0, 255).astype(np.uint8)[..., None], 3, 2)

    @property
    def picture(self) -> Image:
        """The last frame."""
        return self._shots[-1][2]


def panels(entries: list[tuple[str, Image]], crop: tuple[slice, slice] | None = None, width: int = 300) -> Image:
    """Return pictures side by side, each with its label above."""
    made = []
    for label, picture in entries:
        piece = picture if crop is None else picture[crop]
        height = round(piece.shape[0] * width / piece.shape[1])
        enlarges = width > piece.shape[1]
        way = cv2.INTER_CUBIC if enlarges else cv2.INTER_AREA
        board = np.full((height + _LABEL, width + 6, 3), 255, np.uint8)
        board[_LABEL:, :width] = cv2.resize(piece, (width, height), interpolation=way)
        cv2.putText(board, label, (2, _LABEL - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
        made.append(board)
    return np.ascontiguousarray(np.hstack(made)[:, :-6], np.uint8)


def stages(model: Path) -> dict[str, Stage]:
    """Return the scenes: "one" person, "three" people, "holes", a body with gaps and a mug, and one who "walks"."""
    coarse, finest = (network_size(*SIZE[::-1], detail)[::-1] for detail in (Detail.NORMAL, Detail.FINEST))
    networks = {size: OnnxSegmenter(model, height=size[0], width=size[1]) for size in (INPUT, coarse, finest)}

    def seen(frame: Frame, size: tuple[int, int] = INPUT) -> Image:
        return networks[size].segment(np.asarray(bgra(shrink(frame.bgr, size))[0], np.uint8))

    person, ground = portrait(model), room()
    actor = frozen(lambda _: person)
    one = Scene(lambda _: ground, actor, hold(0.5, 1.0))
    lonely = list(shoot([(_FRAMES, one)], (1,)))
    dark = list(shoot([(_FRAMES, replace(one, camera="dark"))], (1,)))
    wall = np.full_like(ground, (70, 215, 255))  # a colour that shows wherever it is left
    bright = list(shoot([(_FRAMES, replace(one, ground=lambda _: wall))], (1,)))
    walking = list(shoot([(_FRAMES, replace(one, path=walk(0.3, _STRIDE)))], (1,)))
    two = Scene(lambda _: ground, actor, hold(0.25, 0.85), second=(actor, hold(0.66, 0.55)))
    behind = next(shoot([(1, Scene(lambda _: ground, actor, hold(0.92, 0.3)))], (1,))).clean
    three = list(shoot([(_FRAMES, replace(two, ground=lambda _: behind))], (1,)))
    body = draw_body(person, elbows=0.4)
    dressed = body.dressed(person)
    far = list(shoot([(_FRAMES, replace(one, path=hold(0.5, 0.3)))], (1,)))
    path = hold(0.5, 1.0)
    _, alpha = cut_out(dressed, path(0))
    top = int(np.nonzero((alpha > 127).any(1))[0][0])
    chest = float(np.nonzero(alpha[top + 150] > 127)[0].mean())
    skin = np.array([120, 150, 205], np.float32)  # about that of her face
    held = mug(np.random.default_rng(0), SIZE, (chest, top + 115.0), 70.0, skin, 10_000)
    scene = Scene(lambda _: ground, lambda _: dressed, path, body.gap, lambda _: held(5_000))
    return {
        "one": Stage(lonely, seen),
        "dark": Stage(dark, seen),
        "bright": Stage(bright, seen),
        "three": Stage(three, seen),
        "walks": Stage(walking, seen),
        "far": Stage(far, seen),
        "far, normal": Stage(far, lambda frame: seen(frame, coarse), coarse),
        "far, finest": Stage(far, lambda frame: seen(frame, finest), finest),
        "holes": Stage(list(shoot([(_FRAMES, scene)], (1,))), cut_mask),
    }


def pictures(model: Path) -> dict[str, Image]:
    """Return {setting: picture}. Raises EoamError."""
    scene = stages(model)
    one, three, holes = scene["one"], scene["three"], scene["holes"]
    head, hair = (slice(20, 170), slice(230, 430)), (slice(60, 105), slice(318, 378))
    walks, moving = scene["walks"], (slice(20, 290), slice(170, 530))
    details = (("far, normal", Detail.NORMAL), ("far", Detail.FINE), ("far, finest", Detail.FINEST))
    small = (slice(230, 360), slice(230, 410))

    def row(stage: Stage, setting: str, values: list[object], crop: tuple[slice, slice] | None = None) -> Image:
        shown = [(f"{setting} {value}", stage.cut_out(Settings(**{setting: value}))) for value in values]  # type: ignore[arg-type]
        return panels([("picture", stage.picture), *shown], crop)

    def looks(stage: Stage, setting: str, values: list[str | float], **others: object) -> list[tuple[str, Image]]:
        return [
            (f"{setting} {value}", stage.composed(Settings(**{setting: value}, **others)))  # type: ignore[arg-type]
            for value in values
        ]

    site, stars = behind("rocket.jpg"), behind("hubble_deep_field.jpg")
    by_picture = Settings(background="picture")  # type: ignore[arg-type]
    return {
        "background": panels(
            [
                *looks(one, "background", ["transparent", "blur", "color"]),
                ("background picture", one.composed(by_picture, site)),
            ]
        ),
        "blur_strength": panels(
            [("picture", one.picture), *looks(one, "blur_strength", [1.0, 4.0, 10.0], background="blur")]
        ),
        "background_color": panels(
            [
                ("picture", one.picture),
                *looks(one, "background_color", ["#00ff00", "#ffffff", "#203050"], background="color"),
            ]
        ),
        "background_picture": panels(
            [
                ("picture", one.picture),
                ("none chosen", one.composed(by_picture)),
                ("a launch site", one.composed(by_picture, site)),
                ("stars", one.composed(by_picture, stars)),
            ]
        ),
        "decontamination": panels(
            [
                ("picture", scene["bright"].picture),
                *looks(
                    scene["bright"], "decontamination", [0.0, 0.5, 1.0], background="color", background_color="#203050"
                ),
            ],
            hair,
        ),
        "view": panels(looks(one, "view", ["result", "mask", "outline", "side_by_side", "confidence"]), width=240),
        "turn": turned_camera(model),
        "threshold": row(one, "threshold", [0.1, 0.5, 0.9]),
        # With the refinement, which draws the edge narrow where colours differ, it shows much less.
        "softness": panels(
            [("picture", one.picture)]
            + [
                (f"softness {s}, refinement 0", one.cut_out(Settings(softness=s, refinement=0.0)))
                for s in (0.0, 0.3, 1.0)
            ],
            hair,
        ),
        "refinement": row(one, "refinement", [0.0, 0.5, 1.0], head),
        "edge_shift": row(one, "edge_shift", [-6.0, 0.0, 6.0], head),
        "detail": panels(
            [("somebody far away", scene["far"].picture)]
            + [(f"detail {d.value}", scene[name].cut_out(Settings(detail=d))) for name, d in details],
            small,
        ),
        "regions": row(three, "regions", ["largest", "share", "people"]),
        "region_share": row(three, "region_share", [0.0, 4.0, 12.0]),
        "people": panels(
            [("picture", three.picture)]
            + [(f"people {n}", three.cut_out(Settings(regions="people", people=n))) for n in (1, 2, 3)]  # type: ignore[arg-type]
        ),
        # What is shown when the newest picture is drawn: its own mask comes one frame later.
        "timing": panels(
            [("a quick step to the right", walks.picture)]
            + [
                (label, walks.late(picture=picture, mask=mask))
                for label, picture, mask in (
                    ("aligned: one frame late", 1, 1),
                    ("low_latency: the mask before", 0, 1),
                    ("same_frame: OBS waits", 0, 0),
                )
            ],
            moving,
        ),
        "every": panels(
            [("a quick step to the right", walks.picture)]
            + [
                (f"every {n}{f': up to {n - 1} behind' if n > 1 else ''}", walks.late(picture=1, mask=n))
                for n in (1, 2, 4)
            ],
            moving,
        ),
        "holes": row(holes, "holes", ["smart", "all", "open"]),
        "hole_share": panels(
            [("what the network is taken to see", over_colour(holes.picture, holes.alphas(_OPEN)[-1]))]
            + [
                (f"holes size, hole_share {n}", holes.cut_out(Settings(holes="size", hole_share=n)))  # type: ignore[arg-type]
                for n in (0.1, 0.8, 1.5)
            ]
        ),
        "smoothing": panels(
            [("a dark room", scene["dark"].picture)]
            + [(f"smoothing {s}: what flickers", scene["dark"].unrest(Settings(smoothing=s))) for s in (0.0, 0.4, 0.9)]
        ),
    }


def turned_camera(model: Path) -> Image:
    """Return what a camera that lies on its side gives, and what is left of its picture when that is turned upright."""
    from skimage import data

    upright = np.ascontiguousarray(np.asarray(data.astronaut())[:300, 60:460, ::-1], np.uint8)  # type: ignore[no-untyped-call]
    lying = np.ascontiguousarray(cv2.rotate(upright, cv2.ROTATE_90_COUNTERCLOCKWISE), np.uint8)

    def cut(picture: Image, turn: Turn) -> Image:
        with Cutter(Settings(turn=turn), model=model) as cutter:
            rgba = cutter.cut(picture)
        return over_colour(picture, np.ascontiguousarray(rgba[..., 3]))

    def up(picture: Image) -> Image:
        return np.asarray(cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE), np.uint8)

    boxed = np.full_like(upright, 255)
    small = cv2.resize(lying, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    boxed[: small.shape[0], 80 : 80 + small.shape[1]] = small
    return panels(
        [
            ("what the camera sends", boxed),
            ("turn none, rotated 90 degrees CW", up(cut(lying, Turn.NONE))),
            ("turn 90, rotated 90 degrees CW", up(cut(lying, Turn.CLOCKWISE))),
            ("turn 270, the wrong way", up(cut(lying, Turn.COUNTERCLOCKWISE))),
        ]
    )


_OPEN = Settings(holes="open")  # type: ignore[arg-type]


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence for anything the user can mend."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.setting_pictures", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="where masks-SETTING.jpg are written")
    parser.add_argument("--model", type=Path, default=default_model_path())
    args = parser.parse_args(argv)
    cv2.setNumThreads(1)
    try:
        args.folder.mkdir(parents=True, exist_ok=True)
        for name, picture in pictures(args.model).items():
            path = args.folder / f"masks-{name}.jpg"
            if not cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 84]):
                raise DataError(f"{path} cannot be written; name a folder that you may write to.")
            print(path)
    except (DataError, EoamError) as error:
        print(f"evaluation.setting_pictures: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
