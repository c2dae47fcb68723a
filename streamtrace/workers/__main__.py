"""`python -m streamtrace.workers LINE BELL MEMORY`: started by the engine's process alone."""

from __future__ import annotations

import signal
import sys


def main(arguments: list[str]) -> int:
    """Take calls in until told to stop; the exit code."""
    from streamtrace.errors import StreamTraceError
    from streamtrace.server.run import new_runner
    from streamtrace.workers.pipes import WorkerEnds
    from streamtrace.workers.process import work

    try:
        with new_runner() as runner:
            runner.run(work(WorkerEnds.from_arguments(arguments)))
    except StreamTraceError as problem:
        print(f"streamtrace: ingest worker: {problem}", file=sys.stderr)
        return problem.exit_code
    return 0


if __name__ == "__main__":
    # Ctrl-C and service managers signal every process of a group; calls end in the engine's, which
    # then says when to go.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(main(sys.argv[1:]))
