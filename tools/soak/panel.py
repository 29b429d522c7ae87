"""For scripts in OBS beside EOAM: have its panel under Tools > Scripts made, as that dialog does. Linux only."""

import ctypes
import sys
from pathlib import Path


def make_scripts_panel() -> bool:
    """Ask libobs-scripting for the panel, throw it away, and say whether there was one. On OBS's UI thread."""
    mapped = Path("/proc/self/maps").read_text().splitlines()
    get = ctypes.CDLL(next(line.split()[-1] for line in mapped if "libobs-scripting" in line)).obs_script_get_properties
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    destroy = ctypes.CDLL(None).obs_properties_destroy
    destroy.argtypes = [ctypes.c_void_p]
    panel = get(pointer(sys.modules["obs_eoam"].__script_data__, None))
    destroy(panel)
    return panel is not None
