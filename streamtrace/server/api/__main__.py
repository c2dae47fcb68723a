"""`python -m streamtrace.server.api [DIR]`, or `make api`: writes both documents anew."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from streamtrace.server.api.asyncapi import asyncapi
from streamtrace.server.api.openapi import openapi

COMMITTED = Path(__file__).parents[3] / "deploy" / "api"


def described() -> FastAPI:
    """The server's application, of which only the routes are looked at: no engine runs."""
    from streamtrace.configuration import load_settings
    from streamtrace.engine import Engine
    from streamtrace.server.app import create_app
    from streamtrace.server.state import ServerState

    return create_app(ServerState(load_settings(), Engine()))


def documents(app: FastAPI) -> dict[str, dict[str, Any]]:
    """Each by the name of its file."""
    return {"openapi.json": openapi(app), "asyncapi.json": asyncapi()}


def text_of(document: dict[str, Any]) -> str:
    """As it is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Run argv."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else COMMITTED
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents(described()).items():
        (folder / name).write_text(text_of(document), encoding="utf-8")
        print(folder / name, file=sys.stderr)


if __name__ == "__main__":
    main()
