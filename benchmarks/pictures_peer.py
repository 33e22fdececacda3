"""torchvision's ImageFolder in a DataLoader of two processes: `python pictures_peer.py FOLDER SIDE`; prints seconds."""

import sys
import time

import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

if __name__ == "__main__":
    torch.set_num_threads(1)
    side = int(sys.argv[2])
    size = transforms.Resize((side, side), transforms.InterpolationMode.BICUBIC)
    change = transforms.Compose([size, transforms.PILToTensor()])
    begun = time.perf_counter()
    count = 0
    for images, _ in DataLoader(datasets.ImageFolder(sys.argv[1], change), batch_size=64, num_workers=2):
        count += len(images)
    print(time.perf_counter() - begun)
