"""Bilinear resizing by PyTorch: `python3 resize.py REQUEST RESPONSE`.

The request is a safetensors file of images [n, h, w, c], whose names end in the size to come, "… to 299x299"; the
response has the resized ones under the same names, computed in float64.
"""
import sys

import torch.nn.functional as F

from comparison import read, write

images, _ = read(sys.argv[1])
resized = {}
for name, image in images.items():
    size = tuple(int(extent) for extent in name.split(" to ")[1].split("x"))
    planes = F.interpolate(image.permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=False)
    resized[name] = planes.permute(0, 2, 3, 1).contiguous()
write(sys.argv[2], resized)
