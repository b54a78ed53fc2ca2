"""The source of a cell's kernels, forward and backward over a chunk of time steps, around the emitted update."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rnnscope.core.cells.cell import Cell
from rnnscope.core.engines.emitting import Emitted, backward_lines, forward_lines, signals_of
from rnnscope.core.engines.kernel_head import HEAD, LOOKS, YIELDING
from rnnscope.core.engines.numerics import DOUBLE, SINGLE

FORWARD = '''
@njit(**KERNEL)
def {name}(gates, kept, rows, weight, constants, lower, states, signals, begin, place, offset, first, last, arrived):
    """States after each time step of the chunk from `begin` on, for sequences first..last: states[place] is given.

    `gates` holds what the inputs and the biases give; with what the states before give on top of it, it makes what is
    `kept`, for each gate that something feeds all of the chunk or one row that is overwritten. The rows of `gates` are
    those from `offset` on, which is `first`; but knowing that, LLVM would compare blocks of sequences where rows do not
    overlap, and run the slow loop.

    The units of a single sequence can be parted among threads, which meet at each time step: then parts stand where
    else sequences stand, `gates` and `weight` are those of the part, and h is that of all. In rows[1] lies what a time step
    has found of a state and the next one needs again.
    """
    steps, units = gates.shape[0], np.uint64(states[0].shape[2])  # without a sign, for which no index is looked at then
    parts = weight.shape[1] // states[0].shape[2]
{ready}
    row = rows[0]
    for t in range(steps):
        at, now = place + t, begin + t
        before, start = states[0][at], first
        if parts > 1:
            meet(arrived, parts)
            before, start = before.reshape(1, -1), 0
        product(before, start, weight, row, first, last, t & 1)
{before}
        for b in range(first, last):
{loops}
'''

BACKWARD = '''
@njit(**KERNEL)
def {name}(
    gates, kept, rows, weight, constants, lower, to_lower, states, adjoints, carried, back, sums, squares,
    begin, place, offset, first, last, arrived,
):
    """Adjoints of all preactivations of the chunk from `begin` on, in `gates`, for sequences first..last.

    `adjoints` are those of the outputs, or one row of zeros; `carried[n][0]` and `back` hold what the chunk hands to that
    before it. Adjoints of gates that nothing feeds are added to `sums[first]`. `squares` gets the sums over units of the
    squared adjoints of the states after each time step: of the whole in coordinates, then of each state. Of parted units,
    `weight` holds the columns of the part, and two rows take turns, so that no part writes where another one still reads.
    Time runs backward through memory, which no processor foresees where time steps are short.

    Branches are few: where time steps are short, a processor that foresees them all is a seventh faster.
    """
    steps, units = gates.shape[0], np.uint64(states[0].shape[2])
    short = (last - first) * states[0].shape[2] < NEAR
    for t in range(steps - 1, -1, -1):
        at, now = place + t, begin + t
        row, earlier, later = rows[now & 1], {earlier}, {later}
{before}
        for b in range(first, last):
{body}
        if short and t >= AHEAD:
            for k in range(0, (last - first) * states[0].shape[2], LINE):
{ahead}
        after, start = row, first
        if weight.shape[1] > row.shape[1]:
            meet(arrived, len(row))
            after, start = row.reshape(1, -1), 0
        product(after, start, weight, back, first, last, t & 1)
'''

ENTER = '''
@njit(**KERNEL)
def enter(gates, inputs, weight, bias, edge, start):
    """Fill `gates` (C, B, N) with what biases and, before column `edge`, inputs of the sequences from `start` on give."""
    steps, rows, columns = gates.shape
    batch = inputs.shape[1]
    left, out = inputs.reshape(steps * batch, inputs.shape[2]), gates.reshape(steps * rows, columns)
    span = max(1, BLOCK // rows) if rows == batch else 1
    for t in range(0, steps, span):
        first, last = t * rows, min(t + span, steps) * rows
        for row in range(first, last):
            for n in range(edge):
                out[row, n] = bias[n]
        added(left, t * batch + start, weight, out, first, last, False)
        for row in range(first, last):
            for n in range(edge, columns):  # not before: here an input that is infinite would leave NaN
                out[row, n] = bias[n]
'''

COLLECT = '''
@njit(**KERNEL)
def collect(gates, inputs, hidden, room, panels, to_x, to_h, to_bias, start):
    """Add what the adjoints in `gates` (C, B, N) give to the gradients of weights by x and h, (., columns), and of biases.

    Their sequences are those from `start` on, of the inputs and of the hidden states before. `to_x` has the panels of the
    first gates, `to_h` those of the last. There is room for DEPTH rows of gates in `panels`, and of what they multiply in
    `room`.
    """
    steps, rows, columns = gates.shape
    count, many = steps * rows, columns // WIDTH
    flat, blocks = gates.reshape(count, columns), (count + DEPTH - 1) // DEPTH
    for n in range(blocks):
        first = n * count // blocks
        depth = (n + 1) * count // blocks - first
        right = panels[: many * depth * WIDTH].reshape(many, depth, WIDTH)
        for p in range(many):
            laid(flat, first, right, p, to_bias)
        gained(inputs, start, rows, first, room, right[: to_x.shape[1] // WIDTH], to_x)
        gained(hidden, start, rows, first, room, right[many - to_h.shape[1] // WIDTH :], to_h)


@njit(**OPTIONS)
def gained(values, start, rows, first, room, right, out):
    """Add to `out` (N, columns) what rows `first`.. of a chunk of `values` (C, B, N) give with as many of `right`."""
    depth, count = right.shape[1], values.shape[2]
    left = room[: depth * count].reshape(depth, count)
    for i in range(depth):
        t, b = (first + i) // rows, start + (first + i) % rows
        for k in range(count):
            left[i, k] = values[t, b, k]
    turned(left, 0, right, out, 0, count, False)
'''

KEEP = '''
@njit(**KERNEL)
def keep(gates, kept, offset, first, last):
    """What is kept of the preactivations of a chunk, which are whole in `gates`."""
    units = np.uint64(kept[0].shape[2])
    for t in range(gates.shape[0]):
        for b in range(first, last):
            for k in range(units):
{body}
'''

WARM = '''

def warm():
    """Call all kernels on next to nothing."""
    gates, rows, there, again, constants, back, sums = (np.zeros(shape, F) for shape in {shapes})
    arrived = np.zeros(1, np.int64)
    kept, lower, to_lower, states, adjoints, carried, signals = (
        tuple(np.zeros(shape, F) for _ in range(count)) for count, shape in {counts}
    )
    row, nothing = np.zeros(gates.shape[2], F), np.zeros((gates.shape[2], 0), F)
    enter(gates, gates, there, row, 0, 0)
    collect(gates, gates, gates, row, row, nothing, nothing, row, 0)
    keep(gates, kept, 0, 0, 1)
    for kernel in forward, traced:
        kernel(gates, kept, rows, there, constants, lower, states, signals, 0, 0, 0, 0, 1, arrived)
    for kernel in backward, gauged:
        arrays = gates, kept, rows, again, constants, lower, to_lower, states, adjoints, carried, back, sums
        kernel(*arrays, np.zeros((1, 1, {norms})), 0, 0, 0, 0, 1, arrived)
'''


def source_of(cell: Cell, dtype: str) -> str:
    """Python source of the kernels of a cell in "float32" or "float64". Raises Unemittable."""
    forward, traced = forward_lines(cell), forward_lines(cell, traced=True)
    backward, gauged = (_from_states(cell, gauged) for gauged in (False, True))
    kept = _kept(cell, forward, gauged)
    gates = _gates(cell, traced, kept)
    signals = [name for name in signals_of(cell) if name not in gates]
    given = _indented([f"given{n} = min(t, len(adjoints[{n}]) - 1)" for n, _ in enumerate(cell.states)], 8)
    keeps = _indented([f"keeps{n} = min(t, len(kept[{column}]) - 1)" for n, column, _ in _columns(cell)], 8)
    read = [column for n, column, _ in _columns(cell) if gauged.uses(gauged.named(kept[n]))]
    both = {"before": given, "ahead": _indented(_ahead(cell, read))}
    plain = _indented(_over_units(_backward(cell, backward, kept)), 12)
    norms = _indented(_gauged(cell, gauged, kept, single=dtype == "float32"), 12)
    helpers = (SINGLE if dtype == "float32" else DOUBLE).replace("\ndef ", '\n@njit(inline="always", **OPTIONS)\ndef ')
    head = {"name": cell.name, "dtype": dtype, "yielding": YIELDING, "looks": LOOKS}
    return (
        HEAD.format(signals=signals, gates=gates, read=read, **head)
        + helpers
        + FORWARD.format(name="forward", before=keeps, **_forward(cell, forward, kept, {}))
        + FORWARD.format(name="traced", before=keeps, **_forward(cell, traced, kept, gates))
        + ENTER
        + COLLECT
        + KEEP.format(body=_indented(_keep(cell, kept)))
        + BACKWARD.format(name="backward", body=plain, earlier=0, later=0, **both)
        + BACKWARD.format(name="gauged", body=norms, earlier="now & 1", later="1 - (now & 1)", **both)
        + _warm(cell, len(signals))
    )


def _warm(cell: Cell, signals: int) -> str:
    """Arrays for one time step of one sequence with one unit."""
    sources, states = list(cell.gates.values()), len(cell.states)
    fed, h, constant = len(sources) - sources.count(""), sum("h" in source for source in sources), sources.count("")
    below = len(cell.lower)
    shapes = [(1, 1, fed), (2, 1, h), (0, 1, 1), (0, h, 1), (constant, 1), (1, 1), (1, constant, 1)]
    one, counts = (1, 1, 1), [fed, below, below, states, states, states, signals]
    each = list(zip(counts, [one, one, one, (2, 1, 1), one, (2, 1, 1), one], strict=True))
    return WARM.format(shapes=shapes, counts=each, norms=1 + states)


def _from_states(cell: Cell, gauged: bool) -> Emitted:
    """The way back, where the new states are read and not made again."""
    emitted, count = backward_lines(cell, gauged=gauged, again=True), len(cell.states)
    found = {name: f"states[{n}][at + 1, b, k]" for n, name in enumerate(emitted.results[-count:])}
    return Emitted(emitted.values, emitted.results[:-count]).knowing(found)


def _kept(cell: Cell, forward: Emitted, backward: Emitted) -> dict[int, str]:
    """What is kept of each gate that something feeds: one function of it, where the way back needs no more, or itself."""
    kept = {}
    for n, _, _ in _columns(cell):
        uses = backward.uses(f"z{n}")
        alone = len(uses) == 1 and uses[0] in forward.values.values() and re.fullmatch(rf"\w+\(z{n}\)", uses[0])
        kept[n] = uses[0] if alone else f"z{n}"
    return kept


def _gates(cell: Cell, traced: Emitted, kept: Mapping[int, str]) -> dict[str, int]:
    """Signals that are what is kept of a gate, and its column."""
    columns = {traced.named(kept[n]): column for n, column, _ in _columns(cell)}
    words = zip(signals_of(cell), traced.results[len(cell.states) :], strict=True)
    return {name: columns.pop(word) for name, word in words if word in columns}


def _sums(cell: Cell) -> list[str]:
    """The preactivations of gates that something feeds, forward: what inputs and biases give, and what h gives."""
    lines = []
    for n, column, of_h in _columns(cell):
        seen = "" if of_h is None else f" + row[b, {of_h} * units + k]"
        lines.append(f"z{n} = gates[t, b - offset, {column} * units + k]{seen}")
    return lines


def _keep(cell: Cell, kept: Mapping[int, str]) -> list[str]:
    loads = [f"z{n} = gates[t, b - offset, {column} * units + k]" for n, column, _ in _columns(cell)]
    return loads + [f"kept[{column}][t, b, k] = {kept[n]}" for n, column, _ in _columns(cell)]


def _forward(cell: Cell, emitted: Emitted, kept: Mapping[int, str], gates: Mapping[str, int]) -> dict[str, str]:
    count, ready = len(cell.states), []
    stores = [f"kept[{column}][keeps{n}, b, k] = {emitted.named(kept[n])}" for n, column, _ in _columns(cell)]
    stores += [f"states[{n}][at + 1, b, k] = {result}" for n, result in enumerate(emitted.results[:count])]
    words = zip(signals_of(cell), emitted.results[count:], strict=False)
    written = [word for name, word in words if name not in gates]
    values = dict(emitted.values)
    for n, (name, twin) in enumerate(_found_before(cell, emitted)):
        place = f"rows[1, b, {n} * units + k]"
        ready += [f"{state} = states[{state[1:]}][place, b, k]" for state in re.findall(r"s\d+", values[name])]
        ready.append(f"{place} = {values[name]}")
        stores.append(f"{place} = {twin}")
        values[name] = place
    body = _sums(cell) + _given(cell) + Emitted(values, []).lines + stores
    loops = _over_units(body + [f"signals[{n}][now, b, k] = {word}" for n, word in enumerate(written)])
    if written:
        streams = [f"streamed(signals[{n}], (now, b, k), {word})" for n, word in enumerate(written)]
        loops = ["if states[0].shape[2] % LINE:", *_inner(loops), "else:", *_inner(_over_units(body + streams))]
    first = ["for b in range(first, last):", *_inner(_over_units(ready))] if ready else []
    return {"loops": _indented(loops, 12), "ready": _indented(first, 4)}


def _found_before(cell: Cell, emitted: Emitted) -> list[tuple[str, str]]:
    """Names of functions of one state before, such as its logarithm, with those of the same function of it after."""
    found = []
    for name, value in emitted.values.items():
        if call := re.fullmatch(r"(\w+)\(s(\d+)\)", value):
            found.append((name, emitted.named(f"{call[1]}({emitted.results[int(call[2])]})")))
    room = sum("h" in source for source in cell.gates.values())
    return [(name, twin) for name, twin in found if twin in emitted.values][:room]


def _backward(cell: Cell, emitted: Emitted, kept: Mapping[int, str]) -> list[str]:
    lines, stores = _adjoints(cell, emitted, kept), []
    for n, column, of_h in _columns(cell):
        stores.append(f"gates[t, b - offset, {column} * units + k] = {emitted.results[n]}")
        if of_h is not None:
            stores.append(f"row[b, {of_h} * units + k] = {emitted.results[n]}")
    constant = [n for n, source in enumerate(cell.gates.values()) if not source]
    stores += [f"sums[first, {place}, k] += {emitted.results[n]}" for place, n in enumerate(constant)]
    rest = iter(emitted.results[len(cell.gates) :])
    stores += [f"carried[{n}][earlier, b, k] = {next(rest)}" for n, _ in enumerate(cell.states)]
    stores += [f"to_lower[{n}][now, b, k] = {next(rest)}" for n, _ in enumerate(cell.lower)]
    return lines + stores


def _adjoints(cell: Cell, emitted: Emitted, kept: Mapping[int, str]) -> list[str]:
    """What the way back reads, and what it finds of that."""
    found = {emitted.named(kept[n]): f"kept[{column}][t, b, k]" for n, column, _ in _columns(cell)}
    loads = [f"{name} = {place}" for name, place in found.items() if name.startswith("z")] + _given(cell)
    for n, _ in enumerate(cell.states):
        seen = " + back[b, k]" if n == 0 else ""
        loads.append(f"a{n} = adjoints[{n}][given{n}, b, k] + carried[{n}][later, b, k]{seen}")
    return loads + emitted.knowing(found).lines


def _gauged(cell: Cell, emitted: Emitted, kept: Mapping[int, str], single: bool) -> list[str]:
    """The same with what norms are made of, sums of squares; where one is not clear of 0 and infinity, in float64 again."""
    parts = [f"a{n}" for n, _ in enumerate(cell.states)]
    coordinates = emitted.results[len(cell.gates) + len(cell.states) + len(cell.lower) :]
    squared = {name: n for n, name in enumerate(dict.fromkeys([*coordinates, *parts]))}

    def summed(lines: list[str], total: str, number: str) -> list[str]:
        """A loop that sums the squares up."""
        totals = [f"{total}{n} = summed({total}{n}, {number}({name}))" for name, n in squared.items()]
        return [f"{total}{n} = {number}(0)" for n in squared.values()] + _over_units(lines + totals)

    lines = summed(_backward(cell, emitted, kept), "q", "F")
    lines += [f"p{n} = np.float64(q{n})" for n in squared.values()]
    if single:
        lines.append(f"if not ({' & '.join(f'clear(q{n})' for n in squared.values())}):")
        lines += _inner(summed(_adjoints(cell, Emitted(emitted.values, list(squared)), kept), "p", "np.float64"))
    for n, names in enumerate((coordinates, *([part] for part in parts))):
        lines.append(f"squares[now, b, {n}] = " + " + ".join(f"p{squared[name]}" for name in names))
    return lines


def _ahead(cell: Cell, read: Sequence[int]) -> list[str]:
    """Calls for what the way back will read, of what is kept of gates in these places."""
    lines = [f"fetched(states[{n}], (at - AHEAD, first, k))" for n, _ in enumerate(cell.states)]
    lines += [f"fetched(kept[{column}], (t - AHEAD, first, k))" for column in read]
    return lines + [f"fetched(lower[{n}], (now - AHEAD, first, k))" for n, _ in enumerate(cell.lower)]


def _columns(cell: Cell):
    """Of each gate that something feeds: its number, its place among these, and among those that h feeds or None."""
    fed = [(n, source) for n, source in enumerate(cell.gates.values()) if source]
    of_x_only = sum(source == "x" for _, source in fed)
    for column, (n, source) in enumerate(fed):
        yield n, column, column - of_x_only if "h" in source else None


def _given(cell: Cell) -> list[str]:
    """Loads of what both directions read alike: gates that nothing feeds, the states before, what lies below."""
    constant = [n for n, source in enumerate(cell.gates.values()) if not source]
    loads = [f"z{n} = constants[{place}, k]" for place, n in enumerate(constant)]
    loads += [f"s{n} = states[{n}][at, b, k]" for n, _ in enumerate(cell.states)]
    return loads + [f"l{n} = lower[{n}][now, b, k]" for n, _ in enumerate(cell.lower)]


def _over_units(lines: Sequence[str]) -> list[str]:
    return ["for k in range(units):", *_inner(lines)]


def _inner(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _indented(lines: list[str], by: int = 16) -> str:
    return "\n".join(" " * by + line for line in lines)
