#include "inn/report/network_drawing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "network_builder.h"
#include "temporary_folder.h"

namespace inn {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

/// conv a (3→4), conv b (3→6), their concatenation, batch norm, flatten, linear (10·9→5); modules are named.
AnalysedNetwork joined_network(const std::string& prefix = "") {
  test::NetworkBuilder b;
  const auto x = b.input("x", {2, 3, 3, 3});
  const auto conv = [&](const std::string& name, int64_t channels) {
    return b.call("aten::conv2d", "",
                  {x, b.parameter(prefix + name + ".weight", {channels, 3, 1, 1}),
                   b.parameter(prefix + name + ".bias", {channels})});
  };
  auto y = b.call("aten::cat", "", {std::vector<ValueRef>{conv("a", 4), conv("b", 6)}, 1});
  y = b.batch_norm(prefix + "norm", y, 10);
  y = b.call("aten::flatten", "using_ints", {y, 1});
  y = b.call("aten::linear", "",
             {y, b.parameter(prefix + "fc.weight", {5, 90}), b.parameter(prefix + "fc.bias", {5})});
  return analyse(b.finish(y));
}

/// `blocks` residual blocks of a linear layer, tanh and a sum, in modules "body.K" and "body.K.fc".
AnalysedNetwork residual_blocks(int64_t blocks) {
  test::NetworkBuilder b;
  auto x = b.call("aten::linear", "", {b.input("x", {2, 3}), b.parameter("stem.weight", {4, 3})});
  for (int64_t k = 0; k < blocks; ++k) {
    const auto name = fmt::format("body.{}.fc", k);
    const auto y = b.call("aten::linear", "", {x, b.parameter(name + ".in.weight", {6, 4})});
    const auto z = b.call("aten::tanh", "", {y});
    x = b.call("aten::add", "Tensor",
               {x, b.call("aten::linear", "", {z, b.parameter(name + ".out.weight", {4, 6})})});
  }
  Network network = b.finish(x);
  network.calls[0].module = "stem";
  for (int64_t k = 0; k < blocks; ++k) {
    network.calls[1 + 4 * k].module = fmt::format("body.{}.fc.in", k);
    network.calls[3 + 4 * k].module = fmt::format("body.{}.fc.out", k);
    network.calls[2 + 4 * k].module = network.calls[4 + 4 * k].module = fmt::format("body.{}", k);
  }
  return analyse(std::move(network));
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(NetworkDot, NamesEveryMemberOfEveryGroup) {
  for (const int64_t most : {300, 1}) {
    const auto source = joined_network();
    const auto dot = network_dot(source, {.most_nodes = most});
    ASSERT_GE(source.groups.groups.size(), 3u);
    for (const auto& group : source.groups.groups) {
      if (group.positions) continue;  // kernel taps are numbers
      EXPECT_THAT(dot, HasSubstr(">" + group.name + "<"));
      if (group.pinned) {
        EXPECT_THAT(dot, HasSubstr("pinned: " + *group.pinned));
      }
      for (const auto& member : group.members)
        EXPECT_THAT(
            dot, HasSubstr(fmt::format(
                     "{}[{}] {}s {}, channel c at {} + o·{} + c·{} + i, o &lt; {}, i &lt; {}", member.tensor,
                     member.axis, member.role == MemberRole::produce ? "produce" : "consume", group.name,
                     member.offset, member.outer_stride, member.inner, member.outer, member.inner)));
    }
  }
}

TEST(NetworkDot, GivesEachGroupAColourOfItsOwnAndPinnedOnesGrey) {
  const auto source = residual_blocks(30);
  const auto dot = network_dot(source);
  std::set<std::string> colors;
  size_t free = 0;
  for (const auto& group : source.groups.groups) {
    if (group.positions) continue;
    const auto end = dot.find("</TD><TD ALIGN=\"LEFT\">" + group.name + "<");
    ASSERT_NE(end, std::string::npos) << group.name;
    const auto begin = dot.rfind("BGCOLOR=\"#", end) + 9;
    const auto color = dot.substr(begin, 7);
    EXPECT_EQ(color == "#c8c8c8", group.pinned.has_value()) << group.name;
    if (group.pinned) continue;
    ++free;
    colors.insert(color);
  }
  EXPECT_EQ(colors.size(), free);
  EXPECT_EQ(free, 30u);  // each block's own width; the sum is the output
}

TEST(NetworkDot, HasANodeForEachCallAndAnEdgeForEachTensorBetweenThem) {
  const auto dot = network_dot(joined_network());
  EXPECT_EQ(count_of(dot, " [tooltip="), 6u + 2u);
  EXPECT_EQ(count_of(dot, " -> "), 2u + 2u + 3u + 1u);
  EXPECT_THAT(dot, HasSubstr("conv2d"));
  EXPECT_THAT(dot, HasSubstr(">⊕6</TD>"));  // the concatenated axis
  EXPECT_THAT(dot, HasSubstr(">∫4</TD>"));  // fc's columns, summed over
}

TEST(NetworkDot, MergesCallsOfAModuleWhereTheyAreMany) {
  const auto source = residual_blocks(40);
  const auto nodes = [&](int64_t most) {
    return count_of(network_dot(source, {.most_nodes = most}), " [tooltip=") - 2;
  };
  EXPECT_EQ(nodes(161), 161u);
  EXPECT_EQ(nodes(160), 41u);  // "body.K"
  EXPECT_EQ(nodes(20), 2u);    // "stem", "body"
  const auto dot = network_dot(source, {.most_nodes = 50});
  EXPECT_THAT(dot, HasSubstr("4 calls: linear ×2, add ×1, tanh ×1"));
  // Nodes are in the order of the calls and no edge leads backwards.
  std::istringstream lines(dot);
  for (std::string line; std::getline(lines, line);) {
    int from = 0, to = 0;
    if (std::sscanf(line.c_str(), " n%d -> n%d", &from, &to) == 2) {
      EXPECT_LT(from, to);
    }
  }
}

class Drawing : public testing::Test {
 protected:
  std::string draw(const std::string& name, const AnalysedNetwork& source) const {
    draw_network(folder_ / name, source);
    std::ostringstream text;
    text << std::ifstream(folder_ / name, std::ios::binary).rdbuf();
    return text.str();
  }
  static bool has_graphviz() { return std::system("command -v dot > /dev/null 2>&1") == 0; }

  TemporaryFolder folder_;
};

TEST_F(Drawing, WritesTheGraphItselfWithoutGraphviz) {
  const std::string path = std::getenv("PATH");
  setenv("PATH", folder_.path().c_str(), 1);
  EXPECT_EQ(draw("groups.dot", joined_network()), network_dot(joined_network()));
  EXPECT_THAT([&] { draw("groups.svg", joined_network()); },
              ThrowsMessage<std::runtime_error>(HasSubstr("apt install graphviz")));
  setenv("PATH", path.c_str(), 1);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "groups.svg"));
}

