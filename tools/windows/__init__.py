"""Run the project's tests under Wine, with Windows' Python, libobs and OBS's script host."""
