"""Functions compiled by Numba, in strict IEEE arithmetic: a value has the same bits wherever it is computed."""

import gc
import inspect
import linecache
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, update_wrapper
from hashlib import sha256
from types import CellType, FrameType, FunctionType
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir as llvm
from numba.core import ir
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_machinery import register_pass
from numba.core.dispatcher import Dispatcher
from numba.core.lowering import Lower
from numba.core.registry import cpu_target
from numba.core.typed_passes import InlineOverloads, NativeLowering, NopythonRewrites
from numba.core.untyped_passes import (
    FindLiterallyCalls,
    InlineClosureLikes,
    LiteralUnroll,
    WithLifting,
)
from numba.extending import register_jitable

from sigcube.model.code_cache import cache_code
from sigcube.model.code_hash import state_of
from sigcube.model.record import Term, inputs_of

__all__ = ["compiled", "define", "has_masks", "helper", "inlined", "load_target", "scalar", "ufunc"]

Function = TypeVar("Function", bound=Callable[..., Any])

# Only compiled code calls inlined functions: wrappers for Python and C would be a sixth of the compile time.
_INLINED = {"error_model": "numpy", "forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

# Steps of Numba for what the functions of sigcube do not have: closures, `with`, literal arguments, array expressions.
# Each of them looks at the whole function anew, which takes a tenth of the compile time.
_NEEDLESS: tuple[type, ...] = (
    FindLiterallyCalls,
    InlineClosureLikes,
    InlineOverloads,
    LiteralUnroll,
    NopythonRewrites,
    WithLifting,
)

# The longest vectors of any processor. Shorter ones give the same bits.
_VECTOR_BITS = 512


class _Lower(Lower):  # type: ignore[misc]
    """Numba's way from its own code to LLVM's, for vectors as long as the processor has them.

    LLVM halves them on Intel's processors with AVX-512, because the first of these slowed down under long ones. A loop
    of roots, divisions and polynomials gains more than that.
    """

    #: What LLVM is asked to do with each loop.
    wishes: tuple[str, ...] = ()

    def setup_function(self, fndesc: Any) -> None:
        super().setup_function(fndesc)
        # Bypasses llvmlite, which has no attributes with a value.
        set.add(self.function.attributes, f'"prefer-vector-width"="{_VECTOR_BITS}"')

    def lower_inst(self, inst: Any) -> None:
        super().lower_inst(inst)
        # Only the end of a loop goes to a block that is written already.
        if self.wishes and isinstance(inst, ir.Jump) and self.blkmap[inst.target].is_terminated:
            self.builder.block.terminator.set_metadata("llvm.loop", self._loop())

    def _loop(self) -> Any:
        """Return the name of a loop and what LLVM shall do with it."""
        module, true = self.module, llvm.Constant(llvm.IntType(1), 1)
        wishes = [module.add_metadata([llvm.MetaDataString(module, wish), true]) for wish in self.wishes]
        # Its first element is itself, which llvmlite's own way to make one cannot say.
        loop = llvm.MDValue(module, wishes, name=str(len(module.metadata)))
        loop.operands = loop, *loop.operands
        return loop


class _Library(JITCodeLibrary):  # type: ignore[misc]
    """Machine code that LLVM optimises once, as a whole, and not each function beforehand as Numba has it.

    That is for functions with many references to count, and would be a fifth of the compile time.
    """

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)


@contextmanager
def _delayed_interrupts() -> Iterator[None]:
    """Let the handlers of Ctrl-C and of a termination wait until a function is compiled.

    LLVM calls back into Python, which drops what a handler raises there; LLVM then reads what it was not given, and the
    process ends with a segmentation fault.
    """
    came: list[int] = []
    before: dict[int, Callable[[int, FrameType | None], object]] = {}
    # Only the main thread has handlers.
    if threading.current_thread() is threading.main_thread():
        found = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        before |= {number: handler for number, handler in found.items() if callable(handler)}
    for number in before:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in dict.fromkeys(came):
            before[number](number, None)


