"""What the longer commands do, one per file; `cli` is the table of them all."""
