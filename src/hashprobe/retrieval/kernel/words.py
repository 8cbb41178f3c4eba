"""A vector register as one value in compiled loops: LLVM's vector type, which numba does not expose.

LLVM turns each operation into the widest instructions of the machine (AVX-512; AVX2; two halves on ARM).
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.codegen import get_host_cpu_features
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, models, register_model
from numba.np.numpy_support import from_dtype

# Without types, which a type checker would ask for.
_settings: Any = config
_host_features: Any = get_host_cpu_features


def _has(*features: str) -> bool:
    """Return whether numba compiles for a processor with these instructions: this one's, or what it was told."""
    told = _settings.CPU_FEATURES
    known = _host_features() if told is None else told
    return {f"+{feature}" for feature in features} <= set(known.split(","))


# Some steps have instructions that LLVM does not find by itself. Without these, all is left to LLVM.
_USES_AVX512 = _has("avx512bw", "avx512vpopcntdq")
_USES_AVX2 = _has("avx2") and not _USES_AVX512

# 64-bit numbers of an array that make one value.
WORDS = 8 if _USES_AVX512 else 4
# 64-bit numbers of a line of the cache.
LINE_WORDS = 8
# What holds one bit of each byte of a value.
FIRST_BITS = np.dtype(f"u{WORDS}")
# Pieces of each byte whose ones are counted apart: AVX2 has no instruction for a whole byte, but looks up half of one.
PIECES = 2 if _USES_AVX2 else 1

_LANES = ir.VectorType(ir.IntType(64), WORDS)
_BYTES = ir.VectorType(ir.IntType(8), 8 * WORDS)
_WIDE = ir.VectorType(ir.IntType(64), 8 * WORDS)
_FOUR = ir.VectorType(ir.IntType(64), 4)
# What it makes of a function is called without the typing context, which a type checker cannot know.
_operation: Any = intrinsic


def empty_words(shape: tuple[int, ...]) -> npt.NDArray[np.uint64]:
    """Return an array that is not filled, its first number at the start of a line of the cache.

    A vector that lies across two lines takes twice as long to load.
    """
    size = math.prod(shape)
    numbers = np.empty(size + LINE_WORDS, dtype=np.uint64)
    start = -(numbers.ctypes.data // 8) % LINE_WORDS
    return numbers[start : start + size].reshape(shape)


class BitsType(types.Type):
    """The type of such a value in numba."""

    def __init__(self) -> None:
        super().__init__(name=f"Bits{64 * WORDS}")


bits_type = BitsType()


@register_model(BitsType)
class _BitsModel(models.PrimitiveModel):
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, _BYTES)  # type: ignore[no-untyped-call]


def _define(symbol: Any, instruction: str) -> None:
    """Let ``symbol`` work on two such values, bit by bit."""

    @infer_global(symbol)  # type: ignore[no-untyped-call]
    class Typed(AbstractTemplate):
        def generic(self, arguments: Any, keywords: Any) -> Any:
            fits = len(arguments) == 2 and all(argument == bits_type for argument in arguments)
            return bits_type(bits_type, bits_type) if fits else None

    @lower_builtin(symbol, bits_type, bits_type)  # type: ignore[no-untyped-call]
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return getattr(builder, instruction)(*arguments)


@_operation
def odd_ones(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return 1 where one or three of the bits are 1: the sum digit of a full adder."""
    return bits_type(a, b, c), _of_three(
        0b10010110, lambda builder, a, b, c: builder.xor(builder.xor(a, b), c)
    )


@_operation
def two_ones(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return 1 where at least two of the bits are 1: the carry of a full adder."""

    def steps(builder: Any, a: Any, b: Any, c: Any) -> Any:
        return builder.or_(builder.and_(a, b), builder.and_(builder.xor(a, b), c))

    return bits_type(a, b, c), _of_three(0b11101000, steps)


def _of_three(truth: int, steps: Any) -> Any:
    """Make of three values what the truth table says: one instruction of AVX-512, or some steps."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if not _USES_AVX512:
            return steps(builder, *arguments)
        lanes = [builder.bitcast(argument, _LANES) for argument in arguments]
        number = ir.IntType(32)
        look_up = _llvm(builder, "x86.avx512.pternlog.q.512", _LANES, *[_LANES] * 3, number)
        return builder.bitcast(builder.call(look_up, [*lanes, number(truth)]), _BYTES)

    return generate


for _symbol, _instruction in ((operator.and_, "and_"), (operator.or_, "or_"), (operator.xor, "xor")):
    _define(_symbol, _instruction)


@_operation
def pointer(typing_context: Any, array: Any) -> Any:
    """Return where a contiguous array starts. Compiled functions hand pointers on, since an array that is handed
    on is counted as held, twice a call; who made the array must hold it as long as the pointer is used.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), generate  # type: ignore[no-untyped-call]


@_operation
def advance(typing_context: Any, start: Any, count: Any) -> Any:
    """Return the pointer to what lies ``count`` numbers behind ``start``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _address(context, builder, signature, arguments)

    return start(start, count), generate


def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    index = context.cast(builder, arguments[1], signature.args[1], types.intp)
    return builder.gep(arguments[0], [index])


@_operation
def load(typing_context: Any, words: Any, index: Any) -> Any:
    """Return the bits of ``words[index]`` to ``words[index + WORDS - 1]``; ``words`` points to uint64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature, arguments)
        return builder.load(builder.bitcast(address, _BYTES.as_pointer()), align=8)

    return bits_type(words, index), generate


