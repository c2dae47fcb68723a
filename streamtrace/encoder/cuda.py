"""Whether an NVIDIA GPU is there: asked before CUDA is, so that nothing complains where none is."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def cuda_absence() -> str | None:
    """Why CUDA cannot be asked for, in words; None where it can."""
    if sys.platform == "linux" and not Path("/dev/nvidiactl").exists():
        return "no NVIDIA device (/dev/nvidiactl is missing)"
    try:
        ctypes.CDLL(DRIVER)
    except OSError:
        return f"no NVIDIA driver ({DRIVER} does not load)"
    return None
