"""Hours in a real OBS: faults, restarts, load and leaks, with every recorded frame searched for the background."""
