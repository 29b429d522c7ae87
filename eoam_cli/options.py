"""Define the flags that several commands share, and turn them into settings."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from eoam_core.errors import InputError, InstallationError
from eoam_core.installation import check_installation, install_command, update_command
from eoam_core.model_path import default_model_path, expanded
from eoam_core.setting_info import hex_colour
from eoam_core.settings import BackgroundKind, SettingInfo, Settings, describe_settings


def require_libraries() -> None:
    """Raise InstallationError, naming the install command, if libraries are missing; prepare OpenCV.

    OpenCV gets one thread: for masks that take 0.01 ms it would start a thread pool. This is done here and not where
    masks are made, because it applies to the whole process, and this process is ours.
    """
    bad = [part for part in check_installation() if not part.ok and part.name != "model"]
    broken = [part for part in bad if part.fault]
    if broken:
        names = ", ".join(f"{part.name} {part.version}".strip() for part in broken)
        raise InstallationError(f"Installed, but not loading: {names}. To repair: {broken[0].remedy}")
    if bad:
        names = ", ".join(f"{part.name} {part.required}" for part in bad)
        raise InstallationError(f"Missing or too old: {names}. To install: {update_command()}")
    import cv2

    cv2.setNumThreads(1)


class Parser(argparse.ArgumentParser):
    """Report wrong arguments in one line, without the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        """Print the line on stderr and exit with 2."""
        self.exit(2, f"{self.prog}: {message.removeprefix('argument ')} (see {self.prog} --help)\n")


def settings_of(
    options: argparse.Namespace, adapted: Callable[[Settings], Settings] = lambda values: values
) -> Settings:
    """Return the settings from the flags of `add_settings`, adapted to the command by `adapted`.

    Raises:
        InputError: a flag was given that would have no effect.
    """
    given = {info.name: getattr(options, info.name) for info in describe_settings() if hasattr(options, info.name)}
    given.pop("model")  # a file here, not a setting
    stands_for = _background(str(given["background"])) if "background" in given else {}
    for name in stands_for.keys() & given.keys() - {"background"}:
        raise InputError(
            f"--background {given['background']} and {_flag(name)} set the same thing; leave one of them out."
        )
    settings = adapted(Settings.validated(**{**given, **stands_for}))
    _check_effect(given, settings)
    return settings


def _check_effect(given: Collection[str], settings: Settings) -> None:
    """Raise InputError if a flag was given that needs another flag to have an effect."""
    values = settings.to_mapping()
    infos = {info.name: info for info in describe_settings()}
    for info in infos.values():
        if info.name not in given or not info.shown_if or any(values[name] == value for name, value in info.shown_if):
            continue
        others = [f"{_flag(name)} {value}" for name, value in info.shown_if if not infos[name].live_only]
        raise InputError(f"{info.flag} has no effect without {' or '.join(others)}: add that, or leave it out.")


def _flag(name: str) -> str:
    return next(info.flag for info in describe_settings() if info.name == name)


def _background(text: str) -> dict[str, object]:
    """Return the settings for --background: a kind, or as a shorthand a colour or a picture file."""
    from eoam_core.pictures.picture import colour_names, parse_colour

    if text in [kind.value for kind in BackgroundKind]:
        return {"background": text}
    colour = parse_colour(text)
    if colour is not None:
        return {"background": BackgroundKind.COLOR, "background_color": colour}
    if not text or not os.path.exists(expanded(text)):
        kinds, names = ", ".join(kind.value for kind in BackgroundKind), ", ".join(colour_names())
        raise InputError(
            f"The background {text!r} is not valid; use {kinds}, #rrggbb, {names}, or an image file that exists."
        )
    return {"background": BackgroundKind.PICTURE, "background_picture": text}


@contextmanager
def progress(wanted: bool | None, *, unit: str, name: str = "") -> Iterator[Callable[[int | None], None]]:
    """Yield a function to call after each step, with the total if known; draws a bar on stderr if `wanted`.

    None means: if stderr is a terminal and tqdm is installed. A bar with a `name` is one of several and disappears when
    done.
    """
    bar: Any = None
    if wanted or (wanted is None and sys.stderr.isatty()):
        try:
            tqdm = importlib.import_module("tqdm").tqdm  # optional, and without type stubs
        except ImportError as error:
            if wanted:
                command = install_command(["tqdm>=4.66"])
                raise InstallationError(f"A progress bar needs tqdm; install it: {command}") from error
        else:
            bar = tqdm(unit=unit, file=sys.stderr, desc=name or None, leave=not name)

    def advance(total: int | None) -> None:
        if bar is not None:
            bar.total = total
            bar.update()

    try:
        yield advance
    finally:
        if bar is not None:
            bar.close()


def add_settings(parser: argparse.ArgumentParser, *, live: Collection[str] = ()) -> None:
    """Add --model and a flag for every setting that has a meaning for files, and for those named in `live`."""
    add_model(parser)
    group = parser.add_argument_group("settings, as in OBS")
    for info in describe_settings():
        if info.live_only and info.name not in live:
            continue
        if info.kind == "bool":
            group.add_argument(
                info.flag,
                action=argparse.BooleanOptionalAction,
                default=argparse.SUPPRESS,  # flags that were not given must not override those that were
                help=_escaped(f"{info.help} ({'on' if info.default else 'off'})"),
            )
            continue
        shown = hex_colour(int(info.default)) if info.kind == "color" else info.default
        group.add_argument(
            info.flag,
            type=str if info.name == "background" else _checker(info),  # checked later
            default=argparse.SUPPRESS,
            metavar=_metavar(info),
            help=_escaped(f"{info.help} ({shown or 'none'})"),
        )


def _metavar(info: SettingInfo) -> str:
    if info.name == "background":
        return "|".join([*(value for value, _ in info.choices), "COLOUR", "FILE"])
    fixed = {"color": "#rrggbb", "path": "FILE"}.get(info.kind, "")
    return fixed or "|".join(value for value, _ in info.choices) or f"{info.minimum:g}..{info.maximum:g}"


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add --model."""
    parser.add_argument(
        "--model", type=Path, default=default_model_path(), metavar="FILE", help="use another .onnx file"
    )


def add_progress(parser: argparse.ArgumentParser) -> None:
    """Add --progress and --no-progress."""
    parser.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, help="show a progress bar (if stderr is a terminal)"
    )


def _checker(info: SettingInfo) -> Callable[[str], object]:
    def check(text: str) -> object:
        value: object = text
        if info.kind in ("float", "int"):
            try:
                value = float(text)
            except ValueError:
                value = text
        try:
            return info.checked(value)
        except ValueError:
            need = "#rrggbb" if info.kind == "color" else info.need
            raise argparse.ArgumentTypeError(f"{text!r} is not {need}") from None

    return check


def positive(text: str) -> int:
    """Return an integer of at least 1, for argparse."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return number


def _escaped(text: str) -> str:
    return text.replace("%", "%%")  # argparse formats help texts
