#pragma once
// The integral model: one set of weights for all widths.

#include <ATen/core/Generator.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "inn/dimension/groups.h"
#include "inn/dimension/rule.h"
#include "inn/grid/distribution.h"
#include "inn/grid/family.h"
#include "inn/grid/grid.h"
#include "inn/model/network_module.h"
#include "inn/resampling/maps.h"

namespace inn {

struct ConvertOptions {
  /// Globs over group names. If empty (with group_names and dims): all of inn::learned_groups.
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
  /// "path": channels are ordered so that tensors are smooth (see ordering); "nodes": such that width m of
  /// the nested grid has the first m channels of `ranking`; "none": unchanged.
  std::string order = "path";
  /// The ranked channels of each group, by its name, most important first, as measured by rank_channels. Only
  /// for order "nodes"; not stored in the model.
  std::map<std::string, std::vector<int64_t>> ranking = {};
  /// Operator rules; null: RuleTable::standard().
  std::optional<RuleTable> rules = std::nullopt;
  uint64_t seed = 0;
};

/// Returns the groups selected by the options, ascending: those that `convert` makes continuous. Throws
/// std::invalid_argument for unknown and pinned groups.
std::vector<GroupId> chosen_groups(const AnalysedNetwork& source, const ConvertOptions& options);

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

/// One group of an integral model: a continuous axis with its grid. Not copyable, because the model refers to
/// it.
class IntegralGroup {
 public:
  IntegralGroup(GroupId id, std::string name, int64_t source_width, const ConvertOptions& options);
  IntegralGroup(IntegralGroup&&) = default;
  IntegralGroup& operator=(IntegralGroup&&) = default;

  GroupId id() const { return id_; }
  const std::string& name() const { return name_; }
  int64_t source_width() const { return source_width_; }
  int64_t width() const { return grid_->size(); }
  /// Whether fractions of the model's widths apply to it. Of a product (heads times head dimension) one
  /// factor follows them, see inn::fraction_groups; the others are resized by name.
  bool follows_fraction() const { return follows_fraction_; }
  void follow_fraction(bool follows) { follows_fraction_ = follows; }
  const std::string& kernel() const { return kernel_; }
  const std::string& quadrature() const { return quadrature_; }
  const std::string& grid_family() const { return family_; }
  const Grid& grid() const { return *grid_; }
  std::shared_ptr<const Grid> shared_grid() const { return grid_; }
  /// Whether the points are those that `resize` sets for this width.
  bool has_grid_of_family() const { return is_of_family_; }

  /// Sets the width: the axis is sampled at the `width` points of its family. Throws std::invalid_argument
  /// unless 1 ≤ width ≤ 8·source_width.
  void resize(int64_t width);
  /// Throws std::invalid_argument for a width that `resize` rejects.
  void check_width(int64_t width) const;
  /// Sets any grid: trainable, Gauss-Legendre, custom. In a model, its trainable parameters are parameters of
  /// the model as long as the group has this grid. Throws as `resize` does; for a RandomGrid, for any of its
  /// sizes.
  void set_grid(std::shared_ptr<Grid> grid);
  /// Redraws a random grid. A model does so in each training forward pass in which no distribution determines
  /// the width. Throws std::invalid_argument for a size that `resize` rejects.
  void redraw();
  /// `follow` is called now and whenever the group gets another grid.
  void follow_grid(std::function<void(const IntegralGroup&)> follow);
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
  void take(std::shared_ptr<Grid> grid, bool is_of_family);

  GroupId id_;
  std::string name_;
  int64_t source_width_;
  bool follows_fraction_ = true;
  std::string kernel_, quadrature_;
  std::string family_;
  std::shared_ptr<Grid> grid_;
  bool is_of_family_ = true;                  // whether the grid is the family's grid for its width
  std::map<int64_t, GroupMaps> family_maps_;  // cache by width
  std::optional<SizeDistribution> distribution_;
  std::function<void(const IntegralGroup&)> follow_;
};

/// A network whose selected groups are continuous: its parameters are the control points of weight functions.
///
/// A parameter W includes the quadrature weights of its source grid, W = Q·F. At the source width the network
/// therefore runs with W itself, bit for bit, and gradients equal those of ordinary training; another width
/// is the linear map diag(q')·Φ·diag(1/Q) of W (docs/math.md, "Integral layers").
///
/// Thread safety: in evaluation mode any number of threads may run one model concurrently, with or without
/// gradients, as long as none modifies it (mode, widths, grids, parameters, dtype, device). In training mode
/// forward passes draw widths and must not be concurrent. Without gradients, sampled tensors are cached until
/// a width, a grid or a tensor changes (in place, by set_data, by `to`). torch does not track writes through
/// `tensor.data()`: call `forget_sampled` after those.
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

