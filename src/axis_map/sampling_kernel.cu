// The kernels of sampling_kernel.h for CUDA: a thread an element, a block an entry of the values' gradient.
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>

#include "sampling_element.h"
#include "sampling_kernel.h"

namespace inn::sampling_kernel {
namespace {

constexpr int kThreads = 256;
// More blocks than any processor runs at once; each takes several elements, or entries, where there are more.
constexpr int64_t kBlocks = 1 << 16;

template <class T, class Real>
__global__ void sample_elements(const T* x, T* y, int64_t count, Layout layout, SparseRows<Real> first,
                                SparseRows<Real> second) {
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += step)
    y[i] = sampled_element(x, layout, first, second, i);
}

template <class T, class Real>
__global__ void value_gradients(const T* x, const T* back, Real* gradient, int64_t entries, int64_t before,
                                int64_t behind, SparseRows<Real> map) {
  __shared__ double sums[kThreads];
  for (int64_t e = blockIdx.x; e < entries; e += gridDim.x) {
    sums[threadIdx.x] = value_gradient_part(x, back, before, behind, map, e, threadIdx.x, kThreads);
    __syncthreads();
    for (int half = kThreads / 2; half > 0; half /= 2) {
      if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
      __syncthreads();
    }
    if (threadIdx.x == 0) gradient[e] = static_cast<Real>(sums[0]);
    __syncthreads();
  }
}

}  // namespace

template <class T, class Real>
void apply_on_cuda(const T* x, T* y, const Layout& layout, const SparseRows<Real>& first,
                   const SparseRows<Real>& second) {
  const int64_t count = layout.before * first.rows * layout.between * second.rows * layout.behind;
  if (count == 0) return;
  const auto blocks = static_cast<unsigned>(std::min(kBlocks, (count + kThreads - 1) / kThreads));
  sample_elements<<<blocks, kThreads, 0, c10::cuda::getCurrentCUDAStream()>>>(x, y, count, layout, first, second);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

template <class T, class Real>
void value_gradient_on_cuda(const T* x, const T* back, Real* gradient, int64_t entries, int64_t before,
                            int64_t behind, const SparseRows<Real>& map) {
  if (entries == 0) return;
  const auto blocks = static_cast<unsigned>(std::min(kBlocks, entries));
  value_gradients<<<blocks, kThreads, 0, c10::cuda::getCurrentCUDAStream()>>>(x, back, gradient, entries, before,
                                                                              behind, map);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

#define INN_INSTANTIATE(T, Real)                                                             \
  template void apply_on_cuda<T, Real>(const T*, T*, const Layout&, const SparseRows<Real>&, \
                                       const SparseRows<Real>&);                             \
  template void value_gradient_on_cuda<T, Real>(const T*, const T*, Real*, int64_t, int64_t, int64_t, \
                                                const SparseRows<Real>&)

INN_INSTANTIATE(float, float);
INN_INSTANTIATE(double, double);
INN_INSTANTIATE(c10::BFloat16, float);
INN_INSTANTIATE(c10::Half, float);

}  // namespace inn::sampling_kernel
