"""Windows on Linux: Windows' Python, libobs and OBS's script host under Wine, to run the project's tests there."""
