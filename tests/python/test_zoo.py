"""The trained models that come with the library: their accuracy is what their cards say."""

from pathlib import Path

import pytest
import torch
import torch_integral as inn

DATA = Path("/usr/share/datasets/fashion-mnist")
COUNT = 2000


@pytest.mark.skipif(not DATA.exists(), reason="no Fashion-MNIST here")
@pytest.mark.parametrize("card", inn.zoo(), ids=lambda card: card["name"])
def test_accuracy_is_that_of_the_card(card):
    model = inn.IntegralModel.load(f"zoo:{card['name']}").eval()
    images, labels = inn.open_dataset("fashion-mnist", "test", mean=[0.286], std=[0.353])[:COUNT]
    calibration, _ = inn.open_dataset("fashion-mnist", "train", mean=[0.286], std=[0.353])[:COUNT]
    for row in card["widths"]:
        if row["width"] not in (1, 0.5, 0.25):
            continue
        made = inn.resample(model, keep=row["width"], method="interpolate", refit=False, calibration=[calibration]).model
        with torch.no_grad():
            found = float((made(images).argmax(1) == labels).float().mean())
        assert abs(found - row["accuracy"]) < 0.025, row


def test_names():
    with pytest.raises(ValueError, match="Did you mean 'small_cnn@fashion-mnist'"):
        inn.IntegralModel.load("zoo:small_cnn@fashion")


def test_load_reads_what_save_writes(tmp_path):
    model = inn.IntegralModel.load("zoo:small_cnn@fashion-mnist").eval()
    model.groups[0].resize(20)
    model.save(tmp_path / "model.pt2")
    again, images = inn.IntegralModel.load(tmp_path / "model.pt2").eval(), torch.randn(3, 1, 28, 28)
    assert again.groups[0].grid_size() == 20 and again(images).equal(model(images))
    with pytest.raises(RuntimeError, match="none.pt2"):
        inn.IntegralModel.load(tmp_path / "none.pt2")
