"""Run the demonstration; scripts/demo calls this."""

import sys

from tools.demo.demo import main

sys.exit(main())
