// Data sets in the library's formats.

#include "bind.h"
#include "inn/data/batches.h"
#include "inn/data/dataset.h"

namespace inn::python {

void bind_data(nb::module_& m) {
  m.def(
      "open_dataset",
      [](const std::string& path_or_name, const std::string& split) {
        for (const auto known : {Split::train, Split::test, Split::any})
          if (split == to_string(known)) {
            const Dataset data = in_memory(open_dataset(path_or_name, known));
            return std::make_tuple(data.inputs,
                                   data.labels.defined() ? std::optional(data.labels) : std::nullopt,
                                   data.class_names);
          }
        throw std::invalid_argument("split: must be 'train', 'test' or 'any' but got '" + split + "'");
      },
      nb::arg("path_or_name"), nb::arg("split"), Unlocked());
}

}  // namespace inn::python
