"""What the tests run in a process of its own: to be killed, to be limited, to be measured. Its lines start with SAID.

upload_process.py hang URI BYTES       write BYTES, say "written", wait to be killed
upload_process.py limit URI BYTES      write BYTES where files may have half as many; say the error
upload_process.py measure URI BYTES    say by how many KiB memory grew over a publish of five bytes
upload_process.py leave URI BYTES      write BYTES, say "written", end without leaving the block
upload_process.py broken URI BYTES     write BYTES, say "written", read a line, write on until it fails; say the error
"""

from __future__ import annotations

import resource
import signal
import sys

from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.storage import Destination

CHUNK = 256 * 1024
LEFT_OPEN = []


def write(writer, size: int) -> None:
    data = bytes(CHUNK)
    for start in range(0, size, CHUNK):
        writer.write(bytes(bytearray(data[: size - start])))  # a new object every time, as a download has


def say(text: object) -> None:
    sys.stdout.write(f"SAID {text}\n")
    sys.stdout.flush()


def memory(field: str) -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))


def main(mode: str, uri: str, size: int) -> None:
    destination = Destination.resolve(uri)
    if mode == "measure":
        with destination.publish() as writer:
            writer.write(b"hello")
        before = memory("VmRSS")
        with open("/proc/self/clear_refs", "w") as peak:
            peak.write("5")
        with destination.publish() as writer:
            write(writer, size)
        say(memory("VmHWM") - before)
        return
    if mode == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))
    if mode == "leave":
        LEFT_OPEN.append(destination.publish())
        writer = LEFT_OPEN[0].__enter__()
        write(writer, size)
        _ = writer.sha256
        say("written")
        return
    try:
        with destination.publish() as writer:
            write(writer, size)
            _ = writer.sha256  # waits until the store has taken what was written
            if mode != "limit":
                say("written")
            if mode == "hang":
                signal.pause()
            if mode == "broken":
                sys.stdin.readline()
                write(writer, 64 * 2**20)
    except RingEventsTransferError as e:
        say(f"{e} | caused by {e.__cause__!r}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
