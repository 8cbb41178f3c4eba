"""A generator of our own beside ProS-GAN's: bounded, for any target code, from what the attacked network computes."""

from hashprobe.attacks.code_generator.attack import CodeGeneratorAttack
from hashprobe.attacks.code_generator.networks import CodeGenerator
from hashprobe.attacks.code_generator.settings import CodeGeneratorSettings

__all__ = ["CodeGenerator", "CodeGeneratorAttack", "CodeGeneratorSettings"]
