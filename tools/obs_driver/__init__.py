"""Start a real OBS, have it do things, look at its pictures and its load. Linux with X11 only."""
