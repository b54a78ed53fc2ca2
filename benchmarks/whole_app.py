"""The whole app against a bare script: RWA trained in the window with all plots live, and nn.LSTM in a loop, in turns.

python benchmarks/whole_app.py [seconds of each turn]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from statistics import mean

os.environ["QT_QPA_PLATFORM"] = "offscreen"

LENGTH, UNITS, BATCH, RATE, CLIP = 1000, 250, 100, 1e-4, 1.0
WARM = 2  # iterations
TURNS = 2
SECONDS = 30.0

TEXT = f"""
The adding problem with T = {LENGTH}, {UNITS} units, batches of {BATCH}, on the CPU: RWA trained in the window, offscreen,
all plots live, against a bare loop with nn.LSTM, with the same batches, Adam and clipping. The window keeps one core for
the screen; the loop runs on as many threads as the window's training, and on all. Its gradient vanishes on the way to the
first time steps, to numbers so small that the processor stumbles over them: with `torch.set_flush_denormal` they are 0
instead, which is the fair comparison. Turns of {SECONDS:g} s each, in whole iterations.
""".strip()


def measured(seconds: float = SECONDS) -> tuple[list[str], list[list[float]]]:
    """What was measured, and iterations a second of it in each turn."""
    from window import opened, wait_for

    cores = os.cpu_count() or 1
    threads = list(dict.fromkeys([max(1, cores - 1), cores]))  # the window's, and all
    scripts = [*(("flushed", count) for count in threads), ("as torch comes", cores)]
    names = ["RWA in the window", *(f"nn.LSTM, {flush}, threads: {count}" for flush, count in scripts)]
    configuration = _configuration()
    with opened() as window:
        session, turns = window.session, []
        session.told.connect(lambda *words: print(*words, file=sys.stderr))
        session.train(configuration)
        wait_for(lambda: session.training is not None and len(session.training.history) > WARM)
        bare = {flush: Script(flush) for flush in ("flushed", "as torch comes")}
        for _ in range(TURNS):
            turns.append([_in_window(window, seconds)])
            session.pause()
            wait_for(lambda: not session.worker.outstanding)
            turns[-1] += [bare[flush].rate(count, seconds) for flush, count in scripts]
            session.pause()
        for script in bare.values():
            script.end()
        names[0] += f" ({session.training.device})"
        session.stop()
        wait_for(lambda: not session.training)
    return names, turns


def lines(seconds: float = SECONDS) -> list[str]:
    """A table in Markdown."""
    names, turns = measured(seconds)
    average = [mean(rates) for rates in zip(*turns, strict=True)]
    rows = [
        f"| {name} | {' '.join(f'{turn[n]:.3f}' for turn in turns)} | {average[0] / average[n]:.2f} |"
        for n, name in enumerate(names)
    ]
    return ["| training | iterations a second, in turns | the window's over it |", "|---|---:|---:|", *rows]


class Script:
    """`bare` in a process of its own."""

    def __init__(self, flush: str):
        command = [sys.executable, __file__, "bare", flush]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def rate(self, threads: int, seconds: float) -> float:
        """Iterations a second."""
        print(threads, seconds, file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())

    def end(self) -> None:
        self._process.communicate()


def bare(flush: str) -> None:
    """Train nn.LSTM for as long as each line of the input says: threads and seconds; answer with iterations a second."""
    import numpy as np
    import torch
    from torch import nn

    from rnnscope.core.tasks.adding import Adding

    torch.set_flush_denormal(flush == "flushed")  # before there are further threads, which inherit it
    task, random = Adding(length=LENGTH), np.random.default_rng(0)
    layer, readout = nn.LSTM(task.inputs, UNITS), nn.Linear(UNITS, task.outputs)
    parameters = [*layer.parameters(), *readout.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=RATE)

    def iterate() -> None:
        batch = task.draw(random, BATCH)
        optimiser.zero_grad()
        answer = readout(layer(torch.from_numpy(batch.inputs))[0][-1])
        nn.functional.mse_loss(answer, torch.from_numpy(batch.targets[-1])).backward()
        nn.utils.clip_grad_norm_(parameters, CLIP)
        optimiser.step()

    for line in sys.stdin:
        threads, seconds = line.split()
        torch.set_num_threads(int(threads))
        iterate()
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < float(seconds):
            iterate()
            done += 1
        print(done / (time.perf_counter() - began), flush=True)


def _configuration():
    """The training in the window, whose kernels are made first."""
    import torch

    from rnnscope.core.cells import RWA
    from rnnscope.core.configuration import Configuration
    from rnnscope.core.engines.kernel_cache import prepare
    from rnnscope.core.settings import make

    prepare(RWA(2, UNITS), torch.float32, wait=True)
    training = {"iterations": 1_000_000, "batch": BATCH, "learning_rate": RATE, "clip": CLIP, "device": "cpu"}
    values = {"cell": "rwa", "units": UNITS, "task": "adding", "task_settings": {"length": LENGTH}, "training": training}
    return make(Configuration, values)


def _in_window(window, seconds: float) -> float:
    """Whole iterations a second, from the end of one to the end of another."""
    from window import run_for, wait_for

    def at_the_end_of_one() -> tuple[float, int]:
        so_far = len(window.session.training.history)
        wait_for(lambda: len(window.session.training.history) > so_far)
        return time.perf_counter(), len(window.session.training.history)

    began, first = at_the_end_of_one()
    run_for(seconds)
    ended, last = at_the_end_of_one()
    return (last - first) / (ended - began)


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        bare(sys.argv[2])
    else:
        print("\n".join(lines(*map(float, sys.argv[1:]))))
