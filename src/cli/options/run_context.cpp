#include "options/run_context.h"

#include <utility>

#include "inn/data/normalization_record.h"

namespace inn::cli {

void RunContext::add_model(CLI::App& app) { add_model_options(app, model); }

void RunContext::add_options(CLI::App& app, const Has& has) {
  if (has.data) {
    add_image_options(app, images);
    add_normalization_options(app, normalization);
  }
  if (has.dynamic_batch) add_dynamic_batch_option(app, model.dynamic_batch);
  add_general_options(app, general);
  if (has.html) add_html_option(app, general);
  if (has.device) add_device_option(app, general);
}

c10::Device RunContext::start() const { return cli::start(general); }

AnyModel RunContext::open() const { return read_model(model, general.seed); }

NormalizedModel RunContext::open_for(const Dataset* data, ZooSize size) const {
  Network network = read_network(model, general.seed, size == ZooSize::of_data ? data : nullptr);
  Normalization found = normalization_of(normalization, network, data);
  if (!normalization.mean.empty() || !normalization.std.empty()) record_normalization(network, found);
  return {open_model(std::move(network)), std::move(found)};
}

}  // namespace inn::cli
