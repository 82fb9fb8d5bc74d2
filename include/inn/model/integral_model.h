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
  /// Globs over group names. If empty (with group_names and dims): all resizable groups.
  std::vector<std::string> groups = {};
  /// Exact names of groups, in addition to `groups`, for names that contain glob characters.
  std::vector<std::string> group_names = {};
  /// Continuous axes by tensor, as in TorchIntegral: {"layer4.0.conv1.weight": {0}}. Selects their groups.
  std::map<std::string, std::vector<int64_t>> dims = {};
  std::string kernel = "cubic";
  /// Empty: default of the grids (GridFamily::quadrature).
  std::string quadrature = {};
  /// The grid family: one of `grid_family_names`.
  std::string grid = "nested";
  /// "path": channels are ordered so that tensors are smooth (see ordering); "nodes": such that the nested
  /// grid of each width has the nodes of data-aware quadrature; "none": unchanged.
  std::string order = "path";
  /// Data for order "nodes". No labels needed; not stored in the model.
  Calibration calibration = {};
  uint64_t seed = 0;
};

/// Returns the rule of these options. Throws std::invalid_argument for an unknown rule or family of grids.
Quadrature quadrature_of(const ConvertOptions& options);

/// The values of ConvertOptions::order.
const std::vector<std::string>& channel_orders();

/// Which width of its distribution a group uses in a training forward pass.
enum class WidthDraw { random, widest, narrowest };

/// The widths of a training forward pass: from the groups' distributions, or a fraction of all widths.
using PassWidth = std::variant<WidthDraw, double>;

/// Whether all groups use the same fraction, or each draws its own.
enum class FractionSharing { shared, own };

/// One group of an integral model: a continuous axis with its grid.
class IntegralGroup {
 public:
  IntegralGroup(GroupId id, std::string name, int64_t source_width, const ConvertOptions& options);

  GroupId id() const { return id_; }
  const std::string& name() const { return name_; }
  int64_t source_width() const { return source_width_; }
  int64_t width() const { return grid_->size(); }
  const std::string& kernel() const { return kernel_; }
  const std::string& quadrature() const { return quadrature_; }
  const std::string& grid_family() const { return family_; }
  const Grid& grid() const { return *grid_; }
  std::shared_ptr<const Grid> shared_grid() const { return grid_; }

  /// Sets the width: the axis is sampled at the `width` points of its family. Throws std::invalid_argument
  /// unless 1 ≤ width ≤ 8·source_width.
  void resize(int64_t width);
  /// Sets any grid: trainable, Gauss-Legendre, custom.
  void set_grid(std::shared_ptr<Grid> grid);
  /// In training mode each forward pass draws a width from it. Throws std::invalid_argument if it contains
  /// widths that `resize` rejects.
  void set_distribution(SizeDistribution distribution);
  void clear_distribution() { distribution_.reset(); }
  const std::optional<SizeDistribution>& distribution() const { return distribution_; }

  /// Returns the pair of maps of the current grid; exact identities on the source grid.
  GroupMaps maps() const;

 private:
  GroupMaps maps_at(const at::Tensor& points) const;
  void keep_maps();

  GroupId id_;
  std::string name_;
  int64_t source_width_;
  std::string kernel_, quadrature_;
  std::string family_;
  std::shared_ptr<Grid> grid_;
  bool is_of_family_ = true;                  // whether the grid is the family's grid for its width
  std::map<int64_t, GroupMaps> family_maps_;  // cache by width
  std::optional<SizeDistribution> distribution_;
};

/// A network whose selected groups are continuous: its parameters are the control points of weight functions.
///
/// A parameter W includes the quadrature weights of its source grid, W = Q·F. At the source width the network
/// therefore runs with W itself, bit for bit, and gradients equal those of ordinary training; another width
/// is the linear map diag(q')·Φ·diag(1/Q) of W (docs/math.md, "Integral layers").
class IntegralModelImpl : public NetworkModuleImpl {
 public:
  IntegralModelImpl(AnalysedNetwork source, ConvertOptions options);

  /// Groups in network order.
  std::vector<IntegralGroup>& groups() { return groups_; }
  const std::vector<IntegralGroup>& groups() const { return groups_; }
  /// Throws std::invalid_argument with the nearest names.
  IntegralGroup& group(const std::string& name);

  /// Sets the grid of a group and registers its trainable parameters.
  void set_grid(const std::string& name, std::shared_ptr<Grid> grid);

  /// Resizes all groups to max(1, round(fraction · source width)).
  void resize(double fraction);
  /// Resizes all groups to their source width.
  void restore();
  /// For all groups: in training mode each forward pass draws one fraction f and resizes every group to
  /// max(1, round(f·n)); or draws one per group.
  void set_distribution(FractionDistribution distribution, FractionSharing sharing = FractionSharing::shared);
  const std::optional<FractionDistribution>& distribution() const { return distribution_; }
  FractionSharing sharing() const { return sharing_; }
  /// Whether training forward passes draw widths, i.e. any distribution is set.
  bool draws_widths() const;
  /// Sets what groups with a distribution use in training forward passes: random widths, the largest or
  /// smallest possible, or max(1, round(f·n)) for a fraction f.
  void set_pass_width(PassWidth choice) { pass_width_ = choice; }
  /// Removes all distributions.
  void clear_distributions();
  /// Grid tuning: every group wider than 1 gets a trainable grid of its current width, and all other
  /// parameters are frozen.
  void tune_grids();

  /// Draws new widths if distributions are set (in training mode), and runs the network with tensors sampled
  /// at the grids.
  std::vector<c10::IValue> run(const std::vector<c10::IValue>& inputs) override;

  /// Returns the state sampled at the current grids, in the network's order. Differentiable in parameters and
  /// grids.
  std::vector<at::Tensor> sample() const;
  /// Returns an ordinary network at the current widths. Shares no tensor with the model.
  Network discretize() const;
  /// Returns the maps of all groups at their current grids.
  std::map<GroupId, GroupMaps> maps() const;

  std::shared_ptr<IntegralModelImpl> clone_model() const;
  const Groups& structure() const { return structure_; }
  const ConvertOptions& options() const { return options_; }
  /// Reseeds the drawing of widths.
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

/// Converts a network: finds its groups, orders their channels, and makes the selected ones continuous. At
/// the source width the outputs equal the network's. Throws std::invalid_argument for unknown or pinned
/// groups.
IntegralModel convert(const Network& network, const ConvertOptions& options = {});

/// Writes a .pt2 that torch.export.load reads as the network at its current widths, with extra/integral.json
/// in the archive.
void save_integral(const IntegralModelImpl& model, const std::filesystem::path& path);
/// Reads a file written by `save_integral`. Throws std::runtime_error for a corrupt file, and for a .pt2 without
/// extra/integral.json.
IntegralModel load_integral(const std::filesystem::path& path);
/// Whether the archive contains an integral model.
bool is_integral(const Network& network);
/// Returns the integral model stored in the extra files of a network.
IntegralModel load_integral(Network network);

}  // namespace inn
