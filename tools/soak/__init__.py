"""Test a real OBS for hours: faults, restarts, load and leaks; every recorded frame is searched for the background."""
