"""Start and control a real OBS, and read its pictures and its load. Linux with X11 only."""
