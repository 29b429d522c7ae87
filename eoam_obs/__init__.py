"""The only code that touches libobs: a video filter, registered through ctypes.

Nothing is imported here: `eoam_obs` must load where numpy, onnxruntime or OpenCV are missing, and it must load once
per process (see `source_type`).
"""
