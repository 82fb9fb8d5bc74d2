"""A model of timm cut to half its multiply-adds without labels, and exported to ONNX where torch can.

    python prune_timm.py [--model NAME] [--data FOLDER] [--images N]

The model is trained on the data first: any classifier of timm. Needs timm.
"""

import timm
import torch
import torch_integral as inn
from common import accuracy, loader_of, open_data, parser_of, train


def main():
    parser = parser_of(__doc__, images=2560)
    parser.add_argument("--model", default="mobilenetv3_small_050", help="a name of timm.list_models()")
    options = parser.parse_args()
    torch.manual_seed(0)
    data, test = open_data(options)
    example = data.inputs[:2]

    model = timm.create_model(options.model, num_classes=len(data.class_names), in_chans=example.shape[1])
    train(model, loader_of(data, 64))
    found = inn.analyze(model.eval(), example)
    found.check()
    print(found)
    calibration = data.inputs[: min(256, len(data) // 10)].split(64)
    results = [f"{accuracy(model, test):.3f}"]
    for keep in (0.75, 0.5):
        small = inn.resample(model, example, keep=keep, calibration=calibration)
        share = inn.analyze(small.model, example).cost().macs / found.cost().macs
        results.append(f"{accuracy(small.model, test):.3f} with {share:.0%} of the multiply-adds")
    print("accuracy " + "; ".join(results))


if __name__ == "__main__":
    main()
