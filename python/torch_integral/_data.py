"""Data sets as they are distributed."""

from __future__ import annotations

import os

import torch
from torch.utils.data import Dataset

from . import _core


class ImageDataset(Dataset):
    """Images or other inputs in memory, with labels.

    Attributes
    ----------
    inputs : Tensor
        Images, ``[N, C, H, W]``, float32, normalized; or network inputs ``[N, …]``.
    labels : Tensor, optional
    class_names : list of str
    """

    def __init__(self, inputs: torch.Tensor, labels: torch.Tensor | None, class_names: list[str]):
        self.inputs = inputs
        self.labels = labels
        self.class_names = class_names

    def first(self, count: int) -> ImageDataset:
        """Return the first `count` samples, or all if there are fewer."""
        labels = None if self.labels is None else self.labels[:count]
        return ImageDataset(self.inputs[:count], labels, self.class_names)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index):
        return self.inputs[index] if self.labels is None else (self.inputs[index], self.labels[index])


def open_dataset(path_or_name: str | os.PathLike, split: str = "any", mean: float | list[float] = 0.0,
                 std: float | list[float] = 1.0) -> ImageDataset:
    """Open a data set in a format that the program `inn` reads: IDX, CIFAR, class folders of images, tensors.

    Parameters
    ----------
    path_or_name : path or str
        Or "fashion-mnist".
    split : {"any", "train", "test"}
    mean, std : float or list of float
        Images are scaled to [0, 1] and normalized by these, one for all channels or one each.

    Returns
    -------
    ImageDataset
        In memory, for a DataLoader.

    Raises
    ------
    RuntimeError
        Naming the file that is missing or damaged.
    """
    inputs, labels, names = _core.open_dataset(os.fspath(path_or_name), split)
    if inputs.dtype == torch.uint8:
        places = [torch.as_tensor(value, dtype=torch.float32).reshape(-1, 1, 1) for value in (mean, std)]
        inputs = (inputs.float() / 255 - places[0]) / places[1]
    return ImageDataset(inputs, labels, names)
