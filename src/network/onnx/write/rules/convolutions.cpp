// Convolutions.

#include "../rules.h"

namespace inn::onnx {
namespace {

std::vector<Name> convolution(Emitter& e, const CallView& call, bool transposed) {
  const auto axes = static_cast<size_t>(call.rank("weight") - 2);
  if (call.rank("input") != call.rank("weight")) call.refuse("an input without a batch axis");
  std::vector<Attribute> attributes{{"strides", call.integers("stride", axes)},
                                    {"dilations", call.integers("dilation", axes)},
                                    {"group", call.integer("groups")}};
  const auto& padding = call.argument("padding");
  if (padding.is_constant() && padding.constant().isString()) {
    const auto how = call.text("padding");
    attributes.push_back(how == "valid" ? Attribute{"auto_pad", std::string("VALID")}
                                        : Attribute{"auto_pad", std::string("SAME_UPPER")});
  } else {
    attributes.push_back({"pads", both_ends(call, axes)});
  }
  if (transposed) attributes.push_back({"output_padding", call.integers("output_padding", axes)});
  return {e.add(transposed ? "ConvTranspose" : "Conv",
                {call.tensor("input"), call.tensor("weight"), call.tensor("bias")}, std::move(attributes))};
}

}  // namespace

void add_convolutions(Rules& rules) {
  for (const char* name : {"conv1d", "conv2d", "conv3d"})
    rules[std::string("aten::") + name] = [](Emitter& e, const CallView& call) {
      return convolution(e, call, false);
    };
  for (const char* name : {"conv_transpose1d", "conv_transpose2d", "conv_transpose3d"})
    rules[std::string("aten::") + name] = [](Emitter& e, const CallView& call) {
      return convolution(e, call, true);
    };
  for (const char* name : {"convolution", "_convolution"})
    rules[std::string("aten::") + name] = [](Emitter& e, const CallView& call) {
      return convolution(e, call, call.flag("transposed"));
    };
}

}  // namespace inn::onnx
