"""Settings of ProS-GAN's training: the paper's (the defaults), its authors' program's, those made small, and our own."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from hashprobe.attacks.prosgan.networks import check_change
from hashprobe.attacks.teaching import GeneratorTrainingSettings


class ProSGANSettings(GeneratorTrainingSettings):
    """How ProS-GAN is trained; see :class:`GeneratorTrainingSettings` as well.

    Attributes:
        width: Channels of the generator's first convolution.
        decoder: What the decoder D_t is: transposed ``convolutions`` (published), or a ``linear`` basis of patterns.
        decoder_width: Channels of the decoder D_t, half of those after its linear layer, or patterns in the basis; ``width``
            (published) if not given.
        adversarial: γ, weight of the discriminator's term; at 0 there is none.
        discriminator_width: Channels of the discriminator's first convolution.
        discriminator_every: The discriminator is updated in every so many-th step.
        class_outputs: Whether the discriminator names classes; ``False`` is the ablation ProS-GAN−.
        residual: Whether the output is a change of the image, see :class:`hashprobe.attacks.prosgan.networks.Generator`; as
            published (``False``) it is the image itself.
        epsilon: L∞ bound of the generator in [0, 1] units; ``None`` (published) for unbounded.
    """

    VERSION: ClassVar[int] = 2

    width: int = Field(64, ge=8, multiple_of=8)
    decoder: Literal["convolutions", "linear"] = "convolutions"
    decoder_width: int | None = Field(None, ge=8, multiple_of=8)
    adversarial: float = Field(1.0, ge=0)
    discriminator_width: int = Field(64, ge=1)
    discriminator_every: int = Field(3, ge=1)
    class_outputs: bool = True
    residual: bool = False
    epsilon: float | None = Field(None, gt=0, le=1)

    @model_validator(mode="after")
    def _fits(self) -> ProSGANSettings:
        check_change(self.decoder, self.residual, self.epsilon)
        return self


NARROW = ProSGANSettings(
    width=16,
    decoder_width=64,
    discriminator_width=16,
    epochs=7,
    batch_size=16,
    learning_rate=1e-3,
    reconstruction=12.0,
    hamming=5.0,
    adversarial=0.1,
    sharpness=0.3,
    residual=True,
)
"""The published generator and losses made small: a narrow transform, the paper's decoder, fewer and larger steps, and no bound.
The paper's grid at the scale ``cpu`` trains it."""

# By scale. The authors' program multiplies the Hamming term by five, which the paper does not say. ``cpu`` is for two cores and a
# few thousand images: a linear decoder and a bound in place of the reconstruction's weight. It learns sooner than the narrow
# one, is stronger at equal budget, and ends in the same place from seed to seed; see docs/results/quickstart.md.
PRESETS = {
    "released": ProSGANSettings(hamming=5.0),
    "cpu": NARROW.model_copy(
        update={
            "decoder": "linear",
            "decoder_width": 256,
            "width": 8,
            "epsilon": 16 / 255,
            "reconstruction": 0.0,
            "relative": True,
            "disjoint": True,
            "batch_size": 32,
            "epochs": 8,
            "learning_rate": 4e-3,
            "betas": (0.9, 0.99),
            "warm_up": 50,
            "clip": 1.0,
            "average": 0.99,
        }
    ),
}
