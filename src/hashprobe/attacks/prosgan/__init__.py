"""ProS-GAN: networks, losses, training and the attack (Wang et al., CVPR 2021)."""

from hashprobe.attacks.prosgan.attack import ProSGAN
from hashprobe.attacks.prosgan.networks import Discriminator, Generator
from hashprobe.attacks.prosgan.settings import PRESETS, ProSGANSettings
from hashprobe.attacks.prosgan.training import train_generator

__all__ = ["PRESETS", "Discriminator", "Generator", "ProSGAN", "ProSGANSettings", "train_generator"]
