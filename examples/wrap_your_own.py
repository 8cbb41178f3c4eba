"""Attack a hash model of your own: any torch module becomes a HashModel in one line."""

import argparse

import torch

import hashprobe as hp
from hashprobe.images import as_images

BITS = 32

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--weights", default="none", help="safetensors file of squeezenet1_0; without it, random weights")
parser.add_argument("--queries", type=int, default=64, help="how many pictures are attacked")
arguments = parser.parse_args()
data = hp.data.load("openmoji", image_size=64, queries=arguments.queries, database=1000, train=200)

# The module: SqueezeNet's features, cut by 32 random hyperplanes (locality-sensitive hashing, nothing is trained).
torch.manual_seed(0)
backbone = hp.hashing.build_backbone("squeezenet1_0", arguments.weights)
hyperplanes = torch.nn.Linear(backbone.features, BITS)
module = torch.nn.Sequential(backbone.network, hyperplanes).eval()

# The line. These weights expect RGB from 0 to 255 minus (123, 117, 104); images here are in [0, 1].
model = hp.HashModel.wrap(module, bits=BITS, mean=(123 / 255, 117 / 255, 104 / 255), std=(1 / 255,) * 3)
with torch.no_grad():  # move the hyperplanes to the middle of the training pictures, so that every bit tells something
    hyperplanes.bias -= model.logits(as_images(data.train.images)).mean(dim=0)

labels, database_labels = data.query.labels, data.database.labels
database = model.codes(data.database.images)
targets = hp.targets.draw_target_labels("disjoint", labels, database_labels, seed=0)
goal = hp.targets.AnchorCode(codes=database, labels=database_labels, bits=BITS, seed=0)(targets)
adversarial = hp.attacks.IFGSM(epsilon=8 / 255, steps=20)(model, data.query.images, goal)
for name, images in (("clean", data.query.images), ("attacked", adversarial)):
    precision = hp.retrieval.average_precision(model.codes(images), database, targets, database_labels, bits=BITS)
    print(f"{name:8}  t-MAP {precision.mean():.3f}")
print(f"{'chance':8}  t-MAP {hp.retrieval.chance_level(targets, database_labels).mean():.3f}")
