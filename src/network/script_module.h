#pragma once
// TorchScript files: they contain code, which is checked before it runs.

#include <torch/csrc/jit/api/module.h>

#include "inn/core/zip_archive.h"

namespace inn {

/// Returns the module in a file that torch.jit.save wrote, on the CPU, without running any of its code.
///
/// All of its code is compiled and checked: it calls only operators that a file may call (see
/// allowed_operators.h), and functions of its own. torch::jit::load would run a class's `__setstate__` while it
/// reads. Throws std::runtime_error or c10::Error for a damaged file, std::invalid_argument for code that does
/// more than compute and for classes that are made by code.
torch::jit::Module read_script_module(const ZipArchive& archive);

}  // namespace inn
