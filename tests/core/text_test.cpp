#include "inn/core/text.h"

#include <gtest/gtest.h>

namespace inn {
namespace {

TEST(TextColumns, CountsCharactersAndNotBytes) {
  EXPECT_EQ(text_columns(""), 0);
  EXPECT_EQ(text_columns("width"), 5);
  EXPECT_EQ(text_columns("größe"), 5);
  EXPECT_EQ(text_columns("≤ 1 µs"), 6);
  EXPECT_EQ(text_columns("e\u0301"), 1);
  EXPECT_EQ(text_columns("画像"), 4);
  EXPECT_EQ(text_columns("\n\u200b"), 0);
}

TEST(TextColumns, CountsBrokenUtf8AsOneColumnAByte) {
  EXPECT_EQ(text_columns("a\xff"), 2);
  EXPECT_EQ(text_columns("\xe2\x89"), 2);  // the first two of three bytes
}

TEST(CutToColumns, NeverCutsInsideACharacter) {
  EXPECT_EQ(cut_to_columns("größe", 3), "grö");
  EXPECT_EQ(cut_to_columns("画像", 3), "画");
  EXPECT_EQ(cut_to_columns("abc", 9), "abc");
  EXPECT_EQ(cut_to_columns("abc", 0), "");
}

}  // namespace
}  // namespace inn
