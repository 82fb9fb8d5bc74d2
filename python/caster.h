#pragma once
// Tensors between Python and C++: the same object on both sides, with its autograd history.

#include <nanobind/nanobind.h>
#include <torch/csrc/autograd/python_variable.h>

namespace nanobind::detail {

template <>
struct type_caster<at::Tensor> {
  NB_TYPE_CASTER(at::Tensor, const_name("torch.Tensor"))

  bool from_python(handle source, uint32_t, cleanup_list*) noexcept {
    if (!THPVariable_Check(source.ptr())) return false;
    value = THPVariable_Unpack(source.ptr());
    return true;
  }

  static handle from_cpp(const at::Tensor& tensor, rv_policy, cleanup_list*) noexcept {
    try {
      return THPVariable_Wrap(tensor);
    } catch (const std::exception& error) {
      if (!PyErr_Occurred()) PyErr_SetString(PyExc_RuntimeError, error.what());
      return nullptr;
    }
  }
};

}  // namespace nanobind::detail
