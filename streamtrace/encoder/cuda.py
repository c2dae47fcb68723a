"""Whether an NVIDIA GPU is there: asked before CUDA is, so that nothing complains where none is."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from pathlib import Path

# The second is the GPU's only node under WSL2, whoever made the GPU.
NODES = (Path("/dev/nvidiactl"), Path("/dev/dxg"))
DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def cuda_absence(nodes: Sequence[Path] = NODES) -> str | None:
    """Why CUDA cannot be asked for, in words; None where it can."""
    if sys.platform == "linux" and not any(node.exists() for node in nodes):
        return f"no NVIDIA device ({' and '.join(map(str, nodes))} are missing)"
    try:
        ctypes.CDLL(DRIVER)
    except OSError:
        return f"no NVIDIA driver ({DRIVER} does not load)"
    return None