@_operation
def store(typing_context: Any, words: Any, index: Any, bits: Any) -> Any:
    """Write the bits to ``words[index]`` to ``words[index + WORDS - 1]``; ``words`` points to uint64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature, arguments)
        builder.store(arguments[2], builder.bitcast(address, _BYTES.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.void(words, index, bits), generate


@_operation
def spread(typing_context: Any, word: Any) -> Any:
    """Repeat one uint64 in all words."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        undefined, lane = ir.Constant(_LANES, ir.Undefined), ir.IntType(32)
        first = builder.insert_element(undefined, arguments[0], lane(0))
        everywhere = ir.Constant(ir.VectorType(lane, WORDS), [0] * WORDS)
        return builder.bitcast(builder.shuffle_vector(first, undefined, everywhere), _BYTES)

    return bits_type(types.uint64), generate


@_operation
def first_bits(typing_context: Any, bits: Any) -> Any:
    """Return the highest bit of each byte in an unsigned number of ``8 * WORDS`` bits, that of the first byte the lowest."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        negative = builder.icmp_signed("<", arguments[0], ir.Constant(_BYTES, None))
        return builder.bitcast(negative, ir.IntType(8 * WORDS))

    return from_dtype(FIRST_BITS)(bits), generate


@_operation
def without_first_bits(typing_context: Any, bits: Any) -> Any:
    """Move the bits of each byte up by one, so that the highest falls away."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.add(arguments[0], arguments[0])

    return bits_type(bits), generate


@_operation
def low_halves(typing_context: Any, bits: Any) -> Any:
    """Keep the lower four bits of each byte."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.and_(arguments[0], ir.Constant(_BYTES, [15] * 8 * WORDS))

    return bits_type(bits), generate


@_operation
def high_halves(typing_context: Any, bits: Any) -> Any:
    """Move the upper four bits of each byte down to the lower four."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.lshr(arguments[0], ir.Constant(_BYTES, [4] * 8 * WORDS))

    return bits_type(bits), generate


@_operation
def add_ones(typing_context: Any, counts: Any, bits: Any) -> Any:
    """Add to each number in ``counts`` how many ones its part of ``bits`` has; :func:`add_sums` adds the numbers up.

    The numbers are bytes that wrap at 256 (with AVX-512, 64-bit ones). Where ``PIECES`` is 2, only the lower four bits
    of each byte may hold ones.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        counts, bits = arguments
        if _USES_AVX512:
            ones = builder.call(
                _llvm(builder, "ctpop.v8i64", _LANES, _LANES), [builder.bitcast(bits, _LANES)]
            )
            return builder.bitcast(builder.add(builder.bitcast(counts, _LANES), ones), _BYTES)
        if _USES_AVX2:
            look_up = _llvm(builder, "x86.avx2.pshuf.b", _BYTES, _BYTES, _BYTES)
            table = ir.Constant(_BYTES, [number.bit_count() for number in range(16)] * 2)
            ones = builder.call(look_up, [table, bits])
        else:
            ones = builder.call(_llvm(builder, "ctpop.v32i8", _BYTES, _BYTES), [bits])
        return builder.add(counts, ones)

    return bits_type(counts, bits), generate


@_operation
def add_sums(typing_context: Any, numbers: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Add to each of four int64 numbers the sum of what :func:`add_ones` has counted in one value."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums = (_sums_by_lanes if _USES_AVX512 or _USES_AVX2 else _sums_by_reduction)(builder, arguments[1:])
        address = builder.bitcast(arguments[0], _FOUR.as_pointer())
        builder.store(builder.add(builder.load(address, align=8), sums), address, align=8)
        return context.get_dummy_value()

    return types.void(numbers, a, b, c, d), generate


def _sums_by_lanes(builder: Any, values: Any) -> Any:
    """Add the lanes of all four values at a time; of AVX2, an instruction first adds eight bytes to each lane."""

    def added(x: Any, y: Any, *lanes: list[int]) -> Any:
        wanted = [ir.Constant(ir.VectorType(ir.IntType(32), len(which)), which) for which in lanes]
        return builder.add(*(builder.shuffle_vector(x, y, which) for which in wanted))

    if _USES_AVX512:
        values = [builder.bitcast(value, _LANES) for value in values]
        values = [added(value, value, [0, 1, 2, 3], [4, 5, 6, 7]) for value in values]
    else:
        add = _llvm(builder, "x86.avx2.psad.bw", _LANES, _BYTES, _BYTES)
        values = [builder.call(add, [value, ir.Constant(_BYTES, None)]) for value in values]
    a, b, c, d = values
    left, right = (added(x, y, [0, 4, 2, 6], [1, 5, 3, 7]) for x, y in ((a, b), (c, d)))
    return added(left, right, [0, 1, 4, 5], [2, 3, 6, 7])


def _sums_by_reduction(builder: Any, values: Any) -> Any:
    add = _llvm(builder, "vector.reduce.add.v32i64", ir.IntType(64), _WIDE)
    sums = ir.Constant(_FOUR, ir.Undefined)
    for lane, value in enumerate(values):
        total = builder.call(add, [builder.zext(value, _WIDE)])
        sums = builder.insert_element(sums, total, ir.IntType(32)(lane))
    return sums


@_operation
def any_one(typing_context: Any, bits: Any) -> Any:
    """Return whether any bit is 1."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        merge = _llvm(builder, f"vector.reduce.or.v{WORDS}i64", ir.IntType(64), _LANES)
        merged = builder.call(merge, [builder.bitcast(arguments[0], _LANES)])
        return builder.icmp_unsigned("!=", merged, ir.IntType(64)(0))

    return types.boolean(bits), generate


def _llvm(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Declare one of LLVM's own functions; llvmlite's helper does not know vectors."""
    function = ir.FunctionType(result, arguments)
    return cgutils.get_or_insert_function(builder.module, function, f"llvm.{name}")  # type: ignore[no-untyped-call]
