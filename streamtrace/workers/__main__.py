"""`python -m streamtrace.workers LINE BELL MEMORY`: started by the engine's process alone."""

from __future__ import annotations

import signal
import sys


def main(arguments: list[str]) -> None:
    """Take calls in until the line is cut."""
    from streamtrace.server.run import new_runner
    from streamtrace.workers.pipes import WorkerEnds
    from streamtrace.workers.process import work

    with new_runner() as runner:
        runner.run(work(WorkerEnds.from_arguments(arguments)))


if __name__ == "__main__":
    # Ctrl-C and service managers signal every process of a group; calls end in the engine's, which
    # then says when to go.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    main(sys.argv[1:])
