#include "inn/core/interrupt.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace inn {
namespace {

class Interrupt : public testing::Test {
 protected:
  void SetUp() override { signal(SIGINT, SIG_DFL); }  // a test started in the background ignores SIGINT
};

TEST_F(Interrupt, TheFirstSignalIsOnlyNoted) {
  EXPECT_FALSE(interrupted());
  {
    InterruptGuard guard;
    EXPECT_FALSE(interrupted());
    ::raise(SIGINT);
    EXPECT_TRUE(interrupted());
    EXPECT_TRUE(interrupted());  // asking does not clear it
  }
  EXPECT_FALSE(interrupted());
}

TEST_F(Interrupt, TheSecondSignalEndsTheProgram) {
  EXPECT_EXIT(
      {
        InterruptGuard guard;
        ::raise(SIGINT);
        ::raise(SIGINT);
        exit(0);
      },
      testing::KilledBySignal(SIGINT), "");
}

TEST_F(Interrupt, GuardsNestAndTheLastPutsTheOldHandlingBack) {
  static int seen = 0;
  signal(SIGINT, [](int) { ++seen; });
  {
    InterruptGuard outer;
    {
      InterruptGuard inner;
      ::raise(SIGINT);
    }
    EXPECT_TRUE(interrupted());
  }
  EXPECT_EQ(seen, 0);
  ::raise(SIGINT);
  EXPECT_EQ(seen, 1);
  signal(SIGINT, SIG_DFL);
}

TEST_F(Interrupt, AnIgnoredSignalStaysIgnored) {
  signal(SIGINT, SIG_IGN);
  InterruptGuard guard;
  ::raise(SIGINT);
  EXPECT_FALSE(interrupted());
}

}  // namespace
}  // namespace inn
