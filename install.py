#!/usr/bin/env python3
"""Install EOAM Background Removal for OBS Studio: python3 install.py (--help lists the options)."""

import sys

if sys.version_info < (3, 9):  # noqa: UP036
    sys.exit("install.py needs Python 3.9 or newer; this is Python %d.%d." % sys.version_info[:2])  # noqa: UP031

try:
    from eoam_install.command import main
except ModuleNotFoundError as error:
    sys.exit(f"The folder eoam_install must lie beside install.py ({error}). Unpack the whole download first.")

if __name__ == "__main__":
    sys.exit(main())
