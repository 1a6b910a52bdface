"""A process that works on one task after the other, which may crash without harm: python -m koutu.batch.worker.

Reads tasks, a line of JSON each, from standard input, and answers each by one on what was standard output; when the
input ends, whoever gave the tasks is gone, and so is the worker.
"""

import os
import queue
import signal
import sys
import threading
from typing import IO

from koutu.batch.task import Task, task_of
from koutu.batch.work import answered


def main() -> None:
    """Work until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever gave the tasks ends them
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # unwind: what is half-written goes
    tasks: queue.Queue[Task] = queue.Queue()
    threading.Thread(target=_listen, args=(sys.stdin, tasks), daemon=True).start()
    while True:
        print(answered(tasks.get()), file=answers, flush=True)


def _listen(lines: IO[str], tasks: "queue.Queue[Task]") -> None:
    for line in lines:
        tasks.put(task_of(line))
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
