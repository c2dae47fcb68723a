"""What is written about the project stays true, and its parts keep to their places."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

import streamtrace
from streamtrace import errors
from streamtrace.events.wire import CloudEvent
from streamtrace.settings import Settings
from streamtrace.sources.file import decode_mono

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(
            page
            for folder in ("benchmarks", "deploy", "streamtrace", "trainer")
            for page in (ROOT / folder).rglob("*.md")
            if "node_modules" not in page.parts
        ),
    ]
)
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DASHBOARD = ROOT / "streamtrace" / "dashboard"
# What runs when a wheel is built, with the packages of that alone.
BUILDING = (DASHBOARD / "build.py", DASHBOARD / "hatch_build.py")
# Distributions that are parts of another one's interface, and come with it.
PARTS = {"pydantic-core": "pydantic", "starlette": "fastapi"}
PIN = re.compile(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*")


def declared(*extras: str) -> set[str]:
    """The names of the dependencies that serving, or these extras, bring."""
    if extras:
        lists = [PROJECT["project"]["optional-dependencies"][extra] for extra in extras]
    else:
        lists = [PROJECT["project"]["dependencies"]]
    return {
        canonical(re.split(r"[<>=!;\[ ]", line, maxsplit=1)[0]) for lines in lists for line in lines
    }


def canonical(name: str) -> str:
    """`Prometheus_Client` and `prometheus-client` are the same."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(package: str) -> Iterator[tuple[Path, str]]:
    """Every top-level name that a package's files import, wherever in the file."""
    for path in sorted((ROOT / package).rglob("*.py")):
        if path in BUILDING:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name.split(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield path, node.module.split(".")[0]


def loaded_by(statement: str, *suspects: str) -> list[str]:
    """Which of the modules a fresh interpreter has loaded behind the statement."""
    code = f"import sys\n{statement}\nprint(*sorted(set({suspects!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.split()


def test_public_names_are_these() -> None:
    assert streamtrace.__all__ == ["Call", "Engine", "__version__"]
    assert all(getattr(streamtrace, name) for name in streamtrace.__all__)


def test_version_is_the_distribution_s() -> None:
    assert PROJECT["project"]["version"] == streamtrace.__version__


def test_packages_open_without_heavy_parts() -> None:
    packages = sorted(
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "streamtrace").rglob("__init__.py")
    )
    heavy = ("torch", "onnxruntime", "pydantic", "structlog", "fastapi", "aiortc", "sounddevice")
    assert loaded_by(f"import {', '.join(packages)}", *heavy) == []


def test_serving_loads_neither_torch_nor_the_microphone() -> None:
    statement = "import streamtrace.commands.serve, streamtrace.server.app, streamtrace.server.run"
    assert loaded_by(statement, "torch", "sounddevice", "trainer", "scipy", "sklearn") == []


def test_the_network_s_definition_needs_torch_and_numpy_alone() -> None:
    unneeded = ("onnxruntime", "pydantic", "structlog", "fastapi", "aiortc", "av", "soxr")
    assert loaded_by("import streamtrace.encoder.conformer", *unneeded) == []


def test_the_microphone_s_source_alone_asks_for_portaudio() -> None:
    askers = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "streamtrace").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Constant) and node.value == "sounddevice")
        or (isinstance(node, ast.Import) and node.names[0].name == "sounddevice")
        or (isinstance(node, ast.ImportFrom) and node.module == "sounddevice")
    }
    assert askers == {"streamtrace/sources/mic.py"}


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("package", "extras"),
    [("streamtrace", ()), ("trainer", ("train", "ssl")), ("benchmarks", ("dev", "train"))],
)
def test_every_import_is_a_declared_dependency(package: str, extras: tuple[str, ...]) -> None:
    known = declared() | (declared(*extras) if extras else set())
    if package == "streamtrace":
        known |= declared("gpu")  # torch; import contracts say where
    known |= {canonical(part) for part, whole in PARTS.items() if whole in known}
    own = {"streamtrace", "trainer", "benchmarks", "tests"} | set(sys.stdlib_module_names)
    providers = importlib.metadata.packages_distributions()
    stray = {
        f"{path.relative_to(ROOT)}: {name}"
        for path, name in imported(package)
        if name not in own and not {canonical(d) for d in providers.get(name, ())} & known
    }
    assert stray == set()


