// Trains an MLP as an integral model from scratch, and converts LeNet to one after ordinary training.
//
//   example_fashion_mnist [images]      number of training images per epoch (20000)

#include <inn/data/dataset.h>
#include <inn/model/integral_model.h>
#include <inn/train/evaluate.h>
#include <inn/train/train.h>
#include <inn/zoo/zoo.h>

#include <cstdio>
#include <cstdlib>

namespace {

const inn::Normalization kNormalization{.mean = {0.286}, .std = {0.353}};

void print_widths(const char* title, const inn::IntegralModelImpl& model, const inn::Dataset& test) {
  std::printf("%s\n", title);
  const std::vector<double> fractions{1, 0.75, 0.5, 0.25};
  for (const auto& at : inn::evaluate_widths(model, test, kNormalization, fractions))
    std::printf("  width %.2f: %.1f %%\n", at.width, 100 * at.result.accuracy);
}

}  // namespace

int main(int count, char** arguments) {
  const int64_t images = count > 1 ? std::atoll(arguments[1]) : 20000;
  const auto train = inn::open_dataset("fashion-mnist", inn::Split::train).first(images);
  const auto test = inn::open_dataset("fashion-mnist", inn::Split::test);
  const inn::TrainOptions options{.epochs = 2, .optimizer = "adamw", .learning_rate = 1e-3};

  // From scratch: random weights have no meaningful order; every step has a random width.
  auto mlp = inn::convert(inn::make_zoo_network("mlp"), {.order = "none"});
  mlp->set_distribution(inn::Uniform{0.25, 1.0});
  inn::train(*mlp, train, kNormalization, options);
  print_widths("MLP, integral from scratch", *mlp, test);

  // From a trained network: channels are ordered such that the weights are smooth.
  inn::NetworkModule lenet(inn::make_zoo_network("lenet"));
  inn::train(*lenet, train, kNormalization, options);
  std::printf("LeNet, ordinary: %.1f %%\n", 100 * inn::evaluate(*lenet, test, kNormalization).accuracy);
  auto integral = inn::convert(lenet->network());
  print_widths("LeNet, converted, not trained at other widths", *integral, test);
  integral->set_distribution(inn::Uniform{0.25, 1.0});
  inn::train(*integral, train, kNormalization, options);
  print_widths("LeNet, converted, then trained at random widths", *integral, test);
}
