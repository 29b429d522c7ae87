from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from eoam_core.setting_info import hex_colour
from eoam_core.settings import Holes, Regions, Settings, Timing, View, describe_settings, settings_table

ROOT = Path(__file__).parents[2]


def test_defaults_are_within_their_own_ranges_and_on_their_steps() -> None:
    for info in describe_settings():
        if info.kind == "float":
            assert isinstance(info.default, float)
            assert info.minimum <= info.default <= info.maximum
            steps = (info.default - info.minimum) / info.step
            assert steps == pytest.approx(round(steps))


def test_every_setting_has_a_label_and_a_help_text() -> None:
    assert [info.name for info in describe_settings()] == [item.name for item in dataclasses.fields(Settings)]
    for info in describe_settings():
        assert info.label
        assert info.help.endswith(".")


def test_choices_are_the_enums_values() -> None:
    choices = {info.name: [value for value, _ in info.choices] for info in describe_settings() if info.kind == "enum"}
    assert choices == {
        "preset": ["meeting", "streaming", "low_cpu", "best_edges", "custom"],
        "background": ["transparent", "blur", "color", "picture"],
        "turn": ["none", "90", "180", "270"],
        "detail": ["normal", "fine", "finest"],
        "timing": ["aligned", "low_latency", "same_frame"],
        "regions": ["largest", "share", "people"],
        "holes": ["smart", "size", "all", "open"],
        "no_mask": ["nothing", "blur"],
        "view": ["result", "mask", "outline", "side_by_side", "confidence"],
    }


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("threshold", 0.96, r"threshold is 0.96, need a number from 0.05 to 0.95"),
        ("threshold", -1, r"threshold is -1, need"),
        ("smoothing", float("nan"), r"smoothing is nan, need"),
        ("smoothing", float("inf"), r"smoothing is inf, need"),
        ("softness", "0.5", r"softness is '0.5', need a number"),
        ("softness", True, r"softness is True, need a number"),
        ("softness", 10**400, r"softness is 1000"),
        ("view", "nothing", r"view is 'nothing', need one of 'result', 'mask'"),
        ("people", 2.5, r"people is 2.5, need a whole number"),
        ("people", 7, r"people is 7, need a whole number from 1 to 6"),
        ("background_color", "green", r"background_color is 'green', need #rrggbb"),
        ("background_color", -1, r"background_color is -1, need #rrggbb"),
        ("background_color", True, r"background_color is True, need"),
        ("background_picture", 7, r"background_picture is 7, need text"),
        ("background_picture", "a\0b", r"background_picture is 'a\\x00b', need text"),
        ("model", "", r"model is '', need text that is not empty"),
        ("timing", [], r"timing is \[\], need one of"),
        ("glow", 1, r"unknown setting 'glow'; valid settings: preset"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings.validated(**{name: value})


def test_the_constructor_checks_too() -> None:
    with pytest.raises(ValueError, match="threshold is 2"):
        Settings(threshold=2)


def test_values_are_brought_to_the_fields_own_types() -> None:
    settings = Settings.validated(softness=1, view="mask")
    assert isinstance(settings.softness, float)
    assert settings.view is View.MASK


def test_replace_leaves_the_original_alone_and_checks() -> None:
    settings = Settings()
    assert settings.replace(timing="low_latency").timing is Timing.LOW_LATENCY
    assert settings == Settings()
    with pytest.raises(ValueError, match="threshold is 0"):
        settings.replace(threshold=0)


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().threshold = 0.7  # type: ignore[misc]


def test_a_mapping_there_and_back_is_the_same() -> None:
    settings = Settings(threshold=0.7, holes=Holes.OPEN, people=3, view=View.MASK, timing=Timing.LOW_LATENCY)
    mapping = settings.to_mapping()
    assert mapping["view"] == "mask"
    assert type(mapping["view"]) is str
    parsed = Settings.from_mapping(mapping)
    assert (parsed.settings, parsed.unknown, parsed.adjusted) == (settings, (), ())


def test_a_stored_mapping_is_read_as_far_as_it_can_be_understood() -> None:
    stored = {
        "threshold": 7,
        "softness": "much",
        "people": "many",
        "background_color": "red",
        "smoothing": 10**400,
        "timing": "tomorrow",
        "view": "mask",
        "glow": 1,
        "aura": None,
    }
    parsed = Settings.from_mapping(stored)
    assert parsed.settings == Settings(threshold=0.95, view=View.MASK)
    assert parsed.unknown == ("aura", "glow")
    assert parsed.adjusted == ("background_color", "threshold", "softness", "timing", "people", "smoothing")


@pytest.mark.parametrize(
    ("filled", "meant"),
    [
        (True, Settings(regions=Regions.LARGEST, holes=Holes.ALL)),
        (False, Settings(regions=Regions.SHARE, region_share=0, holes=Holes.OPEN)),
    ],
)
def test_settings_of_the_first_version_look_as_they_did(filled: bool, meant: Settings) -> None:
    parsed = Settings.from_mapping({"contour_fill": filled, "threshold": 0.7})
    assert (parsed.settings, parsed.unknown, parsed.adjusted) == (meant.replace(threshold=0.7), (), ())


def test_a_colour_is_taken_as_hex_or_as_obs_stores_it_and_is_never_see_through() -> None:
    assert Settings.validated(background_color="#102030").background_color == 0xFF302010
    assert Settings.validated(background_color=0x302010).background_color == 0xFF302010
    assert hex_colour(0xFF302010) == "#102030"


def test_what_decides_whether_a_setting_is_shown_exists() -> None:
    infos = {info.name: info for info in describe_settings()}
    for info in infos.values():
        assert info.group in ("output", "edge", "advanced", "view")
        for name, value in info.shown_if:
            assert infos[name].checked(value) is not None


def test_an_empty_mapping_gives_the_defaults() -> None:
    assert Settings.from_mapping({}).settings == Settings()


def test_the_documentation_holds_the_generated_table() -> None:
    assert settings_table() in (ROOT / "docs" / "user" / "cli.md").read_text(encoding="utf-8")


def test_the_module_prints_the_table() -> None:
    command = [sys.executable, "-W", "error", "-m", "eoam_core.settings"]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.stdout == settings_table()
