"""What every test shares: one thread per torch operator, and no browser test skipped unseen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("STREAMTRACE_MAX_LOAD", "1000")  # servers take calls however busy tests are
os.environ.setdefault("STREAMTRACE_DATABASE", "memory")  # what keeps events names a file of its own
os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported; cores are few

pytest_plugins = ["tests.postgres"]

LONG = Path(__file__).parent / "workers"
BROWSER_KEY = pytest.StashKey["BrowserWatch"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that `.ci/run` sets."""
    parser.addoption(
        "--fail-on-browser-skip",
        action="store_true",
        help="fail if a test marked `browser` was skipped, or if none ran at all",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Watch in the process that hears of every test, also where workers run them."""
    if config.getoption("--fail-on-browser-skip") and not hasattr(config, "workerinput"):
        watch = BrowserWatch(config.rootpath)
        config.stash[BROWSER_KEY] = watch
        config.pluginmanager.register(watch, "browser-watch")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: a process that comes to one last is waited for by the others."""
    items.sort(key=lambda item: not item.path.is_relative_to(LONG))


class BrowserWatch:
    """Counts browser tests that ran and names those that did not."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ran = 0
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """See each phase of each test."""
        if "browser" not in report.keywords:
            return
        if report.skipped:
            self.skipped.append(report.nodeid)
        elif report.when == "call":
            self.ran += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """See modules skipped as a whole, of whose markers only the text is known."""
        if report.skipped and "mark.browser" in (self.root / report.nodeid).read_text():
            self.skipped.append(report.nodeid)

    def complaint(self) -> str | None:
        """What is wrong, if anything."""
        if self.skipped:
            return f"browser tests were skipped: {', '.join(self.skipped)}"
        if not self.ran:
            return "no browser test ran"
        return None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn a skip into a failure; failures that are there already keep their status."""
        if self.complaint() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say it where it is read; pytest's closing line still comes last."""
        if complaint := self.complaint():
            terminalreporter.write_line(f"ERROR: {complaint} (--fail-on-browser-skip)", red=True)
