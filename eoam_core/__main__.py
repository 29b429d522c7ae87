"""`python -m eoam_core`, as earlier versions had it: `python -m eoam_cli` in its place."""

import runpy

runpy.run_module("eoam_cli", run_name="__main__", alter_sys=True)
