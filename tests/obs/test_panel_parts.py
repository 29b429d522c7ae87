"""What the panel is made of and what is stored for it, with an API that keeps books instead of a libobs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from eoam_core.settings import VERSION, Preset, Settings, describe_settings
from eoam_obs.frame.pace import Rate
from eoam_obs.panels import panel
from eoam_obs.source import stored, watch
from eoam_obs.source.locale import FOLDER, Texts
from eoam_obs.source.state import State
from eoam_obs.source.stored import FOLLOW_KEY, MODEL_FILE_KEY, VERSION_KEY
from tests.obs.instances import instance
from tests.obs.libobs_double import checked, strict

NEW = Settings(advanced=False)  # what stands in a script's panel that nobody has touched


class Data(dict[str, Any]):
    """An obs_data: what is stored, and beside it the defaults; obspython's objects become handles by `int`."""

    handles: ClassVar[dict[int, Data]] = {}

    def __init__(self, **stored: Any) -> None:
        super().__init__(stored)
        self.defaults: dict[str, Any] = {}

    def __int__(self) -> int:
        self.handles[id(self)] = self
        return id(self)

    def seen(self, name: str, missing: Any) -> Any:
        return self.get(name, self.defaults.get(name, missing))


class Item:
    """An obs_property."""

    def __init__(self, kind: str, name: str, *rest: Any) -> None:
        self.kind, self.name, self.label, self.rest = kind, name, rest[0], rest[1:]
        self.help, self.suffix, self.visible = "", "", True
        self.choices: list[tuple[str, str]] = []
        self.modified: Any = None


@strict
class Api:
    """Stands in for both libobs and obspython; a number is an obs_properties."""

    def __init__(self) -> None:
        self.properties: dict[int, dict[str, Item]] = {}
        self.groups: dict[str, int] = {}

    def obs_properties_create(self) -> int:
        self.properties[len(self.properties) + 1] = {}
        return len(self.properties)

    def obs_properties_get(self, properties: int, name: str) -> Item | None:
        for number in (properties, *self.groups.values()):
            if name in self.properties[number]:
                return self.properties[number][name]
        return None

    def obs_properties_add_group(self, properties: int, name: str, label: str, kind: int, group: int) -> Item:
        self.groups[name] = group
        return self._add("group", properties, name, label, kind)

    def obs_property_list_add_string(self, item: Item, label: str, value: str) -> None:
        item.choices.append((value, label))

    def obs_property_set_long_description(self, item: Item, text: str) -> None:
        item.help = text

    def obs_property_set_modified_callback(self, item: Item, modified: Any) -> None:
        item.modified = modified

    def obs_property_set_visible(self, item: Item, visible: bool) -> None:
        item.visible = visible

    def obs_property_visible(self, item: Item) -> bool:
        return item.visible

    def obs_property_name(self, item: Item) -> bytes:
        return item.name.encode()

    def obs_property_float_set_suffix(self, item: Item, suffix: str) -> None:
        item.suffix = suffix

    def obs_data_get_json(self, data: Data) -> str:
        return json.dumps(data)

    def obs_data_get_bool(self, data: Data | int, name: str) -> bool:
        return _data(data).seen(name, False) is True

    def obs_data_get_string(self, data: Data | int, name: str) -> str:
        return str(_data(data).seen(name, ""))

    def obs_data_erase(self, data: Data, name: str) -> None:
        del data[name]

    def obs_data_clear(self, data: Data) -> None:
        data.clear()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("obs_properties_add_"):
            answer: Any = lambda properties, *rest: self._add(name[19:], properties, *rest)  # noqa: E731
        elif name.startswith("obs_data_set_default_"):
            answer = lambda data, key, value: data.defaults.update({key: value})  # noqa: E731
        elif name.startswith("obs_data_set_"):
            answer = lambda data, key, value: data.update({key: value})  # noqa: E731
        else:
            raise AttributeError(name)
        return checked(name, answer, objects=True)

    def _add(self, kind: str, properties: int, name: str, *rest: Any) -> Item:
        self.properties[properties][name] = Item(kind, name, *rest)
        return self.properties[properties][name]


