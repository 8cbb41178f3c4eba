"""Backbones by name: a network from normalised images to features, with the preprocessing that belongs to its weights.

Names: ``efficientnet_lite0``, ``efficientnet_lite1`` and ``efficientnet_lite2`` (ImageNet weights that come as packages),
any name of torchvision's classification networks (``alexnet``, ``vgg11``, ``resnet18``, ``squeezenet1_0``, …) and, with the
prefix ``timm/``, any name that timm knows.

The cut is the paper's: the last linear layer is left out, and a hash layer takes its place. AlexNet and VGG keep their two
layers of 4096, with dropout. SqueezeNet has no linear layer: its classifier is a 1×1 convolution to the classes, so the
features are the global average of the 512 channels before it, brought to mean 0 and variance 1 within each image. Without
that, features from the weights of Caffe's time have a mean of 14, and a hash layer on them starts with a saturated tanh.

Convolutional networks take 64×64 as well as 224×224 (``inception_v3`` needs 75×75). Most transformers are made for one size
and take that alone; timm's ``vit_*``, ``deit_*`` and ``swin_*`` take any multiple of their patch.

A backbone of one's own is a function ``weights -> Backbone`` that is registered in ``BACKBONES``.
"""

from hashprobe.hashing.backbones.base import BACKBONES, CAFFE_MEAN, CAFFE_STD, Backbone, Triple
from hashprobe.hashing.backbones.build import build_backbone

__all__ = ["BACKBONES", "CAFFE_MEAN", "CAFFE_STD", "Backbone", "Triple", "build_backbone"]
