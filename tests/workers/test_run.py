"""The server with ingest processes, as a process: started, refused, killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamtrace.errors import SettingsError
from streamtrace.server.listening import bind
from streamtrace.settings import Settings
from streamtrace.workers.run import check_platform
from streamtrace.workers.sockets import check_folder
from tests.workers.processes import workers_of

ROOT = Path(__file__).parents[2]


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "streamtrace", "serve", "--ingest-workers", "2", *arguments],
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin",
            "STREAMTRACE_DATABASE": "memory",
            "STREAMTRACE_MAX_LOAD": "1000",
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(folder),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Sockets lie in it, whose names are short; pytest's own folder may lie too deep."""
    with tempfile.TemporaryDirectory(prefix="st-") as folder:
        yield Path(folder)


def test_no_orphan_survives_its_parent(short_path: Path) -> None:
    with serving(short_path, "--port", "0") as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert said.startswith("listening on http://127.0.0.1:")
        port = int(said.rpartition(":")[2])
        workers = workers_of(process.pid)
        assert len(workers) == 2
        assert [path.stat().st_mode & 0o777 for path in short_path.glob("streamtrace-*")] == [0o700]

        # Sharing a port is for our own workers: somebody else's server is told that it is taken.
        with serving(short_path, "--port", str(port)) as second:
            output, problem = second.communicate(timeout=30)
        assert (second.returncode, output, problem.count("\n")) == (1, "", 1)
        assert "in use" in problem

        process.send_signal(signal.SIGKILL)
        process.wait()
        gone_by = time.monotonic() + 20
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < gone_by
            time.sleep(0.05)
        assert list(short_path.glob("streamtrace-*")) == []
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
        assert [line["event"] for line in lines if line["level"] != "info"] == []
        bind("127.0.0.1", port).close()


def test_ctrl_c_reaches_every_process_and_ends_each_once(short_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "streamtrace", "serve", "--ingest-workers", "2", "--port", "0"],
        cwd=short_path,
        env={
            "PATH": "/usr/bin:/bin",
            "STREAMTRACE_DATABASE": "memory",
            "STREAMTRACE_MAX_LOAD": "1000",
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(short_path),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        assert "listening on" in process.stderr.readline()
        workers = workers_of(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        output, said = process.communicate(timeout=20)
    assert (process.returncode, output) == (130, "")
    assert "listening" not in said
    assert "Traceback" not in said
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert list(short_path.glob("streamtrace-*")) == []


def test_other_platforms_are_told_what_to_do() -> None:
    check_platform(Settings(ingest_workers=2), "linux")
    check_platform(Settings(), "darwin")
    with pytest.raises(SettingsError, match="ingest_workers=2: needs Linux, this is darwin"):
        check_platform(Settings(ingest_workers=2), "darwin")


def test_a_folder_that_no_socket_fits_in() -> None:
    check_folder(Path("/tmp/streamtrace-abcdefgh"))
    with pytest.raises(SettingsError, match="TMPDIR"):
        check_folder(Path("/" + "long" * 30) / "streamtrace-abcdefgh")


def test_a_shared_port_is_shared_with_those_who_say_so_too() -> None:
    with bind("127.0.0.1", 0, shared=True) as held:
        port = held.getsockname()[1]
        with bind("127.0.0.1", port, shared=True) as worker:
            worker.listen()
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                accepted, _ = worker.accept()
                accepted.close()


def test_an_ingest_process_has_no_engine() -> None:
    code = "import sys, streamtrace.workers.process; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not {"onnxruntime", "streamtrace.engine", "typer"} & set(done.stdout.split())
