"""Where the server listens, checked before anything slow: the port, and the certificate."""

from __future__ import annotations

import errno
import socket
import ssl
import sys

from streamtrace.errors import SettingsError, StreamTraceError
from streamtrace.settings import Settings

BACKLOG = 2048


class CannotListen(StreamTraceError):
    """The address cannot be listened on; the text says why and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one."""
    bound = bind(host, port)
    try:
        bound.listen(BACKLOG)
    except OSError as cause:
        bound.close()
        raise _cannot_listen(host, port, cause) from None
    return bound


def bind_audiosocket(settings: Settings, *, shared: bool = False) -> socket.socket | None:
    """A socket that has the address for AudioSocket, if it is on."""
    if settings.audiosocket_port is None:
        return None
    try:
        return bind(settings.audiosocket_host, settings.audiosocket_port, shared=shared)
    except CannotListen as cause:
        raise CannotListen(f"audiosocket_host, audiosocket_port: {cause}") from None


def with_port_of(audiosocket: socket.socket | None, settings: Settings) -> Settings:
    """The settings with the port that was taken, where any free one was wanted."""
    port = None if audiosocket is None else audiosocket.getsockname()[1]
    return settings.model_copy(update={"audiosocket_port": port})


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket that has the address; `shared` with others of this user that say so too."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Connections inherit it: without, an answer's body waits 40 ms for its headers' receipt.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sys.platform != "win32":  # there it would share the port with whoever has it
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
        return bound
    except OSError as cause:
        bound.close()
        raise _cannot_listen(host, port, cause) from None


def _cannot_listen(host: str, port: int, cause: OSError) -> CannotListen:
    if isinstance(cause, socket.gaierror):
        reason = "no such host; give an address"
    elif cause.errno == errno.EADDRINUSE:
        reason = "the port is in use; stop what listens there, or choose another with --port"
    elif cause.errno == errno.EACCES:
        reason = "not allowed; ports under 1024 are the system's, choose another with --port"
    else:
        reason = f"{cause.strerror}; choose an address of this machine with --host"
    return CannotListen(f"cannot listen on {host}:{port}: {reason}")


def check_tls(settings: Settings) -> None:
    """Raise `SettingsError` where certificate and key cannot be used."""
    if settings.tls_cert is None or settings.tls_key is None:
        return
    for key, path in (("tls_cert", settings.tls_cert), ("tls_key", settings.tls_key)):
        try:
            path.open("rb").close()
        except OSError as cause:
            raise SettingsError(f"{key}={path}: {cause.strerror}; want a PEM file") from None
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            settings.tls_cert, settings.tls_key
        )
    except ssl.SSLError:
        raise SettingsError(
            f"tls_cert={settings.tls_cert}, tls_key={settings.tls_key}: "
            "want a certificate chain and its own key without a password, both PEM"
        ) from None


def base_url(settings: Settings, listener: socket.socket) -> str:
    """Where the server is reached."""
    scheme = "http" if settings.tls_cert is None else "https"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{listener.getsockname()[1]}"
