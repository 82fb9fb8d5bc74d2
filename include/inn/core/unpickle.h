#pragma once
// Values in files that torch.save and torch.jit.save wrote.

#include <ATen/core/ivalue.h>
#include <ATen/core/jit_type_base.h>
#include <ATen/core/qualified_name.h>

#include <functional>
#include <string>

#include "inn/core/zip_archive.h"

namespace inn {

/// How objects of classes are made: the class of a name, and an object of it from its pickled state.
struct PickledClasses {
  std::function<c10::StrongTypePtr(const c10::QualifiedName&)> find = nullptr;
  std::function<c10::intrusive_ptr<c10::ivalue::Object>(const c10::StrongTypePtr&, c10::IValue)> make =
      nullptr;
};

/// Returns the value in the record "`name`.pkl", whose tensors lie in "`name`/", on the CPU.
///
/// Without `classes` it is made of tensors, numbers, text and containers of these alone, and no code of the
/// file is run. Tensors that view one record share their memory, and each lies within its record. Throws
/// std::runtime_error or c10::Error for a damaged record, a tensor that is not strided, and containers that
/// nest deeper than 200.
c10::IValue unpickle(const ZipArchive& archive, const std::string& name, const PickledClasses& classes = {});

}  // namespace inn
