#include "inn/grid/grid.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>

#include "inn/core/error.h"
#include "inn/grid/gauss_legendre.h"

namespace inn {
namespace {

void require_size(std::string_view kind, int64_t m) {
  require(m >= 1, "grid", "Grid '{}': the count of points must be at least 1 but got {}.", kind, m);
}

}  // namespace

at::Tensor uniform_points(int64_t m) {
  require_size("uniform", m);
  if (m == 1) return at::full({1}, 0.5, at::kDouble);
  return at::arange(m, at::kDouble) / static_cast<double>(m - 1);
}

UniformGrid::UniformGrid(int64_t m) : size_(m) { require_size(kind(), m); }
at::Tensor UniformGrid::points() const { return uniform_points(size_); }
std::shared_ptr<Grid> UniformGrid::clone() const { return std::make_shared<UniformGrid>(*this); }

std::vector<int64_t> nested_order(int64_t n) {
  require_size("nested", n);
  if (n == 1) return {0};
  std::vector<int64_t> order{0, n - 1};
  // The left ends of the gaps, by length, the longest first. Each round of halving leaves at most two lengths,
  // so there are few.
  std::map<int64_t, std::vector<int64_t>, std::greater<>> gaps{{n - 1, {0}}};
  for (auto widest = gaps.begin(); widest->first > 1; widest = gaps.erase(widest)) {
    auto& [length, lefts] = *widest;
    const int64_t half = length / 2;
    std::sort(lefts.begin(), lefts.end());
    auto &of_half = gaps[half], &of_rest = gaps[length - half];
    for (const int64_t left : lefts) {
      order.push_back(left + half);
      of_half.push_back(left);
      of_rest.push_back(left + half);
    }
  }
  return order;
}

namespace {

/// Returns the position of each of n points in the nested order; a grid of m has the points with positions
/// below m. Cached, because every training step resizes all groups, which have few different n.
std::shared_ptr<const std::vector<int64_t>> nested_places(int64_t n) {
  static std::mutex mutex;
  static std::map<int64_t, std::shared_ptr<const std::vector<int64_t>>> known;
  constexpr size_t kKept = 64;
  const std::lock_guard lock(mutex);
  if (const auto found = known.find(n); found != known.end()) return found->second;
  const auto order = nested_order(n);
  std::vector<int64_t> places(order.size());
  for (size_t k = 0; k < order.size(); ++k) places[static_cast<size_t>(order[k])] = static_cast<int64_t>(k);
  if (known.size() == kKept) known.clear();
  return known[n] = std::make_shared<const std::vector<int64_t>>(std::move(places));
}

}  // namespace

NestedGrid::NestedGrid(int64_t m, int64_t n) {
  require(m >= 1 && m <= n, "grid", "Grid 'nested': the count of points must be in [1, {}] but got {}.", n,
          m);
  points_ = at::empty({m}, at::kDouble);
  auto* points = points_.mutable_data_ptr<double>();
  const auto places = nested_places(n);
  // A single channel has the point of UniformGrid(1).
  if (n == 1) points[0] = uniform_points(1).item<double>();
  for (int64_t i = 0; n > 1 && i < n; ++i)
    if ((*places)[static_cast<size_t>(i)] < m)
      *points++ = static_cast<double>(i) / static_cast<double>(n - 1);
}
std::shared_ptr<Grid> NestedGrid::clone() const { return std::make_shared<NestedGrid>(*this); }

TrainableGrid::TrainableGrid(int64_t m) {
  require_size(kind(), m);
  theta_ = at::zeros({m - 1}, at::kDouble).set_requires_grad(true);
}

TrainableGrid::TrainableGrid(at::Tensor theta) : theta_(std::move(theta)) {
  require(theta_.defined() && theta_.dim() == 1 && theta_.is_floating_point(), "grid",
          "Grid 'trainable': theta must be a floating point vector.");
}

TrainableGrid TrainableGrid::at_points(const at::Tensor& points) {
  require(points.defined() && points.dim() == 1 && points.is_floating_point() && points.size(0) >= 2, "grid",
          "Grid 'trainable': the points must be a floating point vector of at least 2.");
  const auto values = points.detach().to(at::kCPU, at::kDouble);
  const auto steps = values.diff();
  require((steps > 0).all().item<bool>() && values[0].item<double>() == 0 && values[-1].item<double>() == 1,
          "grid", "Grid 'trainable': the points must increase strictly from 0 to 1.");
  return TrainableGrid(steps.log().set_requires_grad(true));
}

at::Tensor TrainableGrid::points() const {
  if (size() == 1) return uniform_points(1);
  const auto sums = theta_.to(at::kCPU, at::kDouble).softmax(0).cumsum(0);
  // The sum of a softmax is 1 but for rounding; divided by itself it is 1.
  return at::cat({at::zeros({1}, at::kDouble), sums / sums[-1]});
}

std::vector<at::Tensor> TrainableGrid::parameters() const {
  return size() == 1 ? std::vector<at::Tensor>{} : std::vector{theta_};
}

std::shared_ptr<Grid> TrainableGrid::clone() const {
  return std::make_shared<TrainableGrid>(theta_.detach().clone().set_requires_grad(theta_.requires_grad()));
}

RandomGrid::RandomGrid(SizeDistribution distribution, uint64_t seed)
    : distribution_(std::move(distribution)), random_(seed), size_(distribution_.sample(random_)) {}
at::Tensor RandomGrid::points() const { return uniform_points(size_); }
void RandomGrid::draw() { size_ = distribution_.sample(random_); }
std::shared_ptr<Grid> RandomGrid::clone() const { return std::make_shared<RandomGrid>(*this); }

GaussLegendreGrid::GaussLegendreGrid(int64_t m) : size_(m) { require_size(kind(), m); }
at::Tensor GaussLegendreGrid::points() const { return gauss_legendre(size_).nodes; }
std::shared_ptr<Grid> GaussLegendreGrid::clone() const { return std::make_shared<GaussLegendreGrid>(*this); }

FixedGrid::FixedGrid(const at::Tensor& points, std::string kind) : kind_(std::move(kind)) {
  require(points.defined() && points.dim() == 1 && points.is_floating_point() && points.size(0) >= 1, "grid",
          "Grid '{}': the points must be a floating point vector of at least 1.", kind_);
  require(kind_ != "uniform" && kind_ != "trainable", "grid",
          "Grid '{}': given points require a name that is not a built-in grid's.", kind_);
  points_ = points.detach().to(at::kCPU, at::kDouble).clone();
  require((points_.diff() > 0).all().item<bool>() && points_[0].item<double>() >= 0 &&
              points_[-1].item<double>() <= 1,
          "grid", "Grid '{}': the points must increase strictly within [0, 1].", kind_);
}
std::shared_ptr<Grid> FixedGrid::clone() const { return std::make_shared<FixedGrid>(points_, kind_); }

CompositeGrid::CompositeGrid(std::vector<std::shared_ptr<Grid>> grids, std::vector<double> bounds)
    : grids_(std::move(grids)), bounds_(std::move(bounds)) {
  require(!grids_.empty(), "grid", "Grid 'composite': at least one part is required but got none.");
  for (const auto& grid : grids_) require(grid != nullptr, "grid", "Grid 'composite': a part is null.");
  bool increasing = bounds_.size() == grids_.size() + 1 && bounds_.front() == 0 && bounds_.back() == 1;
  for (size_t k = 1; increasing && k < bounds_.size(); ++k) increasing = bounds_[k - 1] < bounds_[k];
  require(increasing, "grid",
          "Grid 'composite': {} parts need {} bounds that increase strictly from 0 to 1 but got [{}].",
          grids_.size(), grids_.size() + 1, fmt::join(bounds_, ", "));
}

CompositeGrid::CompositeGrid(std::vector<std::shared_ptr<Grid>> grids)
    : CompositeGrid(grids, [count = grids.size()] {
        std::vector<double> bounds;
        for (size_t k = 0; k <= count; ++k)
          bounds.push_back(count == 0 ? 0 : static_cast<double>(k) / static_cast<double>(count));
        return bounds;
      }()) {}

at::Tensor CompositeGrid::points() const {
  std::vector<at::Tensor> parts;
  for (size_t k = 0; k < grids_.size(); ++k) {
    const auto local = grids_[k]->points();
    auto part = bounds_[k] + (bounds_[k + 1] - bounds_[k]) * local;
    const bool starts_at_bound = local[0].item<double>() == 0;
    const bool bound_is_taken = k > 0 && grids_[k - 1]->points()[-1].item<double>() == 1;
    if (starts_at_bound && bound_is_taken) part = part.narrow(0, 1, part.size(0) - 1);
    parts.push_back(part);
  }
  return at::cat(parts).clamp(0, 1);
}

int64_t CompositeGrid::size() const {
  at::NoGradGuard no_grad;
  return points().size(0);
}

std::vector<at::Tensor> CompositeGrid::parameters() const {
  std::vector<at::Tensor> all;
  for (const auto& grid : grids_)
    for (auto& parameter : grid->parameters()) all.push_back(parameter);
  return all;
}

void CompositeGrid::draw() {
  for (const auto& grid : grids_) grid->draw();
}

std::shared_ptr<Grid> CompositeGrid::clone() const {
  std::vector<std::shared_ptr<Grid>> copies;
  for (const auto& grid : grids_) copies.push_back(grid->clone());
  return std::make_shared<CompositeGrid>(std::move(copies), bounds_);
}

}  // namespace inn
