"""Where the time of a generator's training step goes, in processor milliseconds of one thread: ProS-GAN's and a code generator's.

python benchmarks/training_step.py --model runs/quickstart/hash-model
python benchmarks/training_step.py --model runs/quickstart/hash-model --operations     # by operation, from torch's profiler

The parts are timed one by one, in turn, so that a busy machine slows all of them; images are noise.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

from hashprobe.attacks.code_generator import CodeGenerator, CodeGeneratorSettings
from hashprobe.attacks.code_generator.seeing import look_at, map_sizes, seen
from hashprobe.attacks.code_generator.training import as_learned, new_code_generator
from hashprobe.attacks.prosgan import NARROW, Discriminator, ProSGANSettings
from hashprobe.attacks.prosgan.networks import Generator
from hashprobe.hashing import HashModel, folded, frozen

SEMANTICS, CLASSES, HIDDEN = 512, 21, 256


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument(
        "--width", type=int, action="append", help="Of ProS-GAN's transform; may be repeated."
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--operations", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = HashModel.load(given.model)
    with frozen(model):
        parts = {
            name: part
            for width in given.width or [NARROW.width]
            for name, part in parts_of(model, given.image_size, given.batch, width).items()
        }
        if given.operations:
            for name, part in parts.items():
                part()
                with profile(activities=[ProfilerActivity.CPU]) as seen:
                    part()
                print(name)
                print(seen.key_averages().table(sort_by="self_cpu_time_total", row_limit=8))
            return
        taken: dict[str, list[float]] = {name: [] for name in parts}
        for _ in range(given.repeats + 1):
            for name, part in parts.items():
                started = time.process_time()
                part()
                taken[name].append(1000 * (time.process_time() - started))
    print(
        f"| part, {given.batch} images of {given.image_size}×{given.image_size} | ms, median |\n| --- | ---: |"
    )
    for name, times in taken.items():
        print(f"| {name} | {statistics.median(times[1:]):.0f} |")  # the first finds the fastest ways


def parts_of(model: HashModel, size: int, batch: int, width: int) -> dict[str, Callable[[], object]]:
    """Return the parts of a step, each forward and backward where not said otherwise."""
    settings: ProSGANSettings = NARROW.model_copy(update={"width": width})
    images, semantics = torch.rand(batch, 3, size, size) * 2 - 1, torch.randn(batch, SEMANTICS)
    generator = Generator(size, width=width, decoder_width=settings.decoder_width, residual=settings.residual)
    judge = Discriminator(size, outputs=CLASSES + 1, width=settings.discriminator_width)
    optimizer = torch.optim.Adam(generator.parameters())
    shown = torch.cat([images, images], dim=1)
    codes, light = torch.randn(batch, model.bits).sign(), folded(model, size)
    pattern = CodeGenerator(model.bits, size, hidden=HIDDEN)
    drawing = new_code_generator(
        CodeGeneratorSettings(hidden=HIDDEN), model.bits, size, map_sizes(model, size)
    )
    pictures, sizes = as_learned(images), map_sizes(model, size)
    found = seen(look_at(light), pictures, codes, sizes=sizes)
    at = f"width {width}: "

    def attacked(layout: torch.memory_format = torch.contiguous_format) -> None:
        model.network.to(memory_format=layout)  # type: ignore[call-overload]
        start = ((images + 1) / 2).contiguous(memory_format=layout).requires_grad_()
        model.attack_logits(start).sum().backward()

    def looked_at() -> None:
        light.attack_logits(as_learned(images).requires_grad_()).sum().backward()

    def halved(part: Callable[[], torch.Tensor]) -> Callable[[], object]:
        def run() -> None:
            with torch.autocast("cpu", torch.bfloat16):
                drawn = part()
            drawn.sum().backward()

        return run

    def all_weights() -> None:
        model.requires_grad_(True)
        attacked()
        model.zero_grad(set_to_none=True)
        model.requires_grad_(False)

    return {
        "attacked network": attacked,
        "attacked network, folded: what a step looks at": looked_at,
        "attacked network, channels_last": lambda: attacked(torch.channels_last),
        "attacked network, were its weights not frozen": all_weights,
        f"{at}generator": lambda: generator(images, semantics).sum().backward(),
        f"{at}generator, bfloat16": halved(lambda: generator(images, semantics)),
        f"{at}its decoder, of that": lambda: generator.decoder(semantics).sum().backward(),
        f"{at}its transform, of that": lambda: generator.transform(shown).sum().backward(),
        f"{at}Adam": optimizer.step,
        f"{at}discriminator": lambda: judge(images).sum().backward(),
        "code generator, the code alone": lambda: pattern(pictures, codes, None).sum().backward(),
        "code generator, features": lambda: drawing(pictures, codes, found).sum().backward(),
        "code generator, features, bfloat16": halved(lambda: drawing(pictures, codes, found)),
        "code generator, what it sees": lambda: seen(look_at(light), pictures, codes, sizes=sizes),
    }


if __name__ == "__main__":
    main()
