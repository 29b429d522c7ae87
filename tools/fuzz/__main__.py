"""Run the fuzzer; scripts/fuzz calls this."""

import sys

from tools.fuzz.run import main

sys.exit(main())
