"""Host libobs without OBS's window: the filter in the real libobs of Linux, Windows or macOS, in one Python.

`host.py` starts libobs, `camera.py` is a camera whose pictures are numbered by the test, `script.py` loads obs_eoam.py,
`cases.py` lists the settings to draw, `session.py` is the program that draws and checks them all.
"""