def _data(data: Data | int) -> Data:
    return data if isinstance(data, Data) else Data.handles[data]


def normalised(data: Data, known: Settings | None = None, fallback: Settings = NEW) -> stored.Stored:
    return stored.normalise(Api(), data, known, fallback)


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    stored._logged.clear()
    with caplog.at_level(logging.WARNING, "eoam"):
        yield caplog
    stored._logged.clear()


def build() -> tuple[Api, int]:
    api = Api()
    properties = api.obs_properties_create()
    panel.add_settings(api, properties, Texts(), modified="callback")
    return api, properties


def test_the_panel_holds_every_setting_once_with_its_label_and_range() -> None:
    api, properties = build()
    for info in describe_settings():
        item = api.obs_properties_get(properties, info.name)
        assert item is not None, info.name
        assert item.label == info.label
        if info.kind in ("float", "int"):
            assert item.rest == (info.minimum, info.maximum, info.step)
        if info.kind == "enum":
            assert item.choices == list(info.choices)
    everything = [name for items in api.properties.values() for name in items]
    assert sorted(everything) == sorted({*everything})


def test_what_is_advanced_stands_in_the_group_that_can_be_ticked() -> None:
    api, properties = build()
    inside = set(api.properties[api.groups["advanced"]]) - {MODEL_FILE_KEY}
    assert inside == {info.name for info in describe_settings() if info.group == "advanced"} - {"advanced"}
    assert not inside & set(api.properties[properties])


def test_every_control_says_what_it_does_and_numbers_their_unit_and_range() -> None:
    api, properties = build()
    for info in describe_settings():
        item = api.obs_properties_get(properties, info.name)
        assert item is not None
        assert item.help.startswith(info.help)
        if info.kind in ("float", "int"):
            assert item.help.endswith(f"From {info.minimum:g} to {info.maximum:g} ({info.unit}).")


def test_the_networks_are_listed_and_so_is_the_one_in_use() -> None:
    api = Api()
    properties = api.obs_properties_create()
    panel.add_settings(api, properties, Texts(), model="/somewhere/own.onnx")
    item = api.obs_properties_get(properties, "model")
    assert item is not None
    assert item.choices[0][0] == "eoam"
    assert item.choices[-1] == ("/somewhere/own.onnx", "/somewhere/own.onnx")


def shown(data: Data) -> set[str]:
    api, properties = build()
    panel.show_relevant(api, properties, data)
    return {item.name for items in api.properties.values() for item in items.values() if item.visible}


def test_controls_that_do_nothing_are_hidden() -> None:
    plain = shown(Data(**NEW.to_mapping()))
    assert {"background", "threshold", "advanced", "view"} <= plain
    assert not plain & {"blur_strength", "background_color", "background_picture", "model", "every", "people"}
    assert "blur_strength" in shown(Data(**NEW.replace(background="blur").to_mapping()))
    assert "background_picture" in shown(Data(**NEW.replace(background="picture").to_mapping()))
    opened = shown(Data(**NEW.replace(advanced=True, regions="people", holes="size").to_mapping()))
    assert {"model", MODEL_FILE_KEY, "people", "region_share", "hole_share", "no_mask"} <= opened


def test_of_a_filter_that_follows_the_script_nothing_else_is_shown() -> None:
    assert not shown(Data(**NEW.to_mapping(), **{FOLLOW_KEY: True}))


def test_showing_says_whether_anything_changed_so_that_no_slider_is_torn_away() -> None:
    api, properties = build()
    data = Data(**NEW.to_mapping())
    assert panel.show_relevant(api, properties, data)
    assert not panel.show_relevant(api, properties, data)
    data["background"] = "color"
    assert panel.show_relevant(api, properties, data)


def test_only_what_decides_about_others_calls_back() -> None:
    api, _ = build()
    calling = {item.name for items in api.properties.values() for item in items.values() if item.modified}
    assert calling == {"advanced", "background", "no_mask", "regions", "holes"}


def test_a_new_filter_stores_everything_and_a_short_panel() -> None:
    data = Data()
    found = normalised(data)
    assert found.settings == NEW
    assert data == {**NEW.to_mapping(), VERSION_KEY: VERSION}
    assert not normalised(data, found.settings).changed


