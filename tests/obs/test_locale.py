"""The panels' words: every language has every text of the English one, with the same fields."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

from eoam_core.presets import values_of
from eoam_core.settings import Preset, describe_settings
from eoam_obs.source.locale import FOLDER, Texts, as_lines, read_file, settings_texts, texts_for
from tools.obs_driver.session import REPOSITORY

LANGUAGES = ("de-DE", "es-ES", "fr-FR", "ja-JP", "pt-BR", "zh-CN")
ENGLISH = read_file(FOLDER / "en-US.ini")


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_the_english_file_holds_the_settings_own_texts() -> None:
    texts = settings_texts()
    assert {key: ENGLISH.get(key) for key in texts} == texts, "run: python -m eoam_obs.source.locale"
    settings = {info.name for info in describe_settings()} | {"unit"}
    others = {key for key in ENGLISH if key.partition(".")[0] in settings and not key.endswith(".short")}
    assert others == set(texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_every_text_with_the_same_fields(language: str) -> None:
    texts = read_file(FOLDER / f"{language}.ini")
    assert list(texts) == list(ENGLISH)
    assert {key: fields(text) for key, text in texts.items()} == {key: fields(text) for key, text in ENGLISH.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_is_another_one_and_keeps_what_must_not_be_translated(language: str) -> None:
    texts = read_file(FOLDER / f"{language}.ini")
    long = [key for key in texts if len(ENGLISH[key]) > 20]
    assert not [key for key in long if texts[key] == ENGLISH[key]]
    for key, text in texts.items():
        for fixed in ("obs_eoam.py", "v4l2loopback", "xclip", "EOAM Background Removal", "ONNX", "obsproject.com"):
            assert (fixed in text) == (fixed in ENGLISH[key]), (key, fixed)


def test_there_are_the_promised_languages_and_no_others() -> None:
    assert {file.stem for file in FOLDER.glob("*.ini")} == {*LANGUAGES, "en-US"}


def test_every_key_that_the_code_names_exists_and_every_text_is_used() -> None:
    named = set()
    for file in (REPOSITORY / "eoam_obs").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                named.add("".join(str(p.value) if isinstance(p, ast.Constant) else "*" for p in node.values))
    written = {key for key in named if re.fullmatch(r"(panel|script|state|hotkey)\.[a-z_.]*[a-z]", key)}
    assert written <= set(ENGLISH)
    patterns = [re.escape(name).replace(r"\*", ".+") for name in named if "*" in name and not name.startswith("*")]
    buttons = {f"script.{name}" for name in named}
    for key in set(ENGLISH) - set(settings_texts()):
        assert key in named | buttons or any(re.fullmatch(pattern, key) for pattern in patterns), key


def test_what_a_language_lacks_is_said_in_english(tmp_path: Path) -> None:
    (tmp_path / "en-US.ini").write_text('panel.reset="Reset"\npanel.refresh="Refresh"\n', encoding="utf-8")
    (tmp_path / "de-DE.ini").write_text('# Deutsch\n\npanel.reset="Zurück"\n', encoding="utf-8")
    texts = Texts("de-DE", tmp_path)
    assert [texts("panel.reset"), texts("panel.refresh"), texts("threshold")] == ["Zurück", "Refresh", "Threshold"]
    assert Texts("de-AT", tmp_path)("panel.reset") == "Zurück"
    assert Texts("ko-KR", tmp_path)("panel.reset") == "Reset"
    assert texts("nobody.knows") == "nobody.knows"


def test_a_broken_or_missing_file_leaves_english(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "de-DE.ini").write_text("no text\n", encoding="utf-8")
    assert Texts("de-DE", tmp_path)("threshold") == "Threshold"
    assert len(caplog.records) == 2  # the broken one, and English that is not there


def test_a_text_with_a_field_that_is_not_given_is_shown_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "en-US.ini").write_text('state.problem="No: {reason}"\n', encoding="utf-8")
    assert Texts(folder=tmp_path)("state.problem", problem="x") == "No: {reason}"


@pytest.mark.parametrize("line", ["threshold=Threshold", 'a b="c"', 'a="b"\na="c"'])
def test_a_line_that_is_no_text_is_refused_by_its_number(tmp_path: Path, line: str) -> None:
    file = tmp_path / "xx.ini"
    file.write_text(line, encoding="utf-8")
    with pytest.raises(ValueError, match=r"xx\.ini:\d is"):
        read_file(file)


def test_quotes_and_line_ends_survive(tmp_path: Path) -> None:
    texts = {"a": 'He said "no".\nThen \\ went.', "b": ""}
    file = tmp_path / "xx.ini"
    file.write_text(as_lines(texts), encoding="utf-8")
    assert read_file(file) == texts


def test_the_language_is_obss() -> None:
    class Obs:
        def __init__(self, answer: object) -> None:
            self.obs_get_locale = lambda: answer

    assert texts_for(Obs(b"de-DE")).language == "de-DE"
    assert texts_for(Obs("ja-JP"))("panel.refresh") == "更新"
    assert texts_for(Obs(None)).language == "en-US"


def test_the_document_on_the_settings_names_every_one_of_them() -> None:
    text = (REPOSITORY / "docs" / "user" / "settings.md").read_text(encoding="utf-8")
    for info in describe_settings():
        assert f"| {info.label} | `{info.name}` |" in text, info.name
        assert re.search(rf"#+ {info.label}\n|\*{info.label}\*", text), info.label


def test_the_document_on_the_settings_says_what_the_presets_set() -> None:
    rows = re.findall(
        r"^\| (Streaming|Meeting|Low CPU|Best edges) \|[^|]*\|([^|]*)\|$",
        (REPOSITORY / "docs" / "user" / "settings.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    infos = {info.name: info for info in describe_settings()}
    labels = {label: Preset(value) for value, label in infos["preset"].choices}
    assert len(rows) == 4
    for label, said in rows:
        differing = {name: value for name, value in values_of(labels[label]).items() if value != infos[name].default}
        for name, value in differing.items():
            shown = dict(infos[name].choices).get(
                str(value), f"{value:.2f}" if infos[name].kind == "float" else str(value)
            )
            assert f"{infos[name].label}: {shown}".lower() in said.lower()
        assert said.count(": ") >= len(differing)


# What users of the peers complain of most, and a word that the entry for it has.
SYMPTOMS = {
    "not in the list": "Effect Filters",
    "High CPU": "Low CPU",
    "no GPU option": "nothing to gain",
    "crashes or hangs": "onnxruntime",
    "lags behind movement": "Aligned",
    "flickers": "Smoothing",
    "hard or frayed": "Softness",
    "too tight an edge": "Edge shift",
    "halo around you in the blurred": "Blur strength",
    "Gaps under a bent arm": "Holes",
    "Two people": "Regions",
    "chair, vanish": "Holes",
    "no 16:9": "Every shape",
    "want green": "Solid colour",
    "same camera in several scenes": "group",
    "stands still": "two seconds",
    "worse than in Zoom": "Light",
    "Nothing changes": "Result",
    "is old": "AVX",
    "Sound stutters": "no sound",
    "Picture and sound are apart": "Sync Offset",
}


def entries() -> dict[str, str]:
    """Return the entries of the document on what can be wrong: title and text."""
    text = (REPOSITORY / "docs" / "user" / "troubleshooting.md").read_text(encoding="utf-8")
    found = re.findall(r"^\*\*(\d+)\. (.+?)\*\* (.+?)(?=\n\n)", text, re.MULTILINE | re.DOTALL)
    assert [int(number) for number, _, _ in found] == list(range(1, len(found) + 1))
    for number in re.findall(r": (\d+)\.$", text, re.MULTILINE):  # "see there"
        assert 1 <= int(number) <= len(found)
    return {title: body for _, title, body in found}


@pytest.mark.parametrize(("symptom", "word"), SYMPTOMS.items())
def test_every_symptom_is_in_the_document_with_its_cure(symptom: str, word: str) -> None:
    (body,) = [body for title, body in entries().items() if symptom in title]
    assert word in body


def test_what_the_panel_says_when_something_is_wrong_is_in_the_document() -> None:
    titles = " ".join(entries())
    assert {key for key in ENGLISH if re.fullmatch(r"state\.[a-z_]+", key)} == {
        *("state.running", "state.waiting", "state.late", "state.starved", "state.problem", "state.stopped"),
        *("state.behind", "state.hidden", "state.last_error", "state.guard_open", "state.python_busy"),
    }, "a new sentence: does docs/user/troubleshooting.md explain it?"
    for said, key in (
        ("Waiting for video", "state.waiting"),
        ("OBS draws this source less than twice a second", "state.starved"),
        ("The privacy guard is off", "state.guard_open"),
        ("another script keeps Python busy", "state.python_busy"),
        ("another script keeps Python busy", "state.python_busy.behind"),
    ):
        assert said.lower() in ENGLISH[key].lower()
        assert said.lower() in titles.lower()
