"""Videos in, videos with the background removed out: what decodes is written, and what is lost is said."""

from __future__ import annotations