def test_what_a_scene_file_or_a_websocket_stored_acts_without_anybody_having_seen_the_panel() -> None:
    found = normalised(Data(every=3))
    assert found.settings.advanced
    assert found.effective.every == 3
    assert found.settings.preset is Preset.CUSTOM


def test_a_preset_alone_brings_its_values_along() -> None:
    found = normalised(Data(preset="low_cpu"))
    assert (found.settings.preset, found.effective.every) == (Preset.LOW_CPU, 2)


def test_a_preset_whose_values_do_not_match_becomes_custom_and_the_values_stay() -> None:
    found = normalised(Data(preset="low_cpu", threshold=0.7, every=2, refinement=0.0))
    assert (found.settings.preset, found.settings.threshold) == (Preset.CUSTOM, 0.7)


def test_a_changed_preset_sets_the_rest_and_a_changed_knob_makes_it_custom() -> None:
    data = Data()
    known = normalised(data).settings
    data["preset"] = "meeting"
    found = normalised(data, known)
    assert found.changed
    assert (data["background"], data["regions"], data["preset"]) == ("blur", "largest", "meeting")
    data["softness"] = 0.9
    found = normalised(data, found.settings)
    assert found.changed
    assert (data["preset"], data["background"], data["softness"]) == ("custom", "blur", 0.9)


def test_an_advanced_setting_that_is_changed_while_they_do_not_act_lets_them_act() -> None:
    data = Data()
    known = normalised(data).settings
    data["every"] = 4
    found = normalised(data, known)
    assert (found.effective.every, data["advanced"], data["preset"]) == (4, True, "custom")
    data["advanced"] = False
    found = normalised(data, found.settings)
    assert (found.effective.every, data["every"]) == (1, 4)  # it rests, and is kept


def test_a_scene_file_of_the_first_version_is_shown_as_it_was_and_stored_anew(
    warnings: pytest.LogCaptureFixture,
) -> None:
    old = {"threshold": 0.6, "softness": 0.3, "contour_fill": True, "smoothing": 0.4, "timing": "aligned"}
    data = Data(**old)
    found = normalised(data)
    assert (found.effective.regions.value, found.effective.holes.value, found.effective.threshold) == (
        "largest",
        "all",
        0.6,
    )
    assert (data["regions"], data["holes"], data[VERSION_KEY], data["preset"]) == ("largest", "all", VERSION, "custom")
    assert "contour_fill" not in data
    assert not warnings.messages


def test_values_out_of_range_are_clamped_stored_and_logged_once(warnings: pytest.LogCaptureFixture) -> None:
    data = Data(threshold=7, view="upside down", glow=1)
    found = normalised(data)
    assert (data["threshold"], data["view"]) == (0.95, "result")
    assert sorted(warnings.messages) == [
        "settings_adjusted threshold=7",
        "settings_adjusted view='upside down'",
        "settings_unknown glow=1",
    ]
    normalised(Data(threshold=7), found.settings)
    assert len(warnings.messages) == 3


def test_settings_of_a_newer_version_are_used_and_said_to_be(warnings: pytest.LogCaptureFixture) -> None:
    data = Data(threshold=0.6, **{VERSION_KEY: 99})
    assert normalised(data).effective.threshold == 0.6
    assert [line.split()[0] for line in warnings.messages] == ["settings_newer_version"]


def test_a_network_chosen_from_a_file_becomes_the_network_and_the_chooser_is_empty_again() -> None:
    data = Data()
    known = normalised(data).settings
    data.update({"advanced": True, MODEL_FILE_KEY: "/somewhere/own.onnx"})
    found = normalised(data, known)
    assert found.effective.model == "/somewhere/own.onnx"
    assert MODEL_FILE_KEY not in data
    data["model"] = "eoam"
    assert normalised(data, found.settings).effective.model == "eoam"


def test_obss_own_button_defaults_leaves_a_whole_set_again() -> None:
    data = Data(preset="low_cpu")
    known = normalised(data).settings
    data.clear()
    assert normalised(data, known).settings == NEW


