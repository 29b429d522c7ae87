from __future__ import annotations

import pytest

from eoam_core.presets import effective, normalised, values_of
from eoam_core.settings import BackgroundKind, Detail, Preset, Regions, Settings, View, describe_settings

NAMED = [preset for preset in Preset if preset is not Preset.CUSTOM]
PLAIN = Settings(advanced=False)
NEVER = {"preset", "background_color", "background_picture", "turn", "model", "no_mask", "view", "advanced"}


def chosen(preset: Preset, before: Settings = PLAIN) -> Settings:
    return normalised(before.replace(preset=preset), before)


def test_streaming_is_the_defaults() -> None:
    defaults = Settings().to_mapping()
    assert values_of(Preset.STREAMING).items() <= defaults.items()
    assert Settings().preset is Preset.STREAMING


@pytest.mark.parametrize("preset", NAMED)
def test_every_setting_is_governed_or_named_as_not_governed(preset: Preset) -> None:
    purpose = set() if preset in (Preset.STREAMING, Preset.MEETING) else {"background", "blur_strength"}
    assert set(values_of(preset)) == {info.name for info in describe_settings()} - NEVER - purpose


@pytest.mark.parametrize("preset", NAMED)
def test_the_values_of_a_preset_are_allowed_ones(preset: Preset) -> None:
    assert values_of(preset).items() <= Settings.validated(**values_of(preset)).to_mapping().items()


def test_custom_sets_nothing() -> None:
    before = Settings(threshold=0.7, preset=Preset.CUSTOM)
    assert values_of(Preset.CUSTOM) == {}
    assert normalised(before, before) == before


@pytest.mark.parametrize("preset", NAMED)
def test_choosing_a_preset_sets_what_it_governs_and_stays_chosen(preset: Preset) -> None:
    before = Settings(preset=Preset.CUSTOM, threshold=0.8, every=4, background_color=0x102030, view=View.MASK)
    after = chosen(preset, before)
    assert after.preset is preset
    assert values_of(preset).items() <= after.to_mapping().items()
    assert (after.background_color, after.view) == (before.background_color, before.view)
    assert normalised(after, after) == after


def test_low_cpu_leaves_the_background_alone() -> None:
    before = chosen(Preset.MEETING)
    after = chosen(Preset.LOW_CPU, before)
    assert (after.background, after.detail, after.every) == (BackgroundKind.BLUR, Detail.NORMAL, 2)


def test_a_knob_off_the_preset_makes_it_custom_and_keeps_the_value() -> None:
    before = chosen(Preset.MEETING)
    after = normalised(before.replace(softness=0.9), before)
    assert (after.preset, after.softness, after.regions) == (Preset.CUSTOM, 0.9, Regions.LARGEST)


def test_what_a_preset_does_not_govern_leaves_it_alone() -> None:
    before = chosen(Preset.MEETING)
    after = before.replace(view="mask", background_color="#ffffff", background_picture="room.png")
    assert normalised(after, before) == after


def test_a_value_set_together_with_a_preset_is_not_lost() -> None:
    after = normalised(PLAIN.replace(preset="low_cpu", threshold=0.7), PLAIN)
    assert (after.preset, after.threshold, after.every) == (Preset.CUSTOM, 0.7, 2)


def test_at_first_sight_the_stored_values_win() -> None:
    stored = Settings(preset=Preset.LOW_CPU, threshold=0.7)
    assert normalised(stored, None) == stored.replace(preset=Preset.CUSTOM)
    matching = chosen(Preset.LOW_CPU)
    assert normalised(matching, None) == matching


def test_unticked_the_advanced_settings_act_as_the_preset_says_and_are_kept() -> None:
    low_cpu = chosen(Preset.LOW_CPU).replace(smoothing=0.9)
    assert effective(low_cpu).smoothing == Settings().smoothing
    assert effective(low_cpu).every == 2
    assert normalised(low_cpu, low_cpu.replace(advanced=True)).smoothing == 0.9
    assert normalised(low_cpu, low_cpu.replace(advanced=True)).preset is Preset.LOW_CPU
    again = normalised(low_cpu.replace(advanced=True), low_cpu)
    assert (again.preset, effective(again).smoothing) == (Preset.CUSTOM, 0.9)


def test_unticked_a_network_of_ones_own_rests() -> None:
    assert effective(Settings(advanced=False, model="own.onnx")).model == "eoam"


def test_an_advanced_setting_changed_from_elsewhere_ticks_the_box() -> None:
    after = normalised(PLAIN.replace(every=5), PLAIN)
    assert (after.advanced, effective(after).every) == (True, 5)


def test_undoing_a_preset_leaves_the_box_unticked() -> None:
    before = chosen(Preset.LOW_CPU)
    assert normalised(PLAIN, before) == PLAIN


def test_an_advanced_setting_set_together_with_a_preset_acts() -> None:
    after = normalised(PLAIN.replace(preset="meeting", every=5), PLAIN)
    assert (after.preset, effective(after).every, effective(after).regions) == (Preset.CUSTOM, 5, Regions.LARGEST)


def test_numbers_that_went_through_a_slider_are_still_the_presets() -> None:
    before = chosen(Preset.BEST_EDGES)
    assert normalised(before.replace(softness=0.1 + 0.3), before).preset is Preset.BEST_EDGES
