"""Whether what takes ever more time steps stays linear in them, within its memory, and can be ended at any moment."""

TOLERANCE = 1.6  # times as long as the time steps say
PATIENCE = 1.0  # seconds between two calls of `between`


class Bounds:
    """Prints rows with what is beyond in bold, and remembers whether anything was."""

    def __init__(self, limit: int):
        """`limit` is in MB beyond what was there before."""
        self.limit, self.beyond = limit, False

    def row(self, *words: str, growth: float, found: dict, more: tuple[str, ...] = ()) -> None:
        """Words; times as long a time step as before, MB and the longest wait of what was found; then more words."""
        marks = [growth > TOLERANCE, found["bytes"] > self.limit * 1e6, found["wait"] > PATIENCE]
        values = [f"{growth:.2f}", f"{found['bytes'] / 1e6:.0f}", f"{found['wait']:.3f}"]
        shown = [f"**{value}**" if mark else value for value, mark in zip(values, marks, strict=True)]
        print(f"| {' | '.join([*words, *shown, *more])} |", flush=True)
        self.beyond |= any(marks)

    def status(self) -> int:
        """Say what the limits are; 1 if anything was beyond."""
        beyond = "yes" if self.beyond else "none"
        print(f"\nLimits: {TOLERANCE} x linear, {self.limit} MB, {PATIENCE:g} s; **beyond**: {beyond}")
        return int(self.beyond)
