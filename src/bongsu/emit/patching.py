"""Makes a function time itself, and plain again, in place: it stays the same object.

Whoever holds the function, by import, in a table, as a method or to pickle it, holds the timed one; its name,
signature and defaults are its own. Its code is exchanged for code of the same signature that calls a copy of it.
What that code uses stands in its constants, the quickest to load.
"""

from __future__ import annotations

import sys
import types
from time import thread_time

from bongsu.emit.ledger import LAG, LOCAL, SLACK, TORN, Spec, clock, enter, leave
from bongsu.emit.steps import Awaited, Life, attend, drive

TYPE_CHECKING = False  # as typing's, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CO_VARARGS, CO_VARKEYWORDS = 0x4, 0x8  # of a code object: the `inspect` module's, which takes long to import
CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR = 0x20, 0x80, 0x200

# The clocks are read outside of what is changed: a KeyboardInterrupt may come after each call, and finds all in order.
_FUNCTION = """
def timed({parameters}):
    state = LOCAL.__dict__["state"]
    try:
        row = state.rows[SPEC]
    except KeyError as error:
        if SPEC not in error.args:
            raise
        row = None
    if row is None:
        row = state.table.row(SPEC)
    outer = state.top
    if outer is row:  # direct recursion: its time is being counted already
        try:
            return FUNCTION({arguments})
        except BaseException:
            row.errors += 1
            raise
        finally:
            row.count += 1.0
{entering}
    off = state.off
    child = state.child
    depth = row.depth
    if not depth:
        row.start = start
    row.depth = depth + 1
    state.top = row
    state.child = 0.0
    try:
        return FUNCTION({arguments})
    except BaseException:
        row.errors += 1
        raise
    finally:
        state.top = outer
        row.depth = depth
        row.count += 1.0
        mine = state.child
        state.child = child
        end = CLOCK()
        if end > state.due or (outer is None and end > state.soon):
            LEAVE(state, row, start, end, off, mine)
        else:{leaving}
            wall = end - start
            if outer is not None:
                state.child = child + wall
            if depth:
                row.own += wall - mine
            else:
                if mine:
                    row.own -= mine
                row.wall += wall
                if state.off is not off:
                    row.off += state.off - off
                if wall < row.minimum:
                    row.minimum = wall
                if wall > row.maximum:
                    row.maximum = wall
"""
_ENTERING = """\
    start = CLOCK()
    if start > state.due:
        start = ENTER(state, row, start)
"""
_ENTERING_EXACT = """\
    cpu = CPU()
    start = CLOCK()
    if start > state.due:
        start = ENTER(state, row, start)
    else:
        idle = start - state.mark_wall - cpu + state.mark_cpu
        state.mark_wall = start
        state.mark_cpu = cpu
        if idle >= TORN:
            state.off += idle
            if outer is not None:
                outer.self_off += idle
            if idle > 0.0:
                state.error += idle if idle < SLACK else SLACK
"""
_LEAVING_EXACT = """
            cpu = CPU() - LAG[0]
            idle = end - state.mark_wall - cpu + state.mark_cpu
            state.mark_wall = end
            state.mark_cpu = cpu
            if idle >= TORN:
                state.off += idle
                row.self_off += idle
                if idle > 0.0:
                    state.error += idle if idle < SLACK else SLACK\
"""
_GENERATOR = """
def timed({parameters}):
    return (yield from DRIVE(SPEC, FUNCTION({arguments})))
"""
_COROUTINE = """
async def timed({parameters}):
    return await ATTEND(SPEC, FUNCTION({arguments}))
"""
_ASYNC_GENERATOR = """
async def timed({parameters}):
    life = LIFE(SPEC)
    inner = FUNCTION({arguments})
    resume = inner.__anext__()
    failed = True
    try:
        while True:
            value = await AWAITED(life, resume)
            life.pause()
            life.settle()
            try:
                sent = yield value
            except GeneratorExit:
                failed = False
                await AWAITED(life, inner.aclose())
                raise
            except BaseException as error:
                resume = inner.athrow(error)
            else:
                resume = inner.asend(sent)
    except StopAsyncIteration:
        failed = False
    finally:
        life.end(error=failed)
        life.settle()
"""
_ALWAYS = {
    "LOCAL": LOCAL, "CLOCK": clock, "ENTER": enter, "LEAVE": leave, "DRIVE": drive, "ATTEND": attend, "LIFE": Life,
    "AWAITED": Awaited, "CPU": thread_time, "LAG": LAG, "SLACK": SLACK, "TORN": TORN,
}  # fmt: skip
# From Python 3.14 on `__annotate__` makes the annotations when they are asked for, which may be too early here.
_ANNOTATIONS = ("__annotate__" if sys.version_info >= (3, 14) else "__annotations__", "__type_params__")
_OURS = enter.__globals__, drive.__globals__
_codes: dict[tuple[Any, ...], types.CodeType] = {}