def test_every_dependency_is_pinned_and_explained() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not PIN.fullmatch(line)] == []
    pinned = {canonical(line.split("==")[0]) for line in lines}
    explained = set(
        re.findall(
            r"`([a-z0-9-]+)`", (ROOT / "CONTRIBUTING.md").read_text().split("and why each")[1]
        )
    )
    for name in declared() | declared("train", "ssl", "gpu", "postgres", "dev"):
        assert name in pinned, f"{name} is not in constraints.txt"
        assert name in explained, f"{name} has no line in CONTRIBUTING.md"


def test_torch_comes_with_extras_only() -> None:
    assert "torch" not in declared()
    assert "torch" in declared("train")
    assert "torch" in declared("gpu")


def test_readme_tells_every_setting_and_its_default() -> None:
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, ()) else f"`{field.default}`"
        row = f"| `{name}` | {default} | {field.description} |"
        assert row in README, f"README's table of settings lacks: {row}"


def test_readme_names_every_event() -> None:
    kinds = [kind.model_fields["type"].default for kind in CloudEvent.__subclasses__()]
    assert len(kinds) > 5
    assert [kind for kind in kinds if f"`{kind}`" not in README] == []


def test_readme_s_example_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in example.splitlines() if line]) <= 12
    pcm = decode_mono(ROOT / "streamtrace" / "demo" / "clips" / "flite-kal.opus")[: 4 * 16_000]
    with wave.open(str(tmp_path / "voice.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((pcm * 32_767).astype("<i2").tobytes())
    done = subprocess.run(
        [sys.executable, "-c", example], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["type"] for event in events][:2] == ["call.started.v1", "call.media.v1"]
    assert events[-1]["type"] == "call.ended.v1"
    finals = [event["data"] for event in events if event["data"].get("is_final")]
    assert [final["external_id"] for final in finals] == ["my-own-id"]


def test_readme_names_every_error() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    names = {kind.__name__ for kind in kinds if issubclass(kind, errors.StreamTraceError)}
    assert {name for name in names if f"`{name}`" not in README} == {"StreamTraceError"}


def test_readme_names_every_command() -> None:
    from streamtrace.cli import app

    names = [command.name or command.callback.__name__ for command in app.registered_commands]  # type: ignore[union-attr]
    names += [group.name or "" for group in app.registered_groups]
    assert [name for name in names if f"`streamtrace {name}" not in README] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)|src=\"([^\"]+)\"", page.read_text())
    names = [first or second for first, second in targets]
    local = [name for name in names if "://" not in name]
    assert [name for name in local if not (page.parent / name).exists()] == []


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "deploy" / "decisions"
    index = (folder / "README.md").read_text()
    pages = sorted(path for path in folder.glob("0*.md"))
    assert pages
    for page in pages:
        assert f"({page.name})" in index
        parts = re.findall(r"^## (.*)$", page.read_text(), re.MULTILINE)
        assert parts == [
            "Context",
            "Options",
            "Decision",
            "Consequences",
            "How we would notice it is wrong",
        ], page.name


def test_the_page_loads_nothing_from_elsewhere_and_nothing_inline() -> None:
    page = (DASHBOARD / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\bstyle=|\bon[a-z]+=|javascript:", page) == []
    for path in [*DASHBOARD.glob("src/*"), *DASHBOARD.glob("public/*/*")]:
        addresses = set(re.findall(r"\w+://[^\s\"'`]+", path.read_text()))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path.name


def test_the_dashboard_s_packages_are_named_without_addresses_of_registries() -> None:
    lock = json.loads((DASHBOARD / "package-lock.json").read_text())
    assert len(lock["packages"]) > 5
    for name, package in lock["packages"].items():
        assert "resolved" not in package, name
        assert name == "" or package["integrity"].startswith("sha512-"), name


@pytest.mark.parametrize(
    ("body", "fails", "said"),
    [
        ("@pytest.mark.browser\ndef test_it(): pass", False, "2 passed"),
        ("@pytest.mark.browser\ndef test_it(): pytest.skip()", True, "were skipped: test_it.py::"),
        ("m = pytest.mark.browser\npytest.importorskip('none')", True, "were skipped: test_it.py"),
        ("def test_it(): pass", True, "no browser test ran"),
    ],
)
def test_a_run_that_skips_the_browser_fails_where_asked(
    tmp_path: Path, body: str, said: str, *, fails: bool
) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(f"import pytest\n{body}\ndef test_other(): pass\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = browser\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--fail-on-browser-skip"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert ((done.returncode != 0), said in done.stdout) == (fails, True), done.stdout
    assert re.fullmatch("=+ .* in .*s =+", done.stdout.splitlines()[-1])
