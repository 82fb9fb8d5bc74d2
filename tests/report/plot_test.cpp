#include "inn/report/plot.h"
#include "temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>

namespace inn {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::ThrowsMessage;

class Plot : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v gnuplot > /dev/null 2>&1") != 0) GTEST_SKIP() << "gnuplot is not installed";
  }

  std::string draw(const std::string& name, const std::vector<Series>& series,
                   const PlotOptions& options = {}) const {
    plot_lines(folder_.path() / name, series, options);
    std::ostringstream text;
    text << std::ifstream(folder_ / name, std::ios::binary).rdbuf();
    return text.str();
  }

  TemporaryFolder folder_;
  std::vector<Series> series_{{"integral", {1, 10, 100}, {0.7, 0.8, 0.9}},
                              {"cut by L1", {1, 10, 100}, {0.2, 0.5, 0.9}},
                              {"keep 0.512", {1, 10, 100}, {0.1, 0.3, 0.8}}};
};

TEST_F(Plot, HoldsItsTextsAndALineForEachSeries) {
  const std::string svg = draw("plot.svg", series_,
                               {.title = "Fashion-MNIST",
                                .x_title = "multiply-adds",
                                .y_title = "accuracy µ_2 {x}",
                                .x_scale = PlotOptions::Scale::logarithmic,
                                .width = 640,
                                .height = 480});
  EXPECT_THAT(svg, HasSubstr("<svg"));
  EXPECT_THAT(svg, HasSubstr("width=\"640\" height=\"480\""));
  for (const char* text :
       {"Fashion-MNIST", "multiply-adds", "accuracy µ_2 {x}", "integral", "cut by L1", "keep 0.512"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
  EXPECT_THAT(svg, HasSubstr("</svg>"));
  for (const char* color : {"0, 114, 178", "213,  94,   0"}) EXPECT_THAT(svg, HasSubstr(color));
}

TEST_F(Plot, WritesAPngOfTheSizeAsked) {
  const std::string png = draw("plot.png", series_, {.width = 300, .height = 200});
  ASSERT_GT(png.size(), 24u);
  EXPECT_EQ(png.substr(1, 3), "PNG");
  const auto big_endian = [&](size_t at) {
    return static_cast<unsigned char>(png[at + 2]) << 8 | static_cast<unsigned char>(png[at + 3]);
  };
  EXPECT_EQ(big_endian(16), 300);  // the IHDR chunk
  EXPECT_EQ(big_endian(20), 200);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1);
}

TEST_F(Plot, ReadsNothingInATextAsACommand) {
  const std::string file = (folder_ / "made").string();
  const std::string touch = "system('touch " + file + "')";
  for (const std::string& name : {"'; " + touch + "; '", "`touch " + file + "`", "x\n" + touch + "\n",
                                  "\"; " + touch + "; \"", "\\'; " + touch + " #", "@" + touch}) {
    const std::string svg =
        draw("plot.svg", {{name, {1, 2}, {1, 2}}}, {.title = name, .x_title = name, .y_title = name});
    EXPECT_THAT(svg, HasSubstr("touch"));
    EXPECT_FALSE(fs::exists(file)) << name;
  }
}

TEST_F(Plot, DrawsOnePointAndManySeries) {
  EXPECT_THAT(draw("one.svg", {{"one", {3}, {3}}}), HasSubstr("</svg>"));
  std::vector<Series> many;
  for (int i = 0; i < 20; ++i) many.push_back({"line " + std::to_string(i), {0, 1}, {0.0, 1.0 * i}});
  EXPECT_THAT(draw("many.svg", many), HasSubstr("line 19"));
  Series large{"large", {}, {}};
  for (int i = 0; i < 20'000; ++i) {
    large.x.push_back(i);
    large.y.push_back(i % 7);
  }
  EXPECT_THAT(draw("large.svg", {large}), HasSubstr("</svg>"));  // more than a pipe holds, in and out
}

TEST_F(Plot, SaysWhichPackageHasGnuplot) {
  const std::string path = std::getenv("PATH");
  setenv("PATH", folder_.path().c_str(), 1);
  EXPECT_THAT([&] { draw("plot.svg", series_); },
              ThrowsMessage<std::runtime_error>(HasSubstr("apt install gnuplot-nox")));
  setenv("PATH", path.c_str(), 1);
  EXPECT_FALSE(fs::exists(folder_ / "plot.svg"));
}

TEST(PlotLines, RefusesWhatCannotBeDrawn) {
  const std::vector<Series> good{{"a", {1}, {1}}};
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_THAT([&] { plot_lines("x.jpg", good, {}); },
              ThrowsMessage<std::invalid_argument>(HasSubstr(".svg or .png")));
  EXPECT_THROW(plot_lines("x.svg", {}, {}), std::invalid_argument);
  EXPECT_THROW(plot_lines("x.svg", good, {.width = 10}), std::invalid_argument);
  EXPECT_THAT(
      [] {
        plot_lines("x.svg", {{"a", {1, 2}, {1}}}, {});
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("as many x as y, at least one, but has 2 and 1")));
  EXPECT_THROW(plot_lines("x.svg", {{"a", {}, {}}}, {}), std::invalid_argument);
  EXPECT_THROW(plot_lines("x.svg", {{"a", {1}, {infinity}}}, {}), std::invalid_argument);
  EXPECT_THAT(
      [] {
        plot_lines("x.svg", {{"a", {0}, {1}}}, {.x_scale = PlotOptions::Scale::logarithmic});
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("x must be positive but one is 0")));
}

TEST_F(Plot, NamesAFolderThatIsMissing) {
  EXPECT_THAT([&] { draw("no/plot.svg", series_); },
              ThrowsMessage<std::runtime_error>(HasSubstr("No such file or directory")));
}

}  // namespace
}  // namespace inn
