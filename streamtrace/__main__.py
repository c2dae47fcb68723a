"""`python -m streamtrace` is `streamtrace`."""

from __future__ import annotations

from streamtrace.cli import main

if __name__ == "__main__":
    main()
