#pragma once
// The integral model: one set of weights for all widths.

#include <ATen/core/Generator.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "inn/calibration/calibration.h"
#include "inn/dimension/groups.h"
#include "inn/grid/distribution.h"
#include "inn/grid/family.h"
#include "inn/grid/grid.h"
#include "inn/model/network_module.h"
#include "inn/resampling/maps.h"

namespace inn {

struct ConvertOptions {
  /// Globs over group names. Empty (as are group_names and dims): every group that training made and that can
  /// be resized, see inn::learned_groups.
  std::vector<std::string> groups = {};
  /// Names of groups, exactly: beside `groups`, for names that hold what globs treat as special.
  std::vector<std::string> group_names = {};
  /// Continuous axes by tensor, as TorchIntegral takes them: {"layer4.0.conv1.weight": {0}}. Names the groups
  /// that stand there.
  std::map<std::string, std::vector<int64_t>> dims = {};
  std::string kernel = "cubic";
  /// Empty: that of the grids (GridFamily::quadrature).
  std::string quadrature = {};
  /// The points of a width: a name of `grid_family_names`.
  std::string grid = "nested";
  /// "path": channels are ordered so that tensors are smooth (see ordering); "nodes": so that each width's
  /// grid, which must be nested, has the nodes of the data's quadrature; "none": kept as they are.
  std::string order = "path";
  /// Data that "nodes" are found on. No labels needed; the model does not keep it.
  Calibration calibration = {};
  uint64_t seed = 0;
};

/// Returns the rule of these options. Throws std::invalid_argument for an unknown rule or family of grids.
Quadrature quadrature_of(const ConvertOptions& options);

/// The words that ConvertOptions::order takes.
const std::vector<std::string>& channel_orders();

/// Which width of its distribution a group takes in a forward of training mode.
enum class WidthDraw { random, widest, narrowest };

/// The widths of a forward in training mode: of the groups' distributions, or a fraction of all widths.
using PassWidth = std::variant<WidthDraw, double>;

/// Whether the groups take one fraction of their widths, or each draws its own.
enum class FractionSharing { shared, own };

/// One group of an integral model: a continuous axis with its grid.
class IntegralGroup {
 public:
  IntegralGroup(GroupId id, std::string name, int64_t source_width, const ConvertOptions& options);

  GroupId id() const { return id_; }
  const std::string& name() const { return name_; }
  int64_t source_width() const { return source_width_; }
  int64_t width() const { return grid_->size(); }
  /// Whether fractions of the model's widths are for it. Of a product (heads times head dimension) one factor
  /// follows them, see inn::fraction_groups; the others have the width that they are given by name.
  bool follows_fraction() const { return follows_fraction_; }
  void follow_fraction(bool follows) { follows_fraction_ = follows; }
  const std::string& kernel() const { return kernel_; }
  const std::string& quadrature() const { return quadrature_; }
  const std::string& grid_family() const { return family_; }
  const Grid& grid() const { return *grid_; }
  std::shared_ptr<const Grid> shared_grid() const { return grid_; }

  /// Samples the axis at the `width` points of its family from now on. Throws std::invalid_argument unless 1
  /// ≤ width ≤ 8·source_width.
  void resize(int64_t width);
  /// Takes any grid: trainable, Gauss-Legendre, one's own.
  void set_grid(std::shared_ptr<Grid> grid);
  /// In training mode each forward draws a width from it. Throws std::invalid_argument where it can draw one
  /// that `resize` refuses.
  void set_distribution(SizeDistribution distribution);
  void clear_distribution() { distribution_.reset(); }
  const std::optional<SizeDistribution>& distribution() const { return distribution_; }

  /// Returns the pair of maps of the grid as it is now; identities, exactly, on the source grid.
  GroupMaps maps() const;

 private:
  GroupMaps maps_at(const at::Tensor& points) const;
  void keep_maps();

