"""Run `python -m eoam_cli` for `python -m eoam_core`, the name in earlier versions."""

import runpy

runpy.run_module("eoam_cli", run_name="__main__", alter_sys=True)