def test_the_script_stores_only_what_differs_from_the_projects_defaults() -> None:
    data = Data()
    stored.normalise(Api(), data, None, NEW, complete=False)
    assert data == {VERSION_KEY: VERSION}
    data["threshold"] = 0.7
    stored.normalise(Api(), data, NEW, NEW, complete=False)
    assert data == {VERSION_KEY: VERSION, "threshold": 0.7, "preset": "custom"}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (
            State(kind="running", milliseconds=1.34, masks_per_second=29.8, model="eoam 1.2", delay=1),
            "Removing the background: 1.3 ms per mask, 30 masks per second, eoam 1.2, aligned, 1-frame delay.",
        ),
        (
            State(kind="running", milliseconds=240, masks_per_second=1.26, model="eoam 1.2"),
            "Removing the background: 240.0 ms per mask, 1.3 masks per second, eoam 1.2, aligned, no delay.",
        ),
        (State(kind="problem", problem="numpy is missing"), "Nothing is shown. numpy is missing"),
        (State(kind="problem", problem="X is missing", covered=True), "Everything is shown blurred. X is missing"),
        (State(kind="hidden", covered=True), "Nothing is shown while the hotkey is held."),
        (State(kind="stopped", covered=True), Texts()("state.stopped")),
    ],
)
def test_a_state_is_a_plain_sentence(state: State, said: str) -> None:
    assert state.sentence(Texts()) == said


@pytest.mark.parametrize("language", sorted(file.stem for file in FOLDER.glob("*.ini")))
@pytest.mark.parametrize("kind", ["waiting", "late", "starved", "problem"])
def test_where_everything_is_blurred_no_language_says_that_nothing_is_shown(language: str, kind: Any) -> None:
    texts = Texts(language)
    state = State(kind=kind, problem="X", limit_s=0.5)
    covered = State(kind=kind, problem="X", limit_s=0.5, covered=True)
    assert covered.sentence(texts) != state.sentence(texts)
    assert covered.look != state.look
    nothing = texts("no_mask.nothing").lower()
    assert nothing not in covered.sentence(texts).lower()


def test_the_rate_is_that_of_the_last_second_or_two() -> None:
    now = [0.0]
    rate = Rate(lambda: now[0])
    for tick in range(1, 91):
        now[0] = tick / 30
        counted = rate.per_second(tick)
    assert counted == pytest.approx(30)
    for tick in range(1, 91):
        now[0] = 3 + tick / 30
        counted = rate.per_second(90)
    assert counted == 0
    assert rate.per_second(5) == 0  # counted anew


class Nested(Api):
    """Gives a text that cannot be read for as long as anything is stored under the name "strange"."""

    def obs_data_get_json(self, data: Data) -> str:
        return "[" * 100_000 if "strange" in data else super().obs_data_get_json(data)


def test_defaults_make_what_could_not_be_read_readable_again(warnings: pytest.LogCaptureFixture) -> None:
    api, data = Nested(), Data(strange=1, threshold=0.9)
    known = Settings(threshold=0.8)
    assert stored.normalise(api, data, known, NEW).settings == known
    stored.write(api, data, NEW)
    found = stored.normalise(api, data, known, NEW)
    assert found.settings == NEW
    data["threshold"] = 0.6
    assert stored.normalise(api, data, found.settings, NEW).settings.threshold == 0.6


def test_the_defaults_are_written_as_defaults() -> None:
    data = Data()
    defaults = Settings(threshold=0.35, every=4)
    stored.write_defaults(Api(), data, defaults)
    assert data == {}
    assert data.defaults == dict(defaults.to_mapping())


def test_who_follows_the_scripts_panel_says_so_with_a_true_and_nothing_else() -> None:
    for value, follows in ((True, True), (False, False), (1, False), ("yes", False), (None, False)):
        assert normalised(Data(**{FOLLOW_KEY: value})).follows is follows
    assert not normalised(Data()).follows


@pytest.mark.parametrize(("version", "is_said"), [(VERSION, False), (VERSION + 1, True), ("9", False)])
def test_a_newer_version_is_said_and_this_one_is_not(
    version: object, is_said: bool, warnings: pytest.LogCaptureFixture
) -> None:
    normalised(Data(**{VERSION_KEY: version}))
    assert ("newer_version" in warnings.text) is is_said