  GroupId id_;
  std::string name_;
  int64_t source_width_;
  bool follows_fraction_ = true;
  std::string kernel_, quadrature_;
  std::string family_;
  std::shared_ptr<Grid> grid_;
  bool is_of_family_ = true;                  // whether the grid is that of the family at its width
  std::map<int64_t, GroupMaps> family_maps_;  // of some widths that it had
  std::optional<SizeDistribution> distribution_;
};

/// A network whose chosen groups are continuous: its parameters are the values of weight functions at control
/// points.
///
/// A parameter W is kept multiplied by the quadrature weights of its source grid, W = Q·F. So at the source
/// width the network runs with W itself, bit for bit, an ordinary optimizer sees the gradients that it sees
/// in ordinary training, and another width is the linear map diag(q')·Φ·diag(1/Q) of W (MATH: "Another
/// width").
class IntegralModelImpl : public NetworkModuleImpl {
 public:
  IntegralModelImpl(AnalysedNetwork source, ConvertOptions options);

  /// Groups in network order.
  std::vector<IntegralGroup>& groups() { return groups_; }
  const std::vector<IntegralGroup>& groups() const { return groups_; }
  /// Throws std::invalid_argument with the nearest names.
  IntegralGroup& group(const std::string& name);

  /// The group takes the grid, and what learns in it becomes a parameter of the model.
  void set_grid(const std::string& name, std::shared_ptr<Grid> grid);

  /// All groups that follow fractions to max(1, round(fraction · source width)).
  void resize(double fraction);
  /// All groups to their source width.
  void restore();
  /// All groups that follow fractions: in training mode each forward draws one fraction f and gives every
  /// group width max(1, round(f·n)); or draws one for each group.
  void set_distribution(FractionDistribution distribution, FractionSharing sharing = FractionSharing::shared);
  const std::optional<FractionDistribution>& distribution() const { return distribution_; }
  FractionSharing sharing() const { return sharing_; }
  /// Whether a forward in training mode chooses widths: all groups or one of them has a distribution.
  bool draws_widths() const;
  /// From now on the groups with a distribution, in forwards in training mode, take drawn widths, the
  /// greatest or least that can be drawn, or max(1, round(f·n)) for a fraction f.
  void set_pass_width(PassWidth choice) { pass_width_ = choice; }
  /// No widths are drawn any more, neither by groups nor by all together.
  void clear_distributions();
  /// Every group wider than 1 gets a grid of its present width whose points learn, and nothing else learns
  /// (grid tuning).
  void tune_grids();

  /// Draws new widths where distributions are set (in training mode); runs the network with tensors sampled
  /// at the grids.
  std::vector<c10::IValue> run(const std::vector<c10::IValue>& inputs) override;

  /// Returns the state sampled at the present grids, in the network's order. Differentiable in parameters and
  /// grids.
  std::vector<at::Tensor> sample() const;
  /// Returns a plain network at the present widths. Shares no tensor with the model.
  Network discretize() const;
  /// Returns the maps of all groups at their present grids.
  std::map<GroupId, GroupMaps> maps() const;

  std::shared_ptr<IntegralModelImpl> clone_model() const;
  const Groups& structure() const { return structure_; }
  const ConvertOptions& options() const { return options_; }
  /// Restarts the drawing of widths.
  void seed(uint64_t seed) { generator_.seed(seed); }
  std::mt19937_64& generator() { return generator_; }

 private:
  void register_grid(const IntegralGroup& group);
  void draw_widths();
  const std::vector<at::Tensor>& sampled();

  Groups structure_;
  ConvertOptions options_;
  std::vector<IntegralGroup> groups_;
  std::optional<FractionDistribution> distribution_;
  FractionSharing sharing_ = FractionSharing::shared;
  PassWidth pass_width_ = WidthDraw::random;
  std::mt19937_64 generator_;
  struct Cache;  // of sampled tensors, for evaluation
  std::shared_ptr<Cache> cache_;
};
TORCH_MODULE(IntegralModel);

/// Converts a network: finds its groups, orders their channels, makes the chosen ones continuous.
/// The outputs at the source width equal the network's. Throws std::invalid_argument for unknown or pinned
/// groups.
IntegralModel convert(const Network& network, const ConvertOptions& options = {});

/// Writes a .pt2 that torch.export.load reads as the network at its present widths, with extra/integral.json
/// beside it.
void save(const IntegralModelImpl& model, const std::filesystem::path& path);
/// Reads what `save` wrote. Throws std::runtime_error for a damaged file, and for a .pt2 without
/// extra/integral.json.
IntegralModel load_integral(const std::filesystem::path& path);
/// True where the archive holds an integral model.
bool is_integral(const Network& network);
/// The integral model that a network read from a file holds in its extra files.
IntegralModel load_integral(Network network);

}  // namespace inn
