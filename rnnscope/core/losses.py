"""The losses a task can ask for, per time step."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional


def mean_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """(y - target)^2, averaged over outputs: (T, B, O), (T, B, O) -> (T, B)."""
    return ((outputs - targets) ** 2).mean(-1)


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """-ln softmax(y)[target] in nats: (T, B, O), (T, B) classes -> (T, B)."""
    return functional.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)


def binary_cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """-ln of the probability given to the right one of two classes, in nats: (T, B, 1), (T, B) -> (T, B)."""
    return functional.binary_cross_entropy_with_logits(outputs[..., 0], targets.to(outputs.dtype), reduction="none")


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean_squared_error": mean_squared_error,
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
}


def total(per_time_step: Tensor, weights: Tensor) -> Tensor:
    """The loss that is trained: the average of (T, B) losses with (T, B) weights."""
    return (per_time_step * weights).sum() / weights.sum()
