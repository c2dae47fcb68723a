"""ICE servers for callers, as WHIP tells them: `Link` headers (RFC 9725, section 4.6)."""

from __future__ import annotations

from streamtrace.settings import Settings


def ice_links(settings: Settings) -> dict[str, str]:
    """The header, if there is a server; only for callers who may place calls: it holds a secret."""
    links = [
        f'<{url}>; rel="ice-server"' + (_login(settings) if url.startswith("turn") else "")
        for url in settings.ice_servers
    ]
    return {"link": ", ".join(links)} if links else {}


def _login(settings: Settings) -> str:
    if settings.ice_username is None or settings.ice_credential is None:
        return ""
    credential = settings.ice_credential.get_secret_value()
    return (
        f"; username={_quoted(settings.ice_username)}; credential={_quoted(credential)}"
        '; credential-type="password"'
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
