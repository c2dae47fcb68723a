"""`make fuzz`: coverage-guided fuzzing of one dialect by Atheris; libFuzzer's options go behind it.

python -m tests.fuzz --list
python -m tests.fuzz twilio CORPUS… -max_total_time=300
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["streamtrace.protocols"]):
    from tests.fuzz.inputs import parted, write_seeds
    from tests.protocols.all_dialects import DIALECTS
    from tests.protocols.stream_laws import hear


def main() -> None:
    """Never returns where it fuzzes: libFuzzer ends the process."""
    if sys.argv[1:] == ["--list"]:
        print(*DIALECTS)
        return
    if sys.argv[1:] == ["--seeds"]:
        write_seeds()
        return
    codec = sys.argv.pop(1)
    dialect = DIALECTS[codec]
    sys.argv[0] = f"{sys.executable} -m tests.fuzz {codec}"  # libFuzzer merges in a child, by shell
    atheris.Setup(sys.argv, lambda data: hear(dialect.make(), parted(data)) and None)
    atheris.Fuzz()


main()
