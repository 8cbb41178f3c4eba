"""Attack a hash model of your own: any torch module becomes a HashModel in one line."""

import argparse

import torch

import hashprobe as hp
from hashprobe.images import as_images

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--weights", default="none", help="safetensors file of squeezenet1_0 (default: random)")
parser.add_argument("--queries", type=int, default=32, help="how many pictures are attacked")
arguments = parser.parse_args()
data = hp.data.load("openmoji", image_size=64, queries=arguments.queries, database=600, train=200)

# The module: SqueezeNet's features cut by 32 random hyperplanes (locality-sensitive hashing; untrained), and
# a normalisation that moves the hyperplanes to the middle of the pictures, so that every bit tells something.
torch.manual_seed(0)
backbone = hp.hashing.build_backbone("squeezenet1_0", arguments.weights)
hash_layer = (torch.nn.Linear(backbone.features, 32), torch.nn.BatchNorm1d(32, affine=False, momentum=1.0))
module = torch.nn.Sequential(backbone.network, *hash_layer)

# The line. These weights expect RGB from 0 to 255 minus (123, 117, 104); images here are in [0, 1].
model = hp.HashModel.wrap(module, bits=32, mean=(123 / 255, 117 / 255, 104 / 255), std=(1 / 255,) * 3)

with torch.no_grad():
    model.train().logits(as_images(data.train.images))  # in training mode the normalisation measures
model.eval()

labels, database = data.database.labels, model.codes(data.database.images)
targets = hp.targets.draw_target_labels("disjoint", data.query.labels, labels, seed=0)
goal = hp.targets.AnchorCode(codes=database, labels=labels, bits=32, seed=0)(targets)
adversarial = hp.attacks.IFGSM(epsilon=8 / 255, steps=30)(model, data.query.images, goal)
for name, images in (("clean", data.query.images), ("attacked", adversarial)):
    precision = hp.retrieval.average_precision(model.codes(images), database, targets, labels, bits=32)
    print(f"{name:8}  t-MAP {precision.mean():.3f}")
print(f"{'chance':8}  t-MAP {hp.retrieval.chance_level(targets, labels).mean():.3f}")
