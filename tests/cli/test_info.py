from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from eoam_cli.info import as_text, collect
from eoam_core.settings import describe_settings

ROOT = Path(__file__).parents[2]


def test_a_good_installation_is_described_completely(network: Path) -> None:
    everything = collect(network)
    assert everything["ok"] is True
    json.dumps(everything)
    text = as_text(network)
    assert hashlib.sha256(network.read_bytes()).hexdigest() in text
    assert "licence" in text
    for info in describe_settings():
        assert info.name in text


def test_a_missing_model_is_said_and_not_raised(tmp_path: Path) -> None:
    assert collect(tmp_path / "no.onnx")["ok"] is False
    assert "There is no model file" in as_text(tmp_path / "no.onnx")


def test_it_works_without_any_library(tmp_path: Path) -> None:
    code = """
import sys
for name in ("numpy", "cv2", "onnxruntime", "av", "tqdm"):
    sys.modules[name] = None
from eoam_cli.main import main
sys.exit(main(["info"]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.count("BAD") >= 3