@pytest.mark.parametrize("name", ["contour_fill", MODEL_FILE_KEY])
def test_what_was_taken_over_is_erased_and_counts_as_a_change(name: str) -> None:
    data = Data()
    normalised(data)
    data[name] = "" if name == MODEL_FILE_KEY else True
    found = normalised(data, NEW)
    assert found.changed
    assert name not in data
    assert not normalised(data, found.settings).changed


def test_what_is_made_by_hand_says_what_it_is() -> None:
    plain = stored.Stored(settings=NEW, effective=NEW)
    assert (plain.follows, plain.changed) == (False, False)


@pytest.mark.parametrize(
    "content", ["{", "[" * 100_000, '{"threshold": 0.9, "other": ' + "[" * 100_000 + "]" * 100_000 + "}"]
)
def test_what_cannot_be_read_is_left_alone_and_the_settings_stay(
    content: str, warnings: pytest.LogCaptureFixture
) -> None:
    data = Data(threshold=0.9)
    api = Api()
    api.obs_data_get_json = lambda _: content  # type: ignore[method-assign, assignment]
    known = Settings(threshold=0.8)
    found = stored.normalise(api, data, known, NEW)
    assert (found.settings, found.changed) == (known, False)
    assert stored.normalise(api, data, None, NEW).settings == NEW
    assert data == {"threshold": 0.9}
    assert len(warnings.records) == 1
    assert "unreadable" in warnings.text
    stored.write(api, data, Settings(threshold=0.7))
    assert data["threshold"] == 0.7


@strict
class Watched:
    """A libobs that notes whose panel is renewed."""

    def __init__(self) -> None:
        self.renewed = 0
        self.queued = 0

    def obs_weak_source_get_source(self, weak: int) -> int:
        return 7

    def obs_source_release(self, source: int) -> None:
        pass

    def obs_source_update_properties(self, source: int) -> None:
        self.renewed += 1

    def obs_queue_task(self, kind: int, task: Any, handle: int, wait: bool) -> None:
        self.queued += 1


def test_an_open_panel_is_renewed_when_the_state_changes_or_a_change_has_settled() -> None:
    class Quiet:
        kind = "waiting"

        def state(self) -> Any:
            return State(kind=self.kind)  # type: ignore[arg-type]

    obs: Any = Watched()
    video_filter: Any = Quiet()
    watched = instance(1, 7, weak=8, video_filter=video_filter)
    for kind, renewed in (("waiting", 1), ("waiting", 1), ("running", 2), ("running", 2)):
        video_filter.kind = kind
        watch.look_at(obs, watched, 0.0)
        assert obs.renewed == renewed
    watched.refresh_at = 5.0
    watch.look_at(obs, watched, 4.9)
    assert obs.renewed == 2
    watch.look_at(obs, watched, 5.0)
    watch.look_at(obs, watched, 5.5)
    assert obs.renewed == 3


def test_a_panel_is_not_renewed_all_the_time_on_a_computer_that_is_just_too_slow() -> None:
    class Flapping:
        behind = False

        def state(self) -> Any:
            return State(kind="running", behind=self.behind)

    obs: Any = Watched()
    video_filter: Any = Flapping()
    watched = instance(1, 7, weak=8, video_filter=video_filter)
    watch.look_at(obs, watched, 100.0)
    assert obs.renewed == 1
    for second in range(101, 160):  # a list that somebody opened would be closed each time
        video_filter.behind = second % 3 == 0
        watch.look_at(obs, watched, float(second))
    assert (obs.renewed, watched.seen) == (2, "running behind")
    video_filter.behind = False  # and stays so
    for second in range(160, 200):
        watch.look_at(obs, watched, float(second))
    assert (obs.renewed, watched.seen) == (3, "running")


def test_a_filter_that_never_gets_a_source_is_not_asked_for_its_hotkeys_for_ever() -> None:
    obs: Any = Watched()
    watched = instance(1, 7, weak=8)
    for _ in range(100):
        watch.look_at(obs, watched, 0.0)
    assert 0 < obs.queued <= 20
