#include "inn/zoo/zoo.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "commands/command.h"
#include "inn/report/table.h"
#include "inn/zoo/trained.h"
#include "options/general.h"

namespace inn::cli {
namespace {

struct ZooArguments {
  GeneralOptions general;
  std::string name;
};

int show_card(const std::string& name, bool json) {
  const Json card = trained_card(name);
  if (json) {
    print(card);
    return 0;
  }
  std::cout << fmt::format("{}: {}\n\ndata        {}\nparameters  {}\nmade by     ",
                           card.at("name").get<std::string>(), card.at("summary").get<std::string>(),
                           card.at("data").get<std::string>(),
                           format_count(card.at("parameters").get<int64_t>()));
  std::string separator;
  for (const auto& command : card.at("commands")) {
    std::cout << separator << command.get<std::string>() << "\n";
    separator = "            ";
  }
  std::cout << fmt::format("            ({} s on {} threads)\n\n", card.at("seconds").get<int64_t>(),
                           card.at("threads").get<int64_t>());
  Table table({"width", "accuracy", "loss"});
  for (const auto& row : card.at("widths"))
    table.add_row({fmt::format("{:g}", row.at("width").get<double>()),
                   format_percent(row.at("accuracy").get<double>()),
                   fmt::format("{:.3f}", row.at("loss").get<double>())});
  std::cout << table
            << fmt::format("Accuracy on {} test images, batch norm recalibrated at each width.\n",
                           card.at("test_images").get<int64_t>());
  return 0;
}

int run(const ZooArguments& options) {
  start(options.general);
  if (!options.name.empty()) return show_card(options.name, options.general.json);
  Json networks = Json::array(), trained = Json::array();
  for (const auto& entry : zoo()) networks.push_back({{"name", entry.name}, {"doc", entry.doc}});
  for (const auto& model : trained_zoo()) trained.push_back(trained_card(model.name));
  if (options.general.json) {
    print({{"networks", networks}, {"trained", trained}});
    return 0;
  }
  Table made({"network", "description"});
  for (const auto& entry : zoo()) made.add_row({"zoo:" + entry.name, entry.doc});
  std::cout << "Networks with random weights:\n"
            << made << "\nTrained at random widths; accuracy (%) by width:\n";
  std::vector<std::string> header{"model", "parameters"};
  for (const auto& row : trained.at(0).at("widths"))
    header.push_back(fmt::format("{:g}", row.at("width").get<double>()));
  Table table(header);
  for (const auto& card : trained) {
    std::vector<std::string> cells{"zoo:" + card.at("name").get<std::string>(),
                                   format_count(card.at("parameters").get<int64_t>())};
    for (const auto& row : card.at("widths"))
      cells.push_back(fmt::format("{:.1f}", 100 * row.at("accuracy").get<double>()));
    table.add_row(cells);
  }
  std::cout << table << "`inn zoo NAME@DATA` shows how one was made.\n";
  return 0;
}

}  // namespace

Command zoo_command() {
  return {.name = "zoo",
          .summary = "Lists the networks and the trained models that come with the program",
          .examples =
              "  inn zoo\n"
              "  inn zoo resnet20@fashion-mnist\n"
              "  inn zoo --json",
          .declare = [](CLI::App& app) -> std::function<int()> {
            auto options = std::make_shared<ZooArguments>();
            app.add_option("NAME", options->name, "A trained model, NETWORK@DATA: show its card");
            add_general_options(app, options->general);
            return [options] { return run(*options); };
          }};
}

}  // namespace inn::cli
