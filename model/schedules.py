"""The learning rate as a pure function of the step (and, for plateau, of the epochs at which it was lowered)."""

import math
from collections.abc import Callable, Sequence

from millrace.elementary import cos, exp, log, power
from millrace.errors import UsageError
from millrace.model.options import ScheduleOptions

Schedule = Callable[[int], float]
START = 25.0  # one-cycle begins at the full rate divided by this


def _constant(progress: float, full: float, final: float, options: ScheduleOptions) -> float:
    return full


def _linear(progress: float, full: float, final: float, options: ScheduleOptions) -> float:
    """Deep Learning, 8.3.1: η_k = (1−a) η₀ + a η_τ, a = min(k/τ, 1)."""
    return (1.0 - progress) * full + progress * final


def _exponential(progress: float, full: float, final: float, options: ScheduleOptions) -> float:
    """The same factor for each step: η_k = η₀ (η_τ/η₀)^a, as in optax. PyTorch names the factor of an epoch."""
    return full * float(exp(progress * float(log(options.final))))


def _cosine(progress: float, full: float, final: float, options: ScheduleOptions) -> float:
    """Loshchilov and Hutter 2017, without restarts: half a period of a cosine from the full to the final rate.

    PyTorch names the final rate itself (eta_min), optax its fraction of the full one (alpha), as here."""
    return final + (full - final) * (0.5 * (1.0 + float(cos(math.pi * progress))))


def _one_cycle(progress: float, full: float, final: float, options: ScheduleOptions) -> float:
    """Smith and Topin 2018, with cosine arcs as in PyTorch and optax: up from full/25, then down to the final rate.

    The momentum stays as it is (PyTorch cycles it by default), and the final rate is a fraction of the full one; theirs
    is one of the first rate (final_div_factor). PyTorch's peak lies one step earlier.
    """
    start, rise = full / START, options.rise
    if progress < rise:
        return _cosine(progress / rise, start, full, options)
    return _cosine((progress - rise) / (1.0 - rise), full, final, options)


# To add one: a function of the progress a in [0, 1], its line here, its name in `model.options`.
SHAPES: dict[str, Callable[[float, float, float, ScheduleOptions], float]] = {
    "constant": _constant,
    "linear": _linear,
    "step": _constant,  # lowered in `schedule`, every so many epochs
    "exponential": _exponential,
    "cosine": _cosine,
    "one-cycle": _one_cycle,
    "plateau": _constant,  # lowered where the validation says so: see `plateau_factor`
}


def schedule(options: ScheduleOptions, base_rate: float, total_steps: int, steps_per_epoch: int) -> Schedule:
    """The learning rate of each step, which counts from 0 over the whole run.

    During a warm-up of w steps, step k has base_rate · (k+1)/w (optax: k/w). Then the shape runs from base_rate towards
    final · base_rate, which is reached after the schedule's length (by default: at the end of the run, one step
    after the last) and kept. A constant schedule has the warm-up only, as has plateau; step multiplies the rate by its
    factor every so many epochs after the warm-up. Computed in float64 with + − × ÷ alone.
    UsageError where warm-up and length, or warm-up and the first cut of step, do not fit into the run.
    """
    warmup = round(options.warmup * steps_per_epoch)
    length = round(options.length * steps_per_epoch) or total_steps - warmup
    every = max(1, round(options.every * steps_per_epoch))
    if warmup >= total_steps or warmup + length > total_steps:
        lengths = f"a warm-up of {options.warmup:g} and a length of {options.length:g} epochs"
        raise _too_long(f"warm-up and length together at most {_epochs(total_steps, steps_per_epoch)}", lengths)
    if options.name == "step" and warmup + every >= total_steps:
        lengths = f"a warm-up of {options.warmup:g} and {options.every:g} epochs to the first cut"
        raise _too_long(f"a first cut before the end of {_epochs(total_steps, steps_per_epoch)}", lengths)
    shape, final = SHAPES[options.name], options.final * base_rate

    def rate(step: int) -> float:
        if step < warmup:
            return base_rate * (step + 1) / warmup
        if options.name == "step":
            return base_rate * power(options.factor, (step - warmup) // every)
        return shape(min((step - warmup) / length, 1.0), base_rate, final, options)

    return rate


def plateau_factor(options: ScheduleOptions, cuts: Sequence[int], epoch: int) -> float:
    """What plateau multiplies the rate by in an epoch, lowered at the beginning of each of the epochs in `cuts`."""
    return power(options.factor, sum(begin <= epoch for begin in cuts))


def _epochs(total_steps: int, steps_per_epoch: int) -> str:
    return f"{total_steps / steps_per_epoch:g} epochs"


def _too_long(expected: str, got: str) -> UsageError:
    return UsageError(
        "the learning rate's schedule is longer than the run",
        expected=expected,
        got=got,
        do="train for more epochs or shorten the schedule",
    )