TEST_F(Drawing, IsLaidOutByGraphviz) {
  if (!has_graphviz()) GTEST_SKIP() << "Graphviz is not installed";
  const auto svg = draw("groups.svg", joined_network());
  for (const char* text : {"<svg", "Groups", "conv2d", "fc.weight[1] consumes a", "</svg>"})
    EXPECT_THAT(svg, HasSubstr(text));
  EXPECT_EQ(draw("groups.png", joined_network()).substr(1, 3), "PNG");
  EXPECT_EQ(draw("groups.pdf", joined_network()).substr(0, 5), "%PDF-");
}

TEST_F(Drawing, ReadsNothingInANameAsMarkup) {
  const auto source = joined_network("\"<b>]&amp;\\N\n{x}");
  const auto dot = network_dot(source);
  EXPECT_THAT(dot, HasSubstr("&quot;&lt;b&gt;]&amp;amp;&#92;N {x}"));
  EXPECT_THAT(dot, Not(HasSubstr("<b>")));
  if (!has_graphviz()) GTEST_SKIP() << "Graphviz is not installed";
  EXPECT_THAT(draw("groups.svg", source), HasSubstr("&lt;b&gt;"));
}

TEST_F(Drawing, RefusesWhatCannotBeDrawn) {
  EXPECT_THAT([&] { draw("groups.jpg", joined_network()); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("must end in .svg, .png, .pdf, .dot")));
  EXPECT_THROW(network_dot(joined_network(), {.most_nodes = 0}), std::invalid_argument);
}

}  // namespace
}  // namespace inn
