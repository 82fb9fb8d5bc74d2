#include "bind.h"
#include "inn/depth/cut_depth.h"

namespace inn::python {

void bind_depth(nb::module_& m) {
  m.def(
      "depth_groups",
      [](const Network& network) {
        std::vector<std::pair<std::string, std::vector<std::string>>> chains;
        for (const auto& group : find_depth_groups(network)) {
          auto& names = chains.emplace_back(group.name, std::vector<std::string>()).second;
          for (const auto& block : group.blocks) names.push_back(block.name);
        }
        return chains;
      },
      nb::arg("network"), "Returns each chain of residual blocks: its name, and those of its blocks.");
  m.def(
      "depths_at",
      [](const Network& network, double fraction) { return depths_at(find_depth_groups(network), fraction); },
      nb::arg("network"), nb::arg("fraction"),
      "Returns how many blocks of each chain are the fraction of its depth.");
  nb::class_<CutDepth::Chain>(m, "CutChain", "A chain of residual blocks of which some were removed.")
      .def_ro("name", &CutDepth::Chain::name)
      .def_ro("before", &CutDepth::Chain::before)
      .def_ro("after", &CutDepth::Chain::after)
      .def_ro("removed", &CutDepth::Chain::removed);
  nb::class_<CutDepth>(m, "CutDepth", "A network with fewer blocks, with what was done.")
      .def_ro("network", &CutDepth::network)
      .def_ro("chains", &CutDepth::chains)
      .def_ro("error_before", &CutDepth::error_before)
      .def_ro("error_after", &CutDepth::error_after);
  m.def(
      "cut_depth",
      [](const AnalysedNetwork& source, const std::map<std::string, int64_t>& depths,
         const Calibration& calibration, const std::string& choice, int64_t choosing_samples, bool refits,
         uint64_t seed) {
        return cut_depth(
            source, depths, calibration,
            {.choice = choice, .choosing_samples = choosing_samples, .refit = refits, .seed = seed});
      },
      nb::arg("source"), nb::arg("depths"), nb::arg("calibration"), nb::arg("choice"),
      nb::arg("choosing_samples"), nb::arg("refit"), nb::arg("seed"), Unlocked());
}

}  // namespace inn::python
