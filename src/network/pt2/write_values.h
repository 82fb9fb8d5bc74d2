#pragma once
// Metadata of values, for writing.

#include <ATen/core/Tensor.h>

#include "inn/network/network.h"
#include "json.h"

namespace inn::pt2 {

/// A size as JSON: a number, or a formula with its value in the example.
struct Size {
  int64_t value = 0;  // -1 where it is not known
  std::string formula = {};
};
Json to_json(const Size& size);
Size operator*(const Size& a, const Size& b);
Size operator+(const Size& a, const Size& b);

/// Returns the metadata of a value; its strides are those of a contiguous tensor.
Json write_tensor_meta(const Value& value);
/// Returns the metadata of a contiguous tensor that the archive holds.
Json write_tensor_meta(const at::Tensor& tensor);

/// Returns a node's metadata: the modules around the call, outermost first. `types` are the modules' known
/// classes.
Json write_metadata(const Call& call, const std::map<std::string, std::string>& types);

}  // namespace inn::pt2
