#include "inn/dimension/tracer.h"

#include "inn/network/files.h"

namespace inn {

void Tracer::trace_call(const torch::nn::Module& module,
                        const std::function<at::Tensor(const at::Tensor&)>& call,
                        const at::Tensor& example_input, const RuleTable& rules) {
  source_ = std::make_shared<const AnalysedNetwork>(analyse(trace(module, call, example_input), rules));
}

std::vector<Group> Tracer::build_groups() const {
  std::vector<Group> groups;
  for (const auto id : source_->groups.select({})) groups.push_back(source_->groups.groups[id]);
  return groups;
}

}  // namespace inn
