#pragma once
// Grids: points on [0,1] at which functions are sampled.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "inn/grid/distribution.h"

namespace inn {

/// Strictly increasing points in [0,1].
class Grid {
 public:
  virtual ~Grid() = default;
  /// Returns the points: [size()] float64 on the CPU, strictly increasing in [0,1].
  virtual at::Tensor points() const = 0;
  virtual int64_t size() const = 0;
  /// Its kind: "uniform", "trainable", "random", "gauss-legendre", "fixed" (or a custom name), "composite".
  virtual std::string_view kind() const = 0;
  /// Returns the trainable parameters of the points; none for most grids.
  virtual std::vector<at::Tensor> parameters() const { return {}; }
  /// Redraws a random grid; no effect for other grids.
  virtual void draw() {}
  /// Returns a deep copy: parameters are copied, and random numbers continue identically.
  virtual std::shared_ptr<Grid> clone() const = 0;
};

/// Returns x_i = i/(m−1), [m] float64, 0 and 1 exact; 1/2 for m = 1. Throws std::invalid_argument unless m
/// ≥ 1.
at::Tensor uniform_points(int64_t m);

/// The points i/(m−1); 1/2 for m = 1.
class UniformGrid : public Grid {
 public:
  /// Throws std::invalid_argument unless m ≥ 1.
  explicit UniformGrid(int64_t m);
  at::Tensor points() const override;
  int64_t size() const override { return size_; }
  std::string_view kind() const override { return "uniform"; }
  std::shared_ptr<Grid> clone() const override;

 private:
  int64_t size_;
};

/// Returns the indices of the n points i/(n−1) in the order of nested grids: first both ends, then repeatedly
/// the middle of the widest gap, rounded down, leftmost first. Throws std::invalid_argument unless n ≥ 1.
std::vector<int64_t> nested_order(int64_t n);

/// The first m of the n points i/(n−1) in nested_order: the points for m are a subset of those for m + 1. A
/// channel used at one width is used at every greater one, as in slimmable networks (Yu et al., ICLR 2019),
/// but channels are spread over the axis.
class NestedGrid : public Grid {
 public:
  /// All n points are those of UniformGrid(n), a single one is 0. Throws std::invalid_argument unless 1 ≤ m ≤
  /// n.
  NestedGrid(int64_t m, int64_t n);
  at::Tensor points() const override { return points_; }
  int64_t size() const override { return points_.size(0); }
  std::string_view kind() const override { return "nested"; }
  std::shared_ptr<Grid> clone() const override;

 private:
  at::Tensor points_;
};

/// Trainable points: x = (0, cumsum(softmax θ)), θ ∈ R^{m−1}. They increase strictly for every θ (if no two θ
/// differ by more than 36, where a step falls below rounding) with 0 and 1 fixed; for m = 1 the point is 1/2
/// and not trainable. Initially uniform, θ = 0.
class TrainableGrid : public Grid {
 public:
  /// Throws std::invalid_argument unless m ≥ 1.
  explicit TrainableGrid(int64_t m);
  /// Starts from θ, a floating-point vector that is shared, e.g. with an optimizer; m is its length + 1.
  explicit TrainableGrid(at::Tensor theta);
  /// Starts from given points: [m ≥ 2], strictly increasing, from 0 to 1. θ_i = log(x_{i+1} − x_i). Throws
  /// std::invalid_argument for others.
  static TrainableGrid at_points(const at::Tensor& points);

  /// Differentiable in θ.
  at::Tensor points() const override;
  int64_t size() const override { return theta_.size(0) + 1; }
  std::string_view kind() const override { return "trainable"; }
  /// Returns θ, a leaf that requires a gradient; none for m = 1.
  std::vector<at::Tensor> parameters() const override;
  /// θ itself: [m−1] float64.
  const at::Tensor& theta() const { return theta_; }
  std::shared_ptr<Grid> clone() const override;

 private:
  at::Tensor theta_;
};

/// A uniform grid of random size, redrawn by `draw`. Deterministic for a given seed.
class RandomGrid : public Grid {
 public:
  /// The first size is drawn on construction.
  RandomGrid(SizeDistribution distribution, uint64_t seed);
  at::Tensor points() const override;
  int64_t size() const override { return size_; }
  std::string_view kind() const override { return "random"; }
  void draw() override;
  const SizeDistribution& distribution() const { return distribution_; }
  std::shared_ptr<Grid> clone() const override;

 private:
  SizeDistribution distribution_;
  std::mt19937_64 random_;
  int64_t size_;
};

/// The m zeros of the Legendre polynomial P_m, taken from [−1,1] to [0,1].
class GaussLegendreGrid : public Grid {
 public:
  /// Throws std::invalid_argument unless m ≥ 1.
  explicit GaussLegendreGrid(int64_t m);
  at::Tensor points() const override;
  int64_t size() const override { return size_; }
  std::string_view kind() const override { return "gauss-legendre"; }
  std::shared_ptr<Grid> clone() const override;

 private:
  int64_t size_;
};

/// Given points, such as the nodes of a rule that chooses them (`quadrature_nodes`, `choose_bayesian_nodes`).
class FixedGrid : public Grid {
 public:
  /// points: [m ≥ 1] float32 or float64, copied without their gradients. `kind` is the name of the grid's
  /// kind. Throws std::invalid_argument unless they increase strictly within [0,1].
  explicit FixedGrid(const at::Tensor& points, std::string kind = "fixed");
  at::Tensor points() const override { return points_; }
  int64_t size() const override { return points_.size(0); }
  std::string_view kind() const override { return kind_; }
  std::shared_ptr<Grid> clone() const override;

 private:
  at::Tensor points_;
  std::string kind_;
};

/// Concatenated grids, each on its own part of [0,1]. Shared end points occur once.
class CompositeGrid : public Grid {
 public:
  /// Grid k lies on [bounds_k, bounds_{k+1}]; bounds increase strictly from 0 to 1. Throws
  /// std::invalid_argument for other bounds, a null grid or none. The grids are shared.
  CompositeGrid(std::vector<std::shared_ptr<Grid>> grids, std::vector<double> bounds);
  /// Parts of equal length.
  explicit CompositeGrid(std::vector<std::shared_ptr<Grid>> grids);
  /// Differentiable in the parameters of the grids.
  at::Tensor points() const override;
  int64_t size() const override;
  std::string_view kind() const override { return "composite"; }
  std::vector<at::Tensor> parameters() const override;
  void draw() override;
  std::shared_ptr<Grid> clone() const override;

 private:
  std::vector<std::shared_ptr<Grid>> grids_;
  std::vector<double> bounds_;
};

}  // namespace inn
