"""The learning rate as a pure function of the step."""

import math
from collections.abc import Callable

from elementary import cos
from errors import UsageError
from model.options import ScheduleOptions

Schedule = Callable[[int], float]


def _constant(progress: float, full: float, final: float) -> float:
    return full


def _linear(progress: float, full: float, final: float) -> float:
    """Deep Learning, 8.3.1: η_k = (1−a) η₀ + a η_τ, a = min(k/τ, 1)."""
    return (1.0 - progress) * full + progress * final


def _cosine(progress: float, full: float, final: float) -> float:
    """Loshchilov and Hutter 2017, without restarts: half a period of a cosine from the full to the final rate."""
    return final + (full - final) * (0.5 * (1.0 + float(cos(math.pi * progress))))


# To add one: a function of the progress a in [0, 1], its line here, its name in `model.options`.
SHAPES: dict[str, Callable[[float, float, float], float]] = {
    "constant": _constant,
    "linear": _linear,
    "cosine": _cosine,
}


def schedule(options: ScheduleOptions, base_rate: float, total_steps: int, steps_per_epoch: int) -> Schedule:
    """The learning rate of each step, which counts from 0 over the whole run.

    During a warm-up of w steps, step k has base_rate · (k+1)/w. Then the shape runs from base_rate towards
    final · base_rate, which is reached after the schedule's length (by default: at the end of the run, one step
    after the last) and kept. A constant schedule has the warm-up only. Computed in float64 with + − × ÷ alone.
    UsageError where warm-up and length do not fit into the run.
    """
    warmup = round(options.warmup * steps_per_epoch)
    length = round(options.length * steps_per_epoch) or total_steps - warmup
    if warmup >= total_steps or warmup + length > total_steps:
        epochs = total_steps / steps_per_epoch
        raise UsageError(
            "the learning rate's schedule is longer than the run",
            expected=f"warm-up and length of together at most {epochs:g} epochs, the warm-up below that",
            got=f"a warm-up of {options.warmup:g} and a length of {options.length:g} epochs",
            do="train for more epochs or shorten the schedule",
        )
    shape, final = SHAPES[options.name], options.final * base_rate

    def rate(step: int) -> float:
        if step < warmup:
            return base_rate * (step + 1) / warmup
        return shape(min((step - warmup) / length, 1.0), base_rate, final)

    return rate
