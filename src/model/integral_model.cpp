#include "inn/model/integral_model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "inn/core/error.h"
#include "inn/data_quadrature/data_quadrature.h"
#include "inn/dimension/weigh_sums.h"
#include "inn/resampling/rows.h"
#include "statistics.h"

namespace inn {

/// The tensors last sampled, and what they were sampled of: valid while no width and no parameter has
/// changed.
struct IntegralModelImpl::Cache {
  std::vector<at::Tensor> tensors;
  std::vector<std::shared_ptr<const Grid>>
      grids;                      // kept alive, so that no new grid has the address of an old one
  std::vector<int64_t> versions;  // of parameters, and the widths
};

namespace {

std::string grid_parameter_name(const std::string& group) { return "integral_grids." + group; }

/// A width or fraction of a distribution.
template <class Law>
auto drawn(const Law& law, WidthDraw draw, std::mt19937_64& random) {
  switch (draw) {
    case WidthDraw::widest:
      return law.maximum();
    case WidthDraw::narrowest:
      return law.minimum();
    default:
      return law.sample(random);
  }
}

/// The groups that the options name: by pattern, or by an axis of a tensor.
std::vector<GroupId> chosen_groups(const AnalysedNetwork& source, const ConvertOptions& options) {
  if (options.dims.empty() && options.group_names.empty()) return source.groups.select(options.groups);
  std::set<GroupId> chosen;
  for (const auto& name : options.group_names) {
    const auto id = source.groups.find(name);
    if (const auto& group = source.groups.groups[id]; group.pinned)
      raise("model", "Group '{}': it is pinned at width {}, since {}.", name, group.width, *group.pinned);
    chosen.insert(id);
  }
  if (!options.groups.empty())
    for (const auto id : source.groups.select(options.groups)) chosen.insert(id);
  for (const auto& [name, axes] : options.dims) {
    const size_t state = source.network.find_state(name);
    const auto& structure = source.groups.axes.at(state);
    for (const auto axis : axes) {
      const auto rank = static_cast<int64_t>(structure.size());
      require(axis >= -rank && axis < rank, "model", "Tensor '{}': axis must be in [{}, {}) but got {}.",
              name, -rank, rank, axis);
      bool any = false;
      structure[axis < 0 ? axis + rank : axis].for_each_variable([&](const Axis& leaf) {
        const auto& group = source.groups.groups.at(leaf.variable);
        if (group.pinned)
          raise("model", "Tensor '{}', axis {}: its group '{}' is pinned at width {}, since {}.", name, axis,
                group.name, group.width, *group.pinned);
        any = true;
        chosen.insert(static_cast<GroupId>(leaf.variable));
      });
      require(any, "model", "Tensor '{}', axis {}: it is no axis of channels.", name, axis);
    }
  }
  return {chosen.begin(), chosen.end()};
}

/// Gives sums over the chosen groups that no parameter weighs their weights, and returns the network. Where
/// the rule weighs all channels alike a softmax, which does too, needs none.
Network& weigh(AnalysedNetwork& source, const ConvertOptions& options) {
  const auto ids = chosen_groups(source, options);
  const std::set<GroupId> chosen(ids.begin(), ids.end());
  const bool is_even = quadrature_of(options).name == "rectangle";
  source = weigh_sums(std::move(source), [&](const UnweightedSum& sum) {
    if (is_even && sum.kind == SumKind::softmax) return false;
    return std::any_of(sum.groups.begin(), sum.groups.end(), [&](GroupId id) { return chosen.contains(id); });
  });
  return source.network;
}

}  // namespace

IntegralModelImpl::IntegralModelImpl(AnalysedNetwork source, ConvertOptions options)
    : NetworkModuleImpl(std::move(weigh(source, options))),
      structure_(std::move(source.groups)),
      options_(std::move(options)),
      generator_(options_.seed) {
  for (const auto id : chosen_groups({network_, structure_}, options_))
    groups_.emplace_back(id, structure_.groups[id].name, structure_.groups[id].width, options_);
  require(!groups_.empty(), "model", "The network has no group that can be resized.");
}

IntegralGroup& IntegralModelImpl::group(const std::string& name) {
  std::vector<std::string> names;
  for (auto& group : groups_) {
    if (group.name() == name) return group;
    names.push_back(group.name());
  }
  raise("model", "Group '{}': there is no such integral group.{}", name, nearest_names(name, names));
}

void IntegralModelImpl::register_grid(const IntegralGroup& group) {
  for (const auto& theta : group.grid().parameters())
    register_dotted(grid_parameter_name(group.name()), theta);
}

void IntegralModelImpl::set_grid(const std::string& name, std::shared_ptr<Grid> grid) {
  auto& chosen = group(name);
  chosen.set_grid(std::move(grid));
  register_grid(chosen);
}

void IntegralModelImpl::resize(double fraction) {
  for (const auto& group : groups_)
    fraction_width(fraction, group.source_width());  // throws before anything changes
  for (auto& group : groups_) group.resize(fraction_width(fraction, group.source_width()));
}

void IntegralModelImpl::restore() {
  for (auto& group : groups_) group.resize(group.source_width());
}

void IntegralModelImpl::set_distribution(FractionDistribution distribution, FractionSharing sharing) {
  distribution_ = std::move(distribution);
  sharing_ = sharing;
}

bool IntegralModelImpl::draws_widths() const {
  return distribution_ || std::any_of(groups_.begin(), groups_.end(),
                                      [](const auto& group) { return group.distribution().has_value(); });
}

void IntegralModelImpl::clear_distributions() {
  distribution_.reset();
  for (auto& group : groups_) group.clear_distribution();
}

void IntegralModelImpl::tune_grids() {
  clear_distributions();
  for (auto& parameter : parameters()) parameter.requires_grad_(false);
  for (auto& group : groups_) {
    if (group.width() == 1) continue;  // one point has nothing to learn
    const auto points = group.grid().points().detach();
    group.set_grid(std::make_shared<TrainableGrid>(TrainableGrid::at_points(points)));
    register_grid(group);
  }
}

void IntegralModelImpl::draw_widths() {
  if (const auto* given = std::get_if<double>(&pass_width_)) {
    for (auto& group : groups_)
      if (distribution_ || group.distribution()) group.resize(fraction_width(*given, group.source_width()));
    return;
  }
  const auto draw = std::get<WidthDraw>(pass_width_);
  double fraction = 0;
  for (size_t g = 0; distribution_ && g < groups_.size(); ++g) {
    if (g == 0 || sharing_ == FractionSharing::own) fraction = drawn(*distribution_, draw, generator_);
    groups_[g].resize(fraction_width(fraction, groups_[g].source_width()));
  }
  for (auto& group : groups_)
    if (group.distribution()) group.resize(drawn(*group.distribution(), draw, generator_));
}

std::map<GroupId, GroupMaps> IntegralModelImpl::maps() const {
  std::map<GroupId, GroupMaps> maps;
  for (const auto& group : groups_) maps.emplace(group.id(), group.maps());
  return maps;
}

std::vector<at::Tensor> IntegralModelImpl::sample() const {
  // Under autocast too weights are sampled in their own precision; the network then casts what it multiplies.
  const c10::impl::ExcludeDispatchKeyGuard exact(c10::autocast_dispatch_keyset);
  return apply_maps(structure_, network_, maps());
}

const std::vector<at::Tensor>& IntegralModelImpl::sampled() {
  std::vector<std::shared_ptr<const Grid>> grids;
  std::vector<int64_t> versions;
  for (const auto& group : groups_) {
    grids.push_back(group.shared_grid());
    versions.push_back(group.width());
    for (const auto& parameter : group.grid().parameters()) versions.push_back(parameter._version());
  }
  for (const auto& entry : network_.state) versions.push_back(entry.tensor._version());
  if (!cache_ || cache_->grids != grids || cache_->versions != versions) {
    cache_ = std::make_shared<Cache>(Cache{sample(), std::move(grids), std::move(versions)});
  }
  return cache_->tensors;
}

std::vector<c10::IValue> IntegralModelImpl::run(const std::vector<c10::IValue>& inputs) {
  if (is_training()) draw_widths();
  // What is sampled with gradients belongs to one step; without, it serves until something changes.
  const bool keep = !is_training() && !at::GradMode::is_enabled();
  if (!keep) cache_.reset();
  auto tensors = keep ? sampled() : sample();
  differentiate_statistics(network_, tensors);
  std::map<GroupId, int64_t> widths;
  for (const auto& group : groups_) widths.emplace(group.id(), group.width());
  const auto symbols = symbol_values(structure_, network_, widths);
  return network_.forward(inputs, tensors, {.symbol_values = symbols});
}

Network IntegralModelImpl::discretize() const {
  at::NoGradGuard no_grad;
  Network network = inn::resample({network_, structure_}, maps());
  network.set_training(false);
  return network;
}

std::shared_ptr<IntegralModelImpl> IntegralModelImpl::clone_model() const {
  auto copy = std::make_shared<IntegralModelImpl>(AnalysedNetwork{network_.clone(), structure_}, options_);
  for (size_t g = 0; g < groups_.size(); ++g) {
    copy->groups_[g].set_grid(groups_[g].grid().clone());
    copy->register_grid(copy->groups_[g]);
    if (groups_[g].distribution()) copy->groups_[g].set_distribution(*groups_[g].distribution());
  }
  copy->distribution_ = distribution_;
  copy->sharing_ = sharing_;
  copy->pass_width_ = pass_width_;
  copy->generator_ = generator_;
  copy->train(is_training());
  return copy;
}

namespace {

void check_order(const ConvertOptions& options) {
  const auto& known = channel_orders();
  require(std::find(known.begin(), known.end(), options.order) != known.end(), "model",
          "Order: must be one of {} but got '{}'.", fmt::join(known, ", "), options.order);
  require(options.order != "nodes" || options.calibration.batch != nullptr, "model",
          "Order 'nodes': it is measured on data, but the calibration has no batches.");
  require(options.order != "nodes" || options.grid == "nested", "model",
          "Order 'nodes': it is of the grid 'nested' but the grid is '{}'.", options.grid);
}

/// Permutations that put the best nodes of every width where its nested grid has its points.
std::map<GroupId, GroupMaps> nested_orders(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                                           const Calibration& calibration) {
  std::map<GroupId, GroupMaps> permutations;
  for (const auto& [id, ranked] : rank_channels(source, groups, calibration)) {
    const auto places = nested_order(static_cast<int64_t>(ranked.size()));
    std::vector<int64_t> order(ranked.size());
    for (size_t k = 0; k < ranked.size(); ++k) order[static_cast<size_t>(places[k])] = ranked[k];
    permutations.emplace(id, selection_maps(static_cast<int64_t>(order.size()), order));
  }
  return permutations;
}

}  // namespace

const std::vector<std::string>& channel_orders() {
  static const std::vector<std::string> orders{"path", "nodes", "none"};
  return orders;
}

IntegralModel convert(const Network& network, const ConvertOptions& options) {
  check_order(options);
  find_kernel(options.kernel);
  const Quadrature rule = quadrature_of(options);
  AnalysedNetwork source = analyse(network.clone());
  const auto groups = chosen_groups(source, options);
  if (options.order == "path") {
    source.network = resample(source, smooth_orders(source, groups, options.seed));
  } else if (options.order == "nodes") {
    source.network = resample(source, nested_orders(source, groups, options.calibration));
  }
  ConvertOptions kept = options;
  kept.calibration = {};
  kept.quadrature = rule.name;
  return IntegralModel(std::make_shared<IntegralModelImpl>(std::move(source), std::move(kept)));
}

}  // namespace inn
