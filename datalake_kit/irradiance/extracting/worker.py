"""The other end of `workers`: a process that reads one day after another, until nobody asks any more."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from datalake_kit.errors import DataError, DatalakeKitError
from datalake_kit.irradiance.extracting.days import extract_day
from datalake_kit.storage import use_profile

__all__ = ["READY", "WAY_OUT", "serve"]

READY = "ready"
WAY_OUT = "Define the classes of its product in a module, not in the script or notebook, or give workers=1."


def serve(descriptor: int) -> None:
    """Take jobs from a socket and answer each with what `extract_day` gave, or raised; first, the profiles of buckets.

    The process ends in the moment in which the other end is closed, also in the middle of a day: then nobody waits for
    the answer. Ctrl-C at a terminal reaches every process; here it is left to the one that asks.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line: Connection[Any, Any] = Connection(descriptor)
    asked: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(line, asked), daemon=True).start()
    for bucket, (profile, region) in asked.get().items():
        use_profile(bucket, profile=profile, region=region)
    line.send(READY)
    while True:
        answer = _answer(asked.get())
        try:
            line.send(answer)
        except Exception as error:  # noqa: BLE001 - an exception of another package that cannot be sent as it is
            line.send(RuntimeError(f"{type(answer).__name__}: {answer} (cannot be sent: {error})"))


def _listen(line: Connection[Any, Any], asked: SimpleQueue[Any]) -> None:
    while True:
        try:
            asked.put(line.recv())
        except (EOFError, OSError):
            os._exit(0)
        except Exception as error:  # noqa: BLE001 - a job may be made of classes that are not known here
            asked.put(DataError(f"The day cannot be read by another process: {error}. {WAY_OUT}"))


def _answer(job: Any) -> Any:
    if isinstance(job, Exception):
        return job
    try:
        return extract_day(job)
    except Exception as error:  # noqa: BLE001 - raised where the day was asked for
        if not isinstance(error, DatalakeKitError):
            error.add_note(traceback.format_exc())
        return error
