// Resampling of networks by any method.

#include "bind.h"
#include "inn/budget/resample_to_budget.h"
#include "inn/core/interrupt.h"
#include "inn/core/ranks.h"
#include "inn/methods/resample_by.h"
#include "inn/methods/shrink.h"
#include "inn/train/evaluate.h"

namespace inn::python {
namespace {

/// Of Python: batch number `index` as inputs and labels, or None after the last.
using PythonBatch =
    std::function<std::optional<std::pair<std::vector<at::Tensor>, std::optional<at::Tensor>>>(
        int64_t index)>;
/// Of Python: the loss of each sample of outputs and labels.
using PythonLoss =
    std::function<at::Tensor(const std::vector<at::Tensor>& outputs, std::optional<at::Tensor> labels)>;
/// Of Python: the score of each channel of a group, from the slices of its members, by tensor.
using PythonImportance = std::function<at::Tensor(const std::string& group,
                                                  const std::vector<std::pair<std::string, at::Tensor>>&)>;

Calibration calibration_of(const PythonBatch& batch, const PythonLoss& loss) {
  Calibration calibration;
  calibration.batch = [batch](int64_t index) -> std::optional<CalibrationBatch> {
    auto given = batch(index);
    if (!given) return std::nullopt;
    return CalibrationBatch{{given->first.begin(), given->first.end()}, given->second.value_or(at::Tensor())};
  };
  if (loss)
    calibration.loss = [loss](const std::vector<c10::IValue>& outputs, const CalibrationBatch& given) {
      std::vector<at::Tensor> tensors;
      for (const auto& output : outputs)
        if (output.isTensor()) tensors.push_back(output.toTensor());
      return loss(tensors, given.labels.defined() ? std::optional(given.labels) : std::nullopt);
    };
  return calibration;
}

Importance importance_of(const PythonImportance& score) {
  return {.name = "given", .scores = [score](const ScoredGroup& group) -> std::vector<at::Tensor> {
            std::vector<std::pair<std::string, at::Tensor>> rows;
            for (const auto& member : group.members) rows.emplace_back(member.tensor, group.rows(member));
            return {score(group.group().name, rows).to(at::kDouble)};
          }};
}

Resampled resample_network(const AnalysedNetwork& source, const PruneOptions& widths,
                           const MethodOptions& options, const std::optional<Calibration>& data) {
  const AnyModel model =
      is_integral(source.network) ? open_model(source.network.clone()) : AnyModel{.plain = source};
  return data ? resample_by(model, widths, options, *data)
              : resample_by(model, widths, options, std::optional<CalibrationData>());
}

}  // namespace

void bind_methods(nb::module_& m) {
  m.def(
      "set_ranks",
      [](int64_t rank, int64_t count, const std::string& group) {
        set_ranks({rank, count, group});
      },
      nb::arg("rank"), nb::arg("count"), nb::arg("group"),
      "Says that samples are shared by the ranks of a process group of torch.distributed.");
  m.def("resampling_methods", &resampling_methods);
  nb::enum_<PruningScope>(m, "PruningScope")
      .value("uniform", PruningScope::uniform)
      .value("global", PruningScope::global)
      .value("isomorphic", PruningScope::isomorphic);
  nb::class_<WidthLimits>(m, "WidthLimits")
      .def(nb::init<>())
      .def_rw("max_cut", &WidthLimits::max_cut)
      .def_rw("round_to", &WidthLimits::round_to)
      .def_rw("min_width", &WidthLimits::min_width);
  nb::class_<PruneOptions>(m, "Widths", "The widths that are asked for.")
      .def(nb::init<>())
      .def_rw("keep", &PruneOptions::keep)
      .def_rw("groups", &PruneOptions::groups)
      .def_rw("exclude", &PruneOptions::exclude)
      .def_rw("keep_of", &PruneOptions::keep_of)
      .def_rw("widths", &PruneOptions::widths)
      .def_rw("scope", &PruneOptions::scope)
      .def_rw("limits", &PruneOptions::limits);
  nb::class_<Calibration>(m, "Calibration", "Samples in batches.")
      .def(
          "__init__",
          [](Calibration* self, const PythonBatch& batch, const PythonLoss& loss) {
            new (self) Calibration(calibration_of(batch, loss));
          },
          nb::arg("batch"), nb::arg("loss").none() = nb::none());
  nb::class_<GroupReport>(m, "GroupReport", "What data-aware quadrature did to one group.")
      .def_ro("name", &GroupReport::name)
      .def_ro("source_width", &GroupReport::source_width)
      .def_ro("width", &GroupReport::width)
      .def_ro("nodes", &GroupReport::nodes)
      .def_ro("criterion", &GroupReport::criterion)
      .def_ro("error", &GroupReport::error);
  nb::class_<LayerFit>(m, "LayerFit", "How one layer was refit.")
      .def_ro("layer", &LayerFit::layer)
      .def_ro("skip_reason", &LayerFit::skip_reason)
      .def_ro("error_before", &LayerFit::error_before)
      .def_ro("error_after", &LayerFit::error_after)
      .def_ro("ridge", &LayerFit::ridge)
      .def_ro("seconds", &LayerFit::seconds);
  nb::class_<Resampled>(m, "Resampled", "A resampled network with what was done.")
      .def_ro("network", &Resampled::network)
      .def_ro("groups", &Resampled::groups)
      .def_ro("layers", &Resampled::layers)
      .def_prop_ro("widths",
                   [](const Resampled& made) {
                     std::vector<std::pair<size_t, int64_t>> widths(made.chosen.widths.begin(),
                                                                    made.chosen.widths.end());
                     return widths;
                   })
      .def_prop_ro("notes", [](const Resampled& made) { return made.chosen.notes; });
  m.def(
      "resample",
      [](const AnalysedNetwork& source, const PruneOptions& widths, const std::string& method,
         const PythonImportance& importance, std::optional<bool> refits, int64_t together, uint64_t seed,
         const Calibration* calibration, const StepCallback& progress) {
        MethodOptions options{.method = method, .refit = refits, .seed = seed, .together = together};
        if (importance) options.importance = importance_of(importance);
        options.progress = progress;
        return resample_network(source, widths, options,
                                calibration ? std::optional(*calibration) : std::nullopt);
      },
      nb::arg("source"), nb::arg("widths"), nb::arg("method"), nb::arg("importance").none() = nb::none(),
      nb::arg("refit") = nb::none(), nb::arg("together") = 0, nb::arg("seed") = 0,
      nb::arg("calibration").none() = nb::none(), nb::arg("progress").none() = nb::none(), Unlocked());
  nb::class_<Rate>(m, "Rate", "A rate with the number of samples that it is of.")
      .def_ro("rate", &Rate::rate)
      .def_ro("count", &Rate::count)
      .def_prop_ro("standard_error", &Rate::standard_error);
  nb::class_<NetworkFigures>(m, "NetworkFigures", "What a network costs and how good it is.")
      .def_ro("macs", &NetworkFigures::macs)
      .def_ro("parameters", &NetworkFigures::parameters)
      .def_ro("memory", &NetworkFigures::memory)
      .def_ro("latency", &NetworkFigures::latency)
      .def_ro("agreement", &NetworkFigures::agreement)
      .def_ro("output_error", &NetworkFigures::output_error)
      .def_ro("accuracy", &NetworkFigures::accuracy)
      .def_ro("loss", &NetworkFigures::loss);
  nb::class_<Shrunk>(m, "Shrunk", "A network made smaller, with what was done.")
      .def_ro("network", &Shrunk::network)
      .def_ro("widths", &Shrunk::widths)
      .def_ro("before", &Shrunk::before)
      .def_ro("after", &Shrunk::after)
      .def_ro("notes", &Shrunk::notes)
      .def_ro("seconds", &Shrunk::seconds)
      .def_prop_ro("stages", [](const Shrunk& made) {
        std::vector<std::tuple<std::string, std::string, double>> stages;
        for (const auto& stage : made.stages) stages.emplace_back(stage.name, stage.result, stage.seconds);
        return stages;
      });
  m.def(
      "shrink",
      [](const AnalysedNetwork& source, const std::string& budget, const PruneOptions& widths,
         const Calibration& calibration, const Calibration* evaluated, double seconds,
         const std::string& smallest, bool distill, bool fold_batch_norm, const std::string& target,
         uint64_t seed,
         const std::function<void(const std::string&, int64_t, int64_t, const std::string&)>& progress) {
        const InterruptGuard guard;
        return shrink(AnyModel{.plain = source},
                      shrink_samples(calibration, evaluated ? *evaluated : Calibration{}),
                      {.budget = Budget::parse(budget),
                       .widths = widths,
                       .smallest = Budget::parse(smallest + "=1").of,
                       .seconds = seconds,
                       .distill = distill,
                       .fold_batch_norm = fold_batch_norm,
                       .target = parse_target(target),
                       .seed = seed,
                       .progress = progress,
                       .stop = interrupted});
      },
      nb::arg("source"), nb::arg("budget"), nb::arg("widths"), nb::arg("calibration"),
      nb::arg("evaluated").none(), nb::arg("seconds"), nb::arg("smallest"), nb::arg("distill"),
      nb::arg("fold_batch_norm"), nb::arg("target"), nb::arg("seed"), nb::arg("progress").none(), Unlocked());
  m.def(
      "recalibrate",
      [](Network network, const Calibration& calibration) { recalibrate(network, calibration); },
      nb::arg("network"), nb::arg("calibration"), Unlocked(),
      "Measures the running statistics of batch norms, and writes them into the network's tensors.");
  m.def(
      "widths_for_budget",
      [](const AnalysedNetwork& source, const std::string& budget, const std::vector<std::string>& groups,
         const WidthLimits& limits, const Calibration& calibration) {
        const auto curves = error_curves(source, source.groups.select(groups), calibration);
        std::map<std::string, int64_t> widths;
        for (const auto& [id, width] :
             widths_within_budget(source, curves, Budget::parse(budget), calibration, {.limits = limits}))
          widths.emplace(source.groups.groups[id].name, width);
        return widths;
      },
      nb::arg("source"), nb::arg("budget"), nb::arg("groups"), nb::arg("limits"), nb::arg("calibration"),
      Unlocked());
}

}  // namespace inn::python
