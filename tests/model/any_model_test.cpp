#include "inn/model/any_model.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "inn/network/files.h"
#include "network_builder.h"
#include "temporary_folder.h"

namespace inn {
namespace {

Network two_layers() {
  test::NetworkBuilder b(1);
  auto x = b.call("aten::linear", "", {b.input("x", {2, 3}), b.parameter("a.weight", {4, 3})});
  return b.finish(
      b.call("aten::linear", "", {b.call("aten::relu", "", {x}), b.parameter("b.weight", {5, 4})}));
}

TEST(AnyModel, IsWhatItsFileHolds) {
  const TemporaryFolder folder;
  const Network network = two_layers();
  const at::Tensor x = at::randn({2, 3}, at::kDouble);
  write_pt2(network, folder / "plain.pt2");
  const AnyModel plain = read_model(folder / "plain.pt2");
  EXPECT_FALSE(plain.is_integral());
  EXPECT_TRUE(plain.present().forward(x).equal(network.forward(x)));

  auto converted = convert(network);
  converted->groups()[0].resize(2);
  save_integral(*converted, folder / "integral.pt2");
  const AnyModel integral = read_model(folder / "integral.pt2");
  EXPECT_TRUE(integral.is_integral());
  EXPECT_TRUE(integral.present().forward(x).equal(converted->discretize().forward(x)));
  // Its source has the widths that were converted.
  EXPECT_TRUE(at::allclose(integral.source().network.forward(x), network.forward(x), 1e-6, 1e-9));
}

TEST(AnyModel, RefusesFilesThatHoldNoModelByName) {
  const TemporaryFolder folder;
  std::ofstream(folder / "model.tflite") << "x";
  std::ofstream(folder / "script.pt") << "x";
  EXPECT_THROW(read_model(folder / "model.tflite"), std::invalid_argument);
  EXPECT_THROW(read_model(folder / "script.pt"), std::invalid_argument);  // no examples
  EXPECT_THROW(read_model(folder / "missing.pt2"), std::runtime_error);
}

}  // namespace
}  // namespace inn
