"""256 bits as one value in compiled loops: LLVM's vector type, which numba does not expose.

LLVM turns each operation into the widest instructions of the machine (AVX2, two halves on ARM).
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.core import cgutils, config
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, models, register_model

# 64-bit numbers of an array that make one value.
WORDS = 4

_LANES = ir.VectorType(ir.IntType(64), WORDS)
_BYTES = ir.VectorType(ir.IntType(8), 8 * WORDS)
_WIDE = ir.VectorType(ir.IntType(64), 8 * WORDS)
# Two steps have instructions that LLVM does not find by itself. Where numba is told of another processor than this
# one, it is left to LLVM.
_settings: Any = config
_USES_AVX2 = (
    _settings.CPU_NAME is None
    and _settings.CPU_FEATURES is None
    and get_host_cpu_features().get("avx2", False)
)
# What it makes of a function is called without the typing context, which a type checker cannot know.
_operation: Any = intrinsic


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
        return _place(context, builder, signature, arguments)

    return start(start, count), generate


def _place(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    index = context.cast(builder, arguments[1], signature.args[1], types.intp)
    return builder.gep(arguments[0], [index])


@_operation
def load(typing_context: Any, words: Any, index: Any) -> Any:
    """Return the bits of ``words[index]`` to ``words[index + WORDS - 1]``; ``words`` points to uint64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature, arguments)
        return builder.load(builder.bitcast(place, _BYTES.as_pointer()), align=8)

    return bits_type(words, index), generate


@_operation
def store(typing_context: Any, words: Any, index: Any, bits: Any) -> Any:
    """Write the bits to ``words[index]`` to ``words[index + WORDS - 1]``; ``words`` points to uint64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature, arguments)
        builder.store(arguments[2], builder.bitcast(place, _BYTES.as_pointer()), align=8)
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
    """Return the highest bit of each byte, 32 of them in a uint64, that of the first byte the lowest."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        negative = builder.icmp_signed("<", arguments[0], ir.Constant(_BYTES, None))
        return builder.zext(builder.bitcast(negative, ir.IntType(8 * WORDS)), ir.IntType(64))

    return types.uint64(bits), generate


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
    """Move the upper four bits of each byte to the place of the lower four."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.lshr(arguments[0], ir.Constant(_BYTES, [4] * 8 * WORDS))

    return bits_type(bits), generate


@_operation
def add_ones_of_halves(typing_context: Any, counts: Any, bits: Any) -> Any:
    """Add to each byte of ``counts`` how many ones the same byte of ``bits``, 0 to 15, has; bytes wrap at 256.

    So small a number is looked up in one instruction, where a whole byte takes six.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _USES_AVX2:
            look_up = _llvm(builder, "x86.avx2.pshuf.b", _BYTES, _BYTES, _BYTES)
            table = ir.Constant(_BYTES, [number.bit_count() for number in range(16)] * 2)
            ones = builder.call(look_up, [table, arguments[1]])
        else:
            ones = builder.call(_llvm(builder, "ctpop.v32i8", _BYTES, _BYTES), [arguments[1]])
        return builder.add(arguments[0], ones)

    return bits_type(counts, bits), generate


@_operation
def add_sums_of_bytes(typing_context: Any, numbers: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Add to each of four int64 numbers the sum of the bytes of one value, each byte 0 to 255."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums = (_sums_by_lanes if _USES_AVX2 else _sums_by_reduction)(builder, arguments[1:])
        place = builder.bitcast(arguments[0], _LANES.as_pointer())
        builder.store(builder.add(builder.load(place, align=8), sums), place, align=8)
        return context.get_dummy_value()

    return types.void(numbers, a, b, c, d), generate


def _sums_by_lanes(builder: Any, values: Any) -> Any:
    """Let an instruction add eight bytes to each lane, and add the lanes of all four values at a time."""
    add = _llvm(builder, "x86.avx2.psad.bw", _LANES, _BYTES, _BYTES)
    a, b, c, d = (builder.call(add, [value, ir.Constant(_BYTES, None)]) for value in values)

    def added(x: Any, y: Any, *lanes: list[int]) -> Any:
        wanted = [ir.Constant(ir.VectorType(ir.IntType(32), WORDS), which) for which in lanes]
        return builder.add(*(builder.shuffle_vector(x, y, which) for which in wanted))

    left, right = (added(x, y, [0, 4, 2, 6], [1, 5, 3, 7]) for x, y in ((a, b), (c, d)))
    return added(left, right, [0, 1, 4, 5], [2, 3, 6, 7])


def _sums_by_reduction(builder: Any, values: Any) -> Any:
    add = _llvm(builder, "vector.reduce.add.v32i64", ir.IntType(64), _WIDE)
    sums = ir.Constant(_LANES, ir.Undefined)
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