def start(function: types.FunctionType, spec: Spec) -> bool:
    """Have a function time itself; False when it does already."""
    code = function.__code__
    if _copy(code) is not None:
        return False
    copy = types.FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__, copy.__module__, copy.__doc__ = function.__qualname__, function.__module__, function.__doc__
    for attribute in _ANNOTATIONS:  # who unwraps a function, as `inspect.signature`, reads those of the copy
        if getattr(function, attribute, None):
            setattr(copy, attribute, getattr(function, attribute))
    known = {**_ALWAYS, "SPEC": spec, "FUNCTION": copy}
    template = _template(code, exact=spec.exact)
    names: dict[str, Any] = {"co_name": code.co_name, "co_freevars": code.co_freevars}
    if sys.version_info >= (3, 11):  # noqa: UP036  a program's Python may be older than ours
        names["co_qualname"] = code.co_qualname
    taken = code.co_argcount + code.co_kwonlyargcount
    taken += bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
    timed = template.replace(
        co_varnames=code.co_varnames[:taken] + template.co_varnames[taken:],
        co_consts=tuple(_constant(known, one) for one in template.co_consts),
        **names,
    )
    function.__code__ = timed
    function.__dict__.setdefault("__wrapped__", copy)  # `inspect` finds its source, and not ours
    return True


def stop(function: types.FunctionType) -> None:
    """Make a function what it was."""
    copy = _copy(function.__code__)
    if copy is not None:
        function.__code__ = copy.__code__
        if function.__dict__.get("__wrapped__") is copy:
            del function.__dict__["__wrapped__"]


def wrapped(function: Callable[..., Any], spec: Spec) -> Callable[..., Any]:
    """A timed stand-in for a callable that is no Python function."""

    def stand_in(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    start(stand_in, spec)  # type: ignore[arg-type]  # a nested function is a FunctionType
    return stand_in


def _copy(code: types.CodeType) -> types.FunctionType | None:
    """The plain function that timed code calls; None when this is none."""
    if code.co_filename == __file__:
        for one in code.co_consts:
            if isinstance(one, types.FunctionType) and not any(one.__globals__ is mine for mine in _OURS):
                return one
    return None


def _constant(known: dict[str, Any], one: Any) -> Any:
    return known[one[7:]] if isinstance(one, str) and one.startswith("bongsu:") else one


def _template(code: types.CodeType, *, exact: bool) -> types.CodeType:
    """Timed code of the same signature. Parameters have other names in it, so that few are ever compiled."""
    flags = code.co_flags
    only = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    shape = flags & (CO_VARARGS | CO_VARKEYWORDS | CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)
    key = (code.co_argcount, code.co_posonlyargcount, only, shape, exact)
    if key not in _codes:
        _codes[key] = _compiled(code.co_argcount, code.co_posonlyargcount, only, shape, exact)
    return _codes[key]


def _compiled(count: int, positional: int, only: tuple[str, ...], flags: int, exact: bool) -> types.CodeType:
    parameters = [f"_bongsu_{n}" for n in range(count)]
    arguments = list(parameters)
    if positional:
        parameters.insert(positional, "/")
    if flags & CO_VARARGS:
        parameters.append("*_bongsu_args")
        arguments.append("*_bongsu_args")
    elif only:
        parameters.append("*")
    for number, name in enumerate(only):  # theirs may be the names of variables above
        parameters.append(f"_bongsu_only_{number}")
        arguments.append(f"{name}=_bongsu_only_{number}")
    if flags & CO_VARKEYWORDS:
        parameters.append("**_bongsu_kwargs")
        arguments.append("**_bongsu_kwargs")
    template = _FUNCTION
    if flags & CO_ASYNC_GENERATOR:
        template = _ASYNC_GENERATOR
    elif flags & CO_COROUTINE:
        template = _COROUTINE
    elif flags & CO_GENERATOR:
        template = _GENERATOR
    # Compilers warn of a constant that is called, but not of a choice that leaves but one.
    text = template.replace("{entering}\n", _ENTERING_EXACT if exact else _ENTERING)
    text = text.replace("{leaving}", _LEAVING_EXACT if exact else "")
    for name in (*_ALWAYS, "SPEC", "FUNCTION"):
        text = text.replace(name, f'("bongsu:{name}" if 1 else 0)')
    text = text.format(
        parameters=", ".join(parameters), arguments=", ".join(arguments),
    )  # fmt: skip
    made: dict[str, Any] = {}
    exec(compile(text, __file__, "exec"), made)  # noqa: S102  the text is ours
    code: types.CodeType = made["timed"].__code__
    return code
