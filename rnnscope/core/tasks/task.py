"""What a task is: it draws batches, states its loss, and says what a model without memory would score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from rnnscope.core.layout import Layout
from rnnscope.core.settings import Settings
from rnnscope.core.trace import Facts

EVALUATION_SEED = 20170301
EVALUATION_SEQUENCES = 500
PROBE_SEQUENCES = 8  # of the evaluation batch are traced
PROBE_STEPS = 2**17  # time steps of all of these together: of sequences of 100,000 only one is


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences with their targets, time first.

    inputs   (T, B, I) float32
    targets  (T, B) int64 classes or (T, B, O) float32 values: what would be right at every time step
    weights  (T, B) float32: how much each time step counts in the loss
    lengths  (B,) int64: time steps of each sequence
    sources  (B,) int64 or None, and parents (T, B) int64 or None, as in Layout
    """

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    lengths: np.ndarray
    sources: np.ndarray | None = None
    parents: np.ndarray | None = None

    @property
    def layout(self) -> Layout:
        """How the sequences lie in the arrays."""
        return Layout(self.lengths, self.sources, self.parents)

    def first(self, sequences: int) -> Batch:
        """A copy of the first `sequences` of the batch."""
        kept = slice(sequences)
        layout = self.layout.part(kept)
        arrays = (values[:, kept].copy() for values in (self.inputs, self.targets, self.weights))
        return Batch(*arrays, layout.lengths, layout.sources, layout.parents)


class Task(Settings, ABC):
    """Base of all tasks. A task is its settings and how it draws; drawing is numpy, whole batches at once.

    `inputs`, `outputs`, `channels`, `children` and `answers_once` are properties where they depend on the settings.
    `structure` says what its batches have beside time: "source" (a part read before the answer is written) or "tree".
    `looks_ahead` marks tasks whose targets follow from later inputs: a network that reads from both ends would only copy
    them. `answers_once` marks tasks that ask for one answer, at the end of a sequence.
    """

    name: ClassVar[str]
    inputs: ClassVar[int]
    outputs: ClassVar[int]
    loss: ClassVar[str]  # a key of LOSSES
    score_name: ClassVar[str]
    goal: ClassVar[float]  # the score from which on the task counts as solved
    lower_is_better: ClassVar[bool] = False  # of scores
    channels: ClassVar[tuple[str, ...]]  # what the inputs are called, (I,)
    structure: ClassVar[Literal["", "source", "tree"]] = ""
    looks_ahead: ClassVar[bool] = False
    answers_once: ClassVar[bool] = False
    children: ClassVar[int] = 0  # most children of a node, where the structure is "tree"
    picture: ClassVar[tuple[int, int] | None] = None  # rows and columns, where the sequence is a picture read row by row

    @abstractmethod
    def draw(self, random: np.random.Generator, batch: int) -> Batch:
        """Draw `batch` training sequences."""

    @property
    @abstractmethod
    def baseline(self) -> float:
        """The loss of the best model without memory, in the units of the loss."""

    @property
    @abstractmethod
    def baseline_words(self) -> str:
        """What that model does."""

    def evaluation(self) -> Batch:
        """A fixed batch for scores and probes, the same on every machine."""
        return self.draw(np.random.default_rng(EVALUATION_SEED), EVALUATION_SEQUENCES)

    def probe(self) -> Batch:
        """The first sequences of the evaluation batch, at least one: what the window and the figures trace.

        They are the same for all models of the task, and as many as PROBE_STEPS has room for: the signals of 1,024 units
        take up to 6 GB then.
        """
        whole = self.evaluation()
        return whole.first(min(PROBE_SEQUENCES, max(1, PROBE_STEPS // len(whole.inputs))))

    def solved(self, score: float) -> bool:
        """Whether a score reaches `goal`."""
        return score <= self.goal if self.lower_is_better else score >= self.goal

    def facts(self) -> Facts:
        """What views show of the task."""
        return Facts(self.name, self.channels, self.picture, self.loss, self.baseline, self.baseline_words)

    def score(self, outputs: np.ndarray, batch: Batch) -> float:
        """The figure people quote, from outputs (T, B, O): accuracy over the scored time steps unless a task overrides."""
        answers = outputs.argmax(-1) if self.outputs > 1 else (outputs[..., 0] > 0).astype(np.int64)
        return float(np.average(answers == batch.targets, weights=batch.weights))


def at_end(length: int, batch: int) -> np.ndarray:
    """Weights that count the last time step only: (T, B)."""
    weights = np.zeros((length, batch), np.float32)
    weights[-1] = 1
    return weights


def one_hot(codes: np.ndarray, channels: int) -> np.ndarray:
    """1 in the channel that a code names, zeros for a code of -1: (T, B) to (T, B, channels) float32."""
    return (codes[..., None] == np.arange(channels)).astype(np.float32)


def conditional_entropy(pairs: np.ndarray) -> float:
    """Entropy in nats of the second of two things where the first is known, from how often each pair occurs: (N, M)."""
    seen = pairs > 0
    share = (pairs / np.maximum(pairs.sum(1, keepdims=True), 1e-300))[seen]
    return float(-(pairs[seen] * np.log(share)).sum() / pairs.sum())
