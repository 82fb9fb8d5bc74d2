#include "tour.h"

#include <utility>

namespace inn {

Tour::Tour(std::vector<Node> order) : order_(std::move(order)), place_(order_.size()) {
  for (std::size_t i = 0; i < order_.size(); ++i)
    place_[static_cast<std::size_t>(order_[i])] = static_cast<Node>(i);
}

void Tour::reverse(Node a, Node b) {
  const Node n = size();
  Node i = place(a), j = place(b);
  Node length = j - i + 1;
  if (length <= 0) length += n;
  if (2 * length > n) {
    const Node first = j + 1 == n ? 0 : j + 1;
    j = i == 0 ? n - 1 : i - 1;
    i = first;
    length = n - length;
  }
  Node* order = order_.data();
  Node* place = place_.data();
  for (Node swaps = length / 2; swaps > 0; --swaps) {
    const Node left = order[i], right = order[j];
    order[i] = right;
    place[right] = i;
    order[j] = left;
    place[left] = j;
    i = i + 1 == n ? 0 : i + 1;
    j = j == 0 ? n - 1 : j - 1;
  }
}

}  // namespace inn
