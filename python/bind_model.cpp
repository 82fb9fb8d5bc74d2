// Integral models.

#include "bind.h"
#include "inn/grid/family.h"
#include "inn/methods/convert_on.h"
#include "inn/model/integral_model.h"
#include "inn/network/files.h"
#include "inn/zoo/trained.h"

namespace inn::python {
namespace {

/// A grid that is defined in Python, by functions of its object.
class PythonGrid : public Grid {
 public:
  PythonGrid(std::function<at::Tensor()> points, std::function<int64_t()> size,
             std::vector<at::Tensor> parameters, std::function<void()> draw)
      : points_(std::move(points)),
        size_(std::move(size)),
        draw_(std::move(draw)),
        parameters_(std::move(parameters)) {}

  at::Tensor points() const override { return points_(); }
  int64_t size() const override { return size_(); }
  std::string_view kind() const override { return "python"; }
  std::vector<at::Tensor> parameters() const override { return parameters_; }
  void draw() override {
    if (draw_) draw_();
  }
  /// Python copies its own objects; a copy made in C++ keeps the points.
  std::shared_ptr<Grid> clone() const override { return std::make_shared<FixedGrid>(points().detach()); }

 private:
  std::function<at::Tensor()> points_;
  std::function<int64_t()> size_;
  std::function<void()> draw_;
  std::vector<at::Tensor> parameters_;
};

std::shared_ptr<IntegralModelImpl> from_archive(const nb::bytes& archive) {
  Network network = read_archive(archive, "the integral model");
  const nb::gil_scoped_release unlocked;
  return load_integral(std::move(network), rules()).ptr();
}

std::shared_ptr<IntegralModelImpl> read_model_at(const std::string& source) {
  constexpr std::string_view kZoo = "zoo:";
  return (source.starts_with(kZoo) ? load_integral(read_trained(source.substr(kZoo.size())), rules())
                                   : load_integral(std::filesystem::path(source), rules()))
      .ptr();
}

nb::bytes archive_of_model(const IntegralModelImpl& model) {
  const auto archive = [&] {
    const nb::gil_scoped_release unlocked;
    return integral_archive(model);
  }();
  return archive_of(archive);
}

IntegralGroup& group_at(IntegralModelImpl& model, size_t index) {
  if (index >= model.groups().size())
    throw nb::index_error(("group " + std::to_string(index) + ": the model has " +
                           std::to_string(model.groups().size()) + " groups")
                              .c_str());
  return model.groups()[index];
}

/// Moves what the network's calls name to the dtype and device that its tensors have now.
void follow_tensors(IntegralModelImpl& model) {
  for (const auto& entry : model.network().state) {
    if (!entry.tensor.is_floating_point()) continue;
    const auto dtype = entry.tensor.scalar_type();
    const auto device = entry.tensor.device();
    model.to(dtype);
    model.to(device);
    model.forget_sampled();
    return;
  }
}

}  // namespace

void bind_model(nb::module_& m) {
  using Model = IntegralModelImpl;
  m.def("grid_family_names", &grid_family_names);
  nb::class_<ConvertOptions>(m, "ConvertOptions")
      .def(nb::init<>())
      .def_rw("groups", &ConvertOptions::groups)
      .def_rw("group_names", &ConvertOptions::group_names)
      .def_rw("dims", &ConvertOptions::dims)
      .def_rw("kernel", &ConvertOptions::kernel)
      .def_rw("quadrature", &ConvertOptions::quadrature)
      .def_rw("grid", &ConvertOptions::grid)
      .def_rw("order", &ConvertOptions::order)
      .def_rw("seed", &ConvertOptions::seed);
  nb::class_<Grid>(m, "Grid");
  nb::class_<PythonGrid, Grid>(m, "PythonGrid", "A grid defined by Python functions.")
      .def(nb::init<std::function<at::Tensor()>, std::function<int64_t()>, std::vector<at::Tensor>,
                    std::function<void()>>(),
           nb::arg("points"), nb::arg("size"), nb::arg("parameters"), nb::arg("draw").none() = nb::none());
  nb::class_<Model>(m, "IntegralCore",
                    "The integral model; torch_integral.IntegralModel is the nn.Module of it.")
      .def_static("from_archive", &from_archive, nb::arg("archive"))
      .def_static("read", &read_model_at, nb::arg("source"), Unlocked(),
                  "Reads an integral model from a .pt2, or a trained one, zoo:NAME@DATA.")
      .def("archive", &archive_of_model, "Returns the model as the bytes of a .pt2 archive.")
      .def(
          "save", [](const Model& model, const std::filesystem::path& path) { save_integral(model, path); },
          nb::arg("path"), Unlocked())
      .def("clone", &Model::clone_model, Unlocked())
      .def("train", &Model::train, nb::arg("mode") = true)
      .def(
          "run",
          [](Model& model, const nb::sequence& inputs) {
            const auto values = to_values(inputs);
            std::vector<c10::IValue> outputs;
            {
              const nb::gil_scoped_release unlocked;
              outputs = model.run(values);
            }
            return to_list(outputs);
          },
          nb::arg("inputs"))
      .def("share_tensors", &Model::share_tensors, nb::arg("tensors"))
      .def("follow_tensors", &follow_tensors, Unlocked())
      .def_prop_ro("network", [](const Model& model) { return model.network(); })
      .def("sample", &Model::sample, Unlocked())
      .def("discretize", &Model::discretize, Unlocked())
      .def("seed", nb::overload_cast<uint64_t>(&Model::seed), nb::arg("seed"))
      .def("resize", nb::overload_cast<double>(&Model::resize), nb::arg("fraction"))
      .def("restore", &Model::restore)
      .def(
          "set_widths",
          [](Model& model, const std::string& law, bool own) {
            model.set_distribution(FractionDistribution::parse(law),
                                   own ? FractionSharing::own : FractionSharing::shared);
          },
          nb::arg("law"), nb::arg("own") = false)
      .def("clear_distributions", &Model::clear_distributions)
      .def(
          "set_pass_width",
          [](Model& model, const std::variant<std::string, double>& width) {
            if (const auto* fraction = std::get_if<double>(&width)) {
              model.set_pass_width(*fraction);
              return;
            }
            const auto& name = std::get<std::string>(width);
            if (name == "random") return model.set_pass_width(WidthDraw::random);
            if (name == "widest") return model.set_pass_width(WidthDraw::widest);
            if (name == "narrowest") return model.set_pass_width(WidthDraw::narrowest);
            throw nb::value_error("the width of a pass is a fraction, 'random', 'widest' or 'narrowest'");
          },
          nb::arg("width"))
      .def("group_count", [](const Model& model) { return model.groups().size(); })
      .def(
          "group_name", [](Model& model, size_t g) { return group_at(model, g).name(); }, nb::arg("group"))
      .def(
          "source_width", [](Model& model, size_t g) { return group_at(model, g).source_width(); },
          nb::arg("group"))
      .def(
          "width", [](Model& model, size_t g) { return group_at(model, g).width(); }, nb::arg("group"))
      .def(
          "points", [](Model& model, size_t g) { return group_at(model, g).grid().points(); },
          nb::arg("group"))
      .def(
          "members",
          [](Model& model, size_t g) { return model.structure().groups[group_at(model, g).id()].members; },
          nb::arg("group"))
      .def(
          "operators",
          [](Model& model, size_t g) {
            return operators_of(model.network(), model.structure(), group_at(model, g).id());
          },
          nb::arg("group"))
      .def(
          "resize_group", [](Model& model, size_t g, int64_t width) { group_at(model, g).resize(width); },
          nb::arg("group"), nb::arg("width"))
      .def(
          "set_grid",
          [](Model& model, size_t g, std::shared_ptr<Grid> grid) {
            group_at(model, g).set_grid(std::move(grid));
          },
          nb::arg("group"), nb::arg("grid"));
  m.def(
      "convert",
      [](const Network& network, ConvertOptions options, const Calibration* calibration) {
        options.rules = rules();
        return (calibration ? convert_on(network, options, *calibration)
                            : convert_on(network, options, std::optional<CalibrationData>()))
            .ptr();
      },
      nb::arg("network"), nb::arg("options"), nb::arg("calibration").none() = nb::none(), Unlocked());
}

}  // namespace inn::python
