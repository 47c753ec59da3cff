"""A plain PyTorch loop over the source work's CNN, to measure `fer-train bench` against.

    python3 train/benches/plain_pytorch.py [THREADS] [BATCH] [SECONDS]

Prints training images a second: images as bytes in memory, a random order, forward, backward, Adam. No
augmentation, as in the recipes under train/recipes/source. Needs PyTorch 2.11, the version that fer-train links.
"""

import sys
import time

import torch
from torch import nn

threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
batch = int(sys.argv[2]) if len(sys.argv) > 2 else 32
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 20
WARM_UP = 5

torch.set_num_threads(threads)
torch.manual_seed(0)

layers, channels = [], 1
for filters in (32, 64, 128, 512):
    layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.BatchNorm2d(filters), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.1)]
    channels = filters
layers.append(nn.Flatten())
features = 512 * 3 * 3
for outputs in (256, 128, 64):
    layers += [nn.Linear(features, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(0.1)]
    features = outputs
net = nn.Sequential(*layers, nn.Linear(features, 7)).train()

images = torch.randint(0, 256, (4096, 1, 48, 48), dtype=torch.uint8)
labels = torch.randint(0, 7, (4096,))
optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()

done, started = -WARM_UP, None
while started is None or time.perf_counter() - started < seconds:
    order = torch.randperm(len(images))
    for start in range(0, len(images) - batch + 1, batch):
        if done == 0:
            started = time.perf_counter()
        chosen = order[start : start + batch]
        optimiser.zero_grad()
        loss = criterion(net(images[chosen].float() / 255), labels[chosen])
        loss.backward()
        optimiser.step()
        done += 1
        if started is not None and time.perf_counter() - started >= seconds:
            break
print(f"{done * batch / (time.perf_counter() - started):.1f} images/s, {threads} threads, batch {batch}")
