"""Curves of a scenario: a number over the time since its start, the same number whenever it is asked for."""

from __future__ import annotations

import math
from typing import Annotated, TypeAlias

import msgspec

_Positive = Annotated[float, msgspec.Meta(gt=0)]
_NotNegative = Annotated[float, msgspec.Meta(ge=0)]
_Whole = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
_MASK = 2**64 - 1


class Sine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="sine", tag_field="kind"):
    """``mean`` and up to ``swing`` above and below it, once each ``period`` (s); ``phase`` is in periods."""

    mean: float
    swing: _NotNegative
    period: _Positive
    phase: float = 0.0


class Steps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="steps", tag_field="kind"):
    """From each time (s) on its value. The first time is 0; ``repeat`` (s) starts over, without it the last value stays."""

    at: Annotated[tuple[tuple[_NotNegative, float], ...], msgspec.Meta(min_length=1, max_length=64)]
    repeat: _Positive | None = None


class Sawtooth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="sawtooth", tag_field="kind"):
    """Goes evenly from ``low`` to ``high`` within ``period`` (s), then starts over."""

    low: float
    high: float
    period: _Positive


class Noise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="noise", tag_field="kind"):
    """Another number within ``mean`` ± ``swing`` each ``every`` (s), always the same for one ``seed``."""

    mean: float = 0.0
    swing: _NotNegative
    every: _Positive = 1.0
    seed: _Whole = 0


class Sum(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="sum", tag_field="kind"):
    """Several curves on top of each other, such as a sine with noise."""

    of: Annotated[tuple[float | Sine | Steps | Sawtooth | Noise, ...], msgspec.Meta(min_length=1, max_length=8)]


Part: TypeAlias = float | Sine | Steps | Sawtooth | Noise
Curve: TypeAlias = Part | Sum


def parts(curve: Curve) -> tuple[Part, ...]:
    """The curves that it is the sum of: itself, where it is none."""
    return curve.of if isinstance(curve, Sum) else (curve,)


def value(curve: Curve, seconds: float) -> float:
    """The value ``seconds`` after the start."""
    height = 0.0
    for part in parts(curve):  # not sum(): from Python 3.12 on it rounds better than C does
        height += _value(part, seconds)
    return height


def total(curve: Curve, seconds: float) -> float:
    """What a counter that grows by this many a second has counted ``seconds`` after the start; noise counts as its mean."""
    counted = 0.0
    for part in parts(curve):
        counted += _total(part, seconds)
    return counted


def bounds(curve: Curve) -> tuple[float, float]:
    """The lowest and the highest value it can take (of a sum: at most)."""
    lows, highs = zip(*map(_bounds, parts(curve)), strict=True)
    return sum(lows), sum(highs)


def _value(part: Part, t: float) -> float:
    if isinstance(part, Sine):
        return part.mean + part.swing * math.sin(2.0 * math.pi * (t / part.period + part.phase))
    if isinstance(part, Steps):
        if part.repeat is not None:
            t = t - math.floor(t / part.repeat) * part.repeat
        return next(level for since, level in reversed(part.at) if since <= t or since == 0)
    if isinstance(part, Sawtooth):
        return part.low + (part.high - part.low) * (t / part.period - math.floor(t / part.period))
    if isinstance(part, Noise):
        return part.mean + part.swing * (2.0 * _random(part.seed, math.floor(t / part.every)) - 1.0)
    return part


def _total(part: Part, t: float) -> float:
    if isinstance(part, Sine):
        turn = 2.0 * math.pi
        swung = math.cos(turn * part.phase) - math.cos(turn * (t / part.period + part.phase))
        return part.mean * t + part.swing * part.period / turn * swung
    if isinstance(part, Steps):
        if part.repeat is None:
            return _climbed(part, t)
        rounds = math.floor(t / part.repeat)
        return rounds * _climbed(part, part.repeat) + _climbed(part, t - rounds * part.repeat)
    if isinstance(part, Sawtooth):
        rounds = math.floor(t / part.period)
        share = t / part.period - rounds
        once = (part.low + part.high) / 2.0
        return part.period * (rounds * once + part.low * share + (part.high - part.low) * share * share / 2.0)
    if isinstance(part, Noise):
        return part.mean * t
    return part * t


def _climbed(steps: Steps, t: float) -> float:
    ends = [since for since, _ in steps.at[1:]] + [math.inf]
    climbed = 0.0
    for (since, level), end in zip(steps.at, ends, strict=True):
        climbed += level * max(0.0, min(t, end) - since)
    return climbed


def _bounds(part: Part) -> tuple[float, float]:
    if isinstance(part, (Sine, Noise)):
        return part.mean - part.swing, part.mean + part.swing
    if isinstance(part, Steps):
        levels = [level for _, level in part.at]
        return min(levels), max(levels)
    if isinstance(part, Sawtooth):
        return min(part.low, part.high), max(part.low, part.high)
    return part, part


def _random(seed: int, number: int) -> float:
    """From 0 to below 1: the mixing function of SplitMix64 (Steele, Lea, Flood 2014), so that C gets the same."""
    x = (seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9 + 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((x ^ (x >> 31)) >> 11) * 2.0**-53
