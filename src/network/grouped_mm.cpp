#include "grouped_mm.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "inn/core/error.h"

namespace inn {
namespace {

bool begins_rows_evenly(const at::Tensor& tensor) {
  const int64_t unit = kGroupedRowBytes / tensor.element_size();
  const int64_t rows = tensor.stride(-1) == 1 ? tensor.stride(-2) : tensor.stride(-1);
  return rows % unit == 0 && reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % kGroupedRowBytes == 0;
}

at::Tensor by_experts(const at::Tensor& rows, const at::Tensor& experts, const at::Tensor& offs,
                      const at::Tensor& bias) {
  require(offs.dim() == 1 && offs.size(0) == experts.size(0), "network",
          "Operator 'aten::_grouped_mm': offs must be a vector of {} numbers, one per expert, but has shape "
          "[{}].",
          experts.size(0), fmt::join(offs.sizes(), ", "));
  const at::Tensor ends = offs.to(at::kCPU, at::kLong).contiguous();
  const auto matrices = experts.unbind(0);
  std::vector<at::Tensor> parts;
  int64_t start = 0;
  for (int64_t e = 0; e < ends.numel(); ++e) {
    const int64_t end = ends.const_data_ptr<int64_t>()[e];
    require(start <= end && end <= rows.size(0), "network",
            "Operator 'aten::_grouped_mm': offs must increase from 0 to at most {} but element {} is {}.",
            rows.size(0), e, end);
    if (start == end) continue;
    auto part = rows.narrow(0, start, end - start).mm(matrices[static_cast<size_t>(e)]);
    if (bias.defined()) part = part + (bias.dim() > 1 ? bias.select(0, e) : bias);
    parts.push_back(std::move(part));
    start = end;
  }
  if (start < rows.size(0) || parts.empty())
    parts.push_back(at::zeros({rows.size(0) - start, experts.size(2)}, rows.options()));
  return at::cat(parts);
}

}  // namespace

void run_grouped_mm(const c10::OperatorHandle& torchs, std::vector<c10::IValue>& stack) {
  const at::Tensor rows = stack[0].toTensor(), experts = stack[1].toTensor();
  const bool by_rows = !stack[2].isNone() && rows.dim() == 2 && experts.dim() == 3;
  const bool fits = rows.is_cuda() && rows.scalar_type() == at::kBFloat16 && begins_rows_evenly(rows) &&
                    begins_rows_evenly(experts);
  if (!by_rows || fits) return torchs.callBoxed(stack);
  const at::Tensor bias = stack[3].isNone() ? at::Tensor() : stack[3].toTensor();
  at::Tensor result = by_experts(rows, experts, stack[2].toTensor(), bias);
  if (!stack[4].isNone()) result = result.to(stack[4].toScalarType());
  stack.assign({c10::IValue(std::move(result))});
}

}  // namespace inn
