"""`streamtrace serve`: settings first, then the server."""

from __future__ import annotations

from pathlib import Path

from streamtrace.configuration import load_settings


def run(
    *,
    host: str | None,
    port: int | None,
    model: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    ingest_workers: int | None,
) -> int:
    """Serve until told to stop; what is given here beats environment and file."""
    settings = load_settings(
        host=host,
        port=port,
        model=model,
        tls_cert=tls_cert,
        tls_key=tls_key,
        ingest_workers=ingest_workers,
    )
    # Behind the settings: a wrong one is told at once, not after the server has been imported.
    if settings.ingest_workers:
        from streamtrace.workers.run import serve
    else:
        from streamtrace.server.run import serve

    return serve(settings)
