#include "inn/model/integral_model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <algorithm>

#include "inn/core/error.h"
#include "inn/dimension/fraction_groups.h"
#include "inn/dimension/quadrature_buffers.h"
#include "sampled.h"
#include "statistics.h"

namespace inn {

namespace {

/// Of what learns at place k of the group's grid.
std::string grid_parameter_name(const std::string& group, size_t k) {
  return "integral_grids." + group + (k == 0 ? "" : fmt::format("[{}]", k));
}

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

/// Returns the source with buffers for the quadrature weights of sums over the chosen groups to which no
/// parameter can apply them. A softmax needs none if the rule has equal weights.
AnalysedNetwork weighed(AnalysedNetwork source, const ConvertOptions& options) {
  const auto chosen = chosen_groups(source, options);  // in ascending order
  const bool has_equal_weights = quadrature_of(options).name == "rectangle";
  return add_quadrature_buffers(std::move(source), [&](const UnweightedSum& sum) {
    if (has_equal_weights && sum.kind == SumKind::softmax) return false;
    return std::any_of(sum.groups.begin(), sum.groups.end(),
                       [&](GroupId id) { return std::binary_search(chosen.begin(), chosen.end(), id); });
  });
}

}  // namespace

IntegralModelImpl::IntegralModelImpl(AnalysedNetwork source, ConvertOptions options)
    : IntegralModelImpl(std::make_shared<AnalysedNetwork>(weighed(std::move(source), options)), options) {}

IntegralModelImpl::IntegralModelImpl(std::shared_ptr<AnalysedNetwork> source, ConvertOptions options)
    : NetworkModuleImpl(std::shared_ptr<Network>(source, &source->network)),
      source_(std::move(source)),
      options_(std::move(options)),
      generator_(options_.seed) {
  const auto ids = chosen_groups(*source_, options_);
  const auto following = fraction_groups(*source_, ids);
  for (const auto id : ids) {
    const auto& group = structure().groups[id];
    groups_.emplace_back(id, group.name, group.width, options_);
    groups_.back().follow_fraction(std::binary_search(following.begin(), following.end(), id));
  }
  require(!groups_.empty(), "model", "The network has no group that can be resized.");
  for (auto& group : groups_)
    group.follow_grid([this](const IntegralGroup& changed) { register_grid(changed); });
}

IntegralGroup& IntegralModelImpl::group(const std::string& name) {
  std::vector<std::string> names;
  for (auto& group : groups_) {
    if (group.name() == name) return group;
    names.push_back(group.name());
  }
  raise("model", "Group '{}': no such integral group.{}", name, nearest_names(name, names));
}

void IntegralModelImpl::register_grid(const IntegralGroup& group) {
  auto& names = grid_parameters_[group.id()];
  for (const auto& name : names) unregister_dotted(name);
  names.clear();
  for (const auto& theta : group.grid().parameters()) {
    names.push_back(grid_parameter_name(group.name(), names.size()));
    register_dotted(names.back(), theta);
  }
}

void IntegralModelImpl::set_grid(const std::string& name, std::shared_ptr<Grid> grid) {
  group(name).set_grid(std::move(grid));
}

void IntegralModelImpl::resize(double fraction) {
  for (const auto& group : groups_)
    fraction_width(fraction, group.source_width());  // throws before anything changes
  for (auto& group : groups_)
    if (group.follows_fraction()) group.resize(fraction_width(fraction, group.source_width()));
}

void IntegralModelImpl::restore() {
  for (auto& group : groups_) group.resize(group.source_width());
}

void IntegralModelImpl::set_distribution(FractionDistribution distribution, FractionSharing sharing) {
  for (const auto& group : groups_)
    if (group.follows_fraction())
      group.check_width(fraction_width(distribution.maximum(), group.source_width()));
  distribution_ = std::move(distribution);
  sharing_ = sharing;
}

void IntegralModelImpl::set_law(const Distribution& law, FractionSharing sharing) {
  FractionDistribution fractions(law);
  require(fractions.minimum() < 1 || fractions.maximum() == 1, "model",
          "Distribution '{}': must contain fractions of the groups' widths below 1. For widths in channels "
          "use model->group(name).set_distribution; for {} to {} times the source's widths pass a "
          "FractionDistribution.",
          fractions.text(), fractions.minimum(), fractions.maximum());
  set_distribution(std::move(fractions), sharing);
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
  }
}

void IntegralModelImpl::draw_widths() {
  const auto draws = [&](const IntegralGroup& group) {
    return (distribution_ && group.follows_fraction()) || group.distribution();
  };
  for (auto& group : groups_)
    if (!draws(group)) group.redraw();
  if (const auto* given = std::get_if<double>(&pass_width_)) {
    for (auto& group : groups_)
      if (draws(group)) group.resize(fraction_width(*given, group.source_width()));
    return;
  }
  const auto draw = std::get<WidthDraw>(pass_width_);
  std::optional<double> fraction;
  for (auto& group : groups_) {
    if (!distribution_ || !group.follows_fraction()) continue;
    if (!fraction || sharing_ == FractionSharing::own) fraction = drawn(*distribution_, draw, generator_);
    group.resize(fraction_width(*fraction, group.source_width()));
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
  return apply_maps(structure(), network_, maps());
}

std::shared_ptr<const IntegralModelImpl::Sampled> IntegralModelImpl::sampled() {
  auto state = sampled_state(network_, groups_);
  auto known = sampled_.load();
  if (state && known && known->of == *state) return known;
  const c10::InferenceMode usable_everywhere(false);
  const at::NoGradGuard no_grad;
  const bool keep = state.has_value();
  auto fresh = std::make_shared<const Sampled>(Sampled{state ? std::move(*state) : SampledState{}, sample()});
  if (keep) sampled_.store(fresh);
  return fresh;
}

std::vector<c10::IValue> IntegralModelImpl::run(const std::vector<c10::IValue>& inputs) {
  if (is_training()) {
    draw_widths();
    forget_sampled();
  }
  // What is sampled with gradients belongs to one step; without, it serves until something changes.
  const bool keep = !is_training() && !at::GradMode::is_enabled();
  auto tensors = keep ? sampled()->tensors : sample();
  differentiate_statistics(network_, tensors);
  std::map<GroupId, int64_t> widths;
  for (const auto& group : groups_) widths.emplace(group.id(), group.width());
  const auto symbols = symbol_values(structure(), network_, widths);
  return network_.forward(inputs, tensors, {.symbol_values = symbols});
}

Network IntegralModelImpl::discretize() const {
  at::NoGradGuard no_grad;
  Network network = inn::resample(*source_, maps());
  network.set_training(false);
  return network;
}

std::shared_ptr<IntegralModelImpl> IntegralModelImpl::clone_model() const {
  auto copy = std::make_shared<IntegralModelImpl>(AnalysedNetwork{network_.clone(), structure()}, options_);
  for (size_t g = 0; g < groups_.size(); ++g) {
    copy->groups_[g].set_grid(groups_[g].grid().clone());
    copy->groups_[g].follow_fraction(groups_[g].follows_fraction());
    if (groups_[g].distribution()) copy->groups_[g].set_distribution(*groups_[g].distribution());
  }
  copy->distribution_ = distribution_;
  copy->sharing_ = sharing_;
  copy->pass_width_ = pass_width_;
  copy->generator_ = generator_;
  copy->train(is_training());
  return copy;
}

}  // namespace inn
