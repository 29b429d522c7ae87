"""What would go wrong with an .effect file on Direct3D or Metal, found without either, and without OBS.

`faults` reads a file as libobs and its three renderers do. `unset` and `undrawn` compare what a file's techniques read
with what was set before they were drawn. Each module names the part of obs-studio (at f86e9c1d, after 32.2.1) that its
rules come from.
"""

from tests.obs.shader_check.draws import Draw, undrawn, uniforms, unset
from tests.obs.shader_check.rules import faults
from tests.obs.shader_check.tokens import EffectError

__all__ = ["Draw", "EffectError", "faults", "undrawn", "uniforms", "unset"]