  /// Resizes all groups that follow fractions to max(1, round(fraction · source width)).
  void resize(double fraction);
  /// Resizes all groups to their source width.
  void restore();
  /// All groups that follow fractions: in training mode each forward draws one fraction f and gives every
  /// group width max(1, round(f·n)); or draws one per group. Throws std::invalid_argument if it contains
  /// fractions that `resize` rejects.
  void set_distribution(FractionDistribution distribution, FractionSharing sharing = FractionSharing::shared);
  /// The same for Uniform{0.25, 1}, Choice{{1, 0.5}}, …. Also throws std::invalid_argument for a distribution
  /// without fractions below 1, which is probably meant in channels: use Uniform{8, 16} with IntegralGroup,
  /// and FractionDistribution(Uniform{2, 4}) for 2 to 4 times the source's widths.
  template <class Law>
  requires(std::is_constructible_v<Distribution, Law> &&
           !std::is_same_v<std::remove_cvref_t<Law>,
                           FractionDistribution>) void set_distribution(Law law,
                                                                        FractionSharing sharing =
                                                                            FractionSharing::shared) {
    set_law(Distribution(std::move(law)), sharing);
  }
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

  /// Clears the cache of sampled tensors.
  void forget_sampled() { sampled_.store(nullptr); }

  std::shared_ptr<IntegralModelImpl> clone_model() const;
  /// The network at its source widths with its groups; it shares the model's tensors.
  const AnalysedNetwork& source() const { return *source_; }
  const Groups& structure() const { return source_->groups; }
  const ConvertOptions& options() const { return options_; }
  /// Reseeds the drawing of widths.
  void seed(uint64_t seed) { generator_.seed(seed); }
  std::mt19937_64& generator() { return generator_; }

 private:
  struct Sampled;  // tensors, and what they were sampled of
  IntegralModelImpl(std::shared_ptr<AnalysedNetwork> source, ConvertOptions options);
  void register_grid(const IntegralGroup& group);
  void set_law(const Distribution& law, FractionSharing sharing);
  void draw_widths();
  std::shared_ptr<const Sampled> sampled();

  std::shared_ptr<AnalysedNetwork> source_;
  ConvertOptions options_;
  std::vector<IntegralGroup> groups_;
  std::optional<FractionDistribution> distribution_;
  FractionSharing sharing_ = FractionSharing::shared;
  PassWidth pass_width_ = WidthDraw::random;
  std::mt19937_64 generator_;
  std::map<GroupId, std::vector<std::string>> grid_parameters_;  // names of what learns in each grid
  std::atomic<std::shared_ptr<const Sampled>> sampled_;          // for evaluation
};
TORCH_MODULE(IntegralModel);

/// Converts a network: finds its groups, orders their channels, and makes the selected ones continuous. At
/// the source width the outputs equal the network's. Throws std::invalid_argument for unknown or pinned
/// groups.
IntegralModel convert(const Network& network, const ConvertOptions& options = {});

/// Returns the network at its current widths that carries the integral model in its extra files.
Network integral_archive(const IntegralModelImpl& model);
/// Writes a .pt2 that torch.export.load reads as the network at its current widths, with extra/integral.json
/// in the archive.
void save_integral(const IntegralModelImpl& model, const std::filesystem::path& path);
/// Reads a file written by `save_integral`, with the operator rules of its conversion. Throws
/// std::runtime_error for a corrupt file, and for a .pt2 without extra/integral.json.
IntegralModel load_integral(const std::filesystem::path& path,
                            const RuleTable& rules = RuleTable::standard());
/// Whether the archive contains an integral model.
bool is_integral(const Network& network);
/// Returns the integral model stored in the extra files of a network.
IntegralModel load_integral(Network network, const RuleTable& rules = RuleTable::standard());

}  // namespace inn
