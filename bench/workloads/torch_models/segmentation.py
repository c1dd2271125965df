"""A small U-Net."""

from itertools import pairwise

from ..segmentation import CHANNELS, CLASSES
from .classifiers import cross_entropy
from .task import Task


def _unet(library):
    nn, functional = library.nn, library.nn.functional

    def convolutions(inputs, outputs):
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )

    class UNet(nn.Module):
        """Logits (N, classes, H, W) of images (N, 1, H, W)."""

        def __init__(self):
            super().__init__()
            levels = list(pairwise(CHANNELS))
            self.encoders = nn.ModuleList(
                [convolutions(before, after) for before, after in pairwise((1, *CHANNELS))]
            )
            self.enlargements = nn.ModuleList(
                [nn.ConvTranspose2d(more, fewer, 2, stride=2) for fewer, more in reversed(levels)]
            )
            self.decoders = nn.ModuleList(
                [convolutions(2 * fewer, fewer) for fewer, _ in reversed(levels)]
            )
            self.classify = nn.Conv2d(CHANNELS[0], CLASSES, 1)

        def forward(self, x):
            x = self.encoders[0](x)
            kept = []
            for encoder in self.encoders[1:]:
                kept.append(x)
                x = encoder(functional.max_pool2d(x, 2))
            for enlarge, decoder in zip(self.enlargements, self.decoders, strict=True):
                x = decoder(library.cat([kept.pop(), enlarge(x)], 1))
            return self.classify(x)

    return [UNet()]


TASKS = {"unet": Task(_unet, cross_entropy)}
