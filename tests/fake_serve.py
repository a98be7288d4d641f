"""Stands in for `asr-server serve` as a child process: says what it is told to, notes its end in a file.

python fake_serve.py NOTES ready 127.0.0.1:50051    prints noise and the ready line, then waits for SIGTERM
python fake_serve.py NOTES fail 2 "message"         prints the message on stderr and ends with the code
python fake_serve.py NOTES hang                     never gets ready
"""

import signal
import sys
from pathlib import Path


def main(notes: Path, action: str, *rest: str) -> None:
    notes.write_text("started")
    if action == "fail":
        code, message = rest
        sys.stderr.write(f"loading\n{message}\n")
        raise SystemExit(int(code))

    def on_term(*_: object) -> None:
        notes.write_text("ended by SIGTERM")
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, on_term)
    sys.stderr.write("x" * 200_000)  # more than a pipe holds: somebody must read it
    if action == "ready":
        sys.stdout.write(f"loading weights\nready {rest[0]}\n")
        sys.stdout.flush()
        sys.stdout.write("y" * 200_000)
        sys.stdout.flush()
    notes.write_text("running")
    signal.pause()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
