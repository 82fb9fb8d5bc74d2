#include "step_bar.h"

#include <memory>
#include <optional>
#include <utility>

#include "inn/core/progress.h"

namespace inn::cli {
namespace {

class StepBar {
 public:
  StepBar(std::string label, std::string unit) : label_(std::move(label)), unit_(std::move(unit)) {}

  void show(int64_t done, int64_t all, const std::string& step) {
    if (!bar_) bar_.emplace(Progress::Options{.label = label_, .total = all, .unit = unit_});
    bar_->advance(done - shown_, step);
    shown_ = done;
    if (done < all) return;
    bar_.reset();
    shown_ = 0;
  }

 private:
  std::string label_, unit_;
  std::optional<Progress> bar_;
  int64_t shown_ = 0;
};

}  // namespace

StepCallback step_bar(std::string label, std::string unit) {
  return [bar = std::make_shared<StepBar>(std::move(label), std::move(unit))](
             int64_t done, int64_t all, const std::string& step) { bar->show(done, all, step); };
}

}  // namespace inn::cli
