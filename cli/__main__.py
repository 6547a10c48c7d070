"""`python -m arvae_music.cli`."""

import sys

from .main import main

sys.exit(main())
