"""ProS-GAN: networks, losses, training and the attack (Wang et al., CVPR 2021)."""

from hashprobe.attacks.prosgan.attack import ProSGAN
from hashprobe.attacks.prosgan.networks import Discriminator, Generator
from hashprobe.attacks.prosgan.published import train_generator
from hashprobe.attacks.prosgan.settings import NARROW, ProSGANSettings

__all__ = ["NARROW", "Discriminator", "Generator", "ProSGAN", "ProSGANSettings", "train_generator"]