@contextmanager
def _paused_collector() -> Iterator[None]:
    """Look for no garbage: compiling makes a million objects that live on, and to visit them is a fifth of its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lowering(NativeLowering):  # type: ignore[misc]
    _name = "lowering_for_whole_vectors"
    lowering_class = _Lower

    def run_pass(self, state: Any) -> bool:
        state.library = _Library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return bool(super().run_pass(state))


class _Compiler(Compiler):  # type: ignore[misc]
    lowering = _Lowering
    needless = _NEEDLESS

    def compile_extra(self, function: Any) -> Any:
        with _delayed_interrupts(), _paused_collector():
            return super().compile_extra(function)

    def define_pipelines(self) -> list[Any]:
        pipelines: list[Any] = super().define_pipelines()
        for each in pipelines:
            steps = [(step, about) for step, about in each.passes if step not in self.needless]
            each.passes = [(self.lowering if step is NativeLowering else step, about) for step, about in steps]
            each.finalize()
        return pipelines


# Words for what LLVM may be asked to do with the loops of a function, by which its machine code is kept apart.
_WISHES = {"masked": "llvm.loop.vectorize.predicate.enable", "rolled": "llvm.loop.unroll.disable"}


@cache
def _compiler_of_loops(*words: str) -> type[_Compiler]:
    """Return a compiler that asks LLVM for something about each loop."""
    name = "_".join(("", *words))
    lower = type(f"_Lower{name}", (_Lower,), {"wishes": tuple(_WISHES[word] for word in words)})
    step = type(f"_Lowering{name}", (_Lowering,), {"_name": f"{_Lowering._name}{name}", "lowering_class": lower})
    lowering = register_pass(mutates_CFG=True, analysis_only=False)(step)
    return type(f"_Compiler{name}", (_Compiler,), {"lowering": lowering})


class _CompilerOfTerms(_Compiler):
    """For functions that users write, with all that Numba knows of Python."""

    needless = ()


def has_masks() -> bool:
    """Tell whether the processor can leave elements of any vector out at no cost: on x86-64, with AVX-512."""
    return "+avx512f" in cpu_target.target_context.codegen().magic_tuple()[2]


def load_target() -> None:
    """Load what Numba knows of its functions and types, which it else does for the first of ours: half a second."""
    cpu_target.target_context.refresh()


def compiled(function: Function, *, masked: bool = False, rolled: bool = False) -> Function:
    """Compile a function of sigcube, of arrays and numbers. It releases the GIL; its machine code is cached on disk.

    With `masked`, what a loop has left after whole vectors is one more, of which a mask leaves elements out, and not a
    loop over single elements. With `rolled`, no loop is written out several times, for functions of many loops over
    short rows: they take less time to compile, and to enter. The values have the same bits.
    """
    words = [word for word, wanted in (("masked", masked), ("rolled", rolled)) if wanted]
    return _compiled(function, _compiler_of_loops(*words) if words else _Compiler)


def _compiled(function: Function, compiler: type[_Compiler]) -> Function:
    # The cache renames the function, which others who hold it must not see.
    own = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    own.__kwdefaults__ = function.__kwdefaults__
    compile_own = numba.njit(error_model="numpy", nogil=True, no_cfunc_wrapper=True, pipeline_class=compiler)
    return cast(Function, cache_code(compile_own(update_wrapper(own, function))))


def define(source: str, name: str, names: Mapping[str, Any], *, module: str = __name__) -> Any:
    """Return a function from generated source.

    Parameters
    ----------
    source : str
        The text of a module.
    name : str
        The function to return.
    names : Mapping
        The names that the text refers to.
    module : str, optional
        The module that the function belongs to. It must exist: for functions of other modules, Numba stores everything
        that they could refer to with their machine code.
    """
    file = f"<sigcube {name} {sha256(source.encode()).hexdigest()[:16]}>"
    # For tracebacks and `inspect.getsource`.
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    namespace: dict[str, Any] = {"__name__": module, **names}
    exec(compile(source, file, "exec"), namespace)
    return namespace[name]


def helper(function: Function) -> Function:
    """Mark a plain function that terms call: it stays plain in Python, and is compiled along with them.

    It is inlined, and its divisions are unchecked: a call or a check keeps a loop from vectorising.
    """
    return cast(Function, register_jitable(**_INLINED)(function))


def inlined(term: Term) -> Any:
    """Compile a term into its callers: left as a call, one with an exp or a pow keeps their loops from vectorising."""
    return _inlined(term, state_of(term))


@cache
def _inlined(term: Term, state: str | None) -> Any:
    return numba.njit(nogil=True, **_INLINED)(_with_own_calls(term, {}) if state else term)


def scalar(term: Term) -> Any:
    """Compile a term of arrays and numbers that is called by itself."""
    return _scalar(term, state_of(term))


@cache
def _scalar(term: Term, state: str | None) -> Any:
    return _compiled(_with_own_calls(term, {}) if state else term, _CompilerOfTerms)


def _with_own_calls(function: Any, made: dict[Any, Any]) -> Any:
    """Return a user's function with its own copies of the compiled functions that it calls, not compiled yet.

    Numba compiles a function once, with the values that globals had then: of a constant that changed since, nothing
    would be felt. `made` has the copies by their originals, as functions may call each other.
    """
    copy, used = _copied(function), [*map(function.__globals__.get, function.__code__.co_names)]
    if not any(isinstance(each, Dispatcher) for each in (*used, *inspect.getclosurevars(function).nonlocals.values())):
        return function
    _give_own_calls(copy, function, made)
    return copy


def _copied(function: Any) -> Any:
    """Return a function with globals and a closure of its own; the closure is still empty."""
    closure = tuple(CellType() for _ in function.__closure__ or ())
    copy = FunctionType(
        function.__code__, {**function.__globals__}, function.__name__, function.__defaults__, closure or None
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return update_wrapper(copy, function)


def _give_own_calls(copy: Any, function: Any, made: dict[Any, Any]) -> None:
    def own(each: Any) -> Any:
        if not isinstance(each, Dispatcher):
            return each
        if each not in made:
            plain = _copied(each.py_func)
            made[each] = type(each)(plain, locals=each.locals, targetoptions=each.targetoptions)
            _give_own_calls(plain, each.py_func, made)
        return made[each]

    for name in function.__code__.co_names:
        if name in copy.__globals__:
            copy.__globals__[name] = own(copy.__globals__[name])
    for cell, before in zip(copy.__closure__ or (), function.__closure__ or (), strict=True):
        cell.cell_contents = own(before.cell_contents)


def ufunc(term: Term) -> Callable[..., Any]:
    """Compile a term into a function of arrays and numbers that broadcasts as a NumPy ufunc does, over float64.

    Numba's own ufuncs are compiled anew in each process, and do not vectorise with an exp or a pow.
    """
    return _ufunc(term, state_of(term))


@cache
def _ufunc(term: Term, _state: str | None) -> Callable[..., Any]:
    n = len(inputs_of(term))
    inputs = [f"x{i}" for i in range(n)]
    elements = ", ".join(f"{name}[i]" for name in inputs)
    source = f"def ufunc({', '.join(inputs)}, out):\n    for i in range(out.size):\n        out[i] = f({elements})\n"
    loop = compiled(define(source, "ufunc", {"f": inlined(term)}))
    flags: Any = [["readonly", "contig"]] * n + [["writeonly", "allocate", "contig"]]

    def call(*arguments: Any) -> Any:
        chunks = np.nditer(
            [*arguments, None],
            flags=["external_loop", "buffered", "zerosize_ok"],
            op_flags=flags,
            op_dtypes=[np.float64] * (n + 1),
            casting="same_kind",
        )
        with chunks:
            for chunk in chunks:
                loop(*chunk)
            return chunks.operands[n][()]

    return call
