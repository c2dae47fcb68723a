"""Starting the server: fast, and with one clear line where it cannot."""

from __future__ import annotations

import asyncio
import datetime
import resource
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from streamtrace.errors import SettingsError
from streamtrace.server.listening import CannotListen, check_tls, listen
from streamtrace.settings import Settings
from tests.live_server import live_server


def serve(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "streamtrace", "serve", *arguments],
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin",
            "STREAMTRACE_DATABASE": "memory",
            "STREAMTRACE_MAX_LOAD": "1000",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_is_ready_soon_and_ctrl_c_is_an_interruption(tmp_path: Path) -> None:
    spent_s = -cpu_of_children_s()
    process = serve(tmp_path, "--port", "0")
    assert process.stderr is not None
    assert process.stderr.readline().startswith("listening on http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    spent_s += cpu_of_children_s()
    assert process.returncode == 130
    assert output == ""
    assert spent_s < 3  # of processor time: the wall belongs to whatever else runs here


def cpu_of_children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a_port_in_use_is_one_line_and_exit_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = serve(tmp_path, "--port", str(port))
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert said.count("\n") == 1
    assert f"127.0.0.1:{port}" in said
    assert "in use" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--tls-cert", "none.pem", "--tls-key", "none.pem"],
            ["tls_cert=none.pem", "No such file"],
        ),
        (["--tls-cert", "none.pem"], ["tls_cert", "without tls_key"]),
        (["--model", "nowhere"], ["nowhere"]),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    arguments: list[str], words: list[str], tmp_path: Path
) -> None:
    process = serve(tmp_path, "--port", "0", *arguments)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert said.count("\n") == 1
    assert all(word in said for word in words)


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host"])
def test_an_address_that_is_not_ours(host: str) -> None:
    with pytest.raises(CannotListen, match="cannot listen on"):
        listen(host, 0)


def test_ipv6() -> None:
    with listen("::1", 0) as listener:
        assert listener.family == socket.AF_INET6


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed one for localhost, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / "cert.pem", folder / "key.pem"
    cert_path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_path, key_path


async def test_tls(tmp_path: Path, ingest_workers: int) -> None:
    cert, key = certificate(tmp_path)
    trust = ssl.create_default_context(cafile=cert)
    trust.check_hostname = False
    async with (
        live_server(tls_cert=cert, tls_key=key, ingest_workers=ingest_workers) as url,
        httpx.AsyncClient(verify=trust, trust_env=False) as client,
        asyncio.timeout(10),
    ):
        assert url.startswith("https://")
        assert (await client.get(f"{url}/livez")).status_code == 200


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    cert, _ = certificate(tmp_path)
    (tmp_path / "other").mkdir()
    _, key = certificate(tmp_path / "other")
    with pytest.raises(SettingsError, match="its own key"):
        check_tls(Settings(tls_cert=cert, tls_key=key))
