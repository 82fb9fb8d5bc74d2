#include "inn/core/atomic_file.h"
#include "temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace inn {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class AtomicFile : public testing::Test {
 protected:
  static std::string read(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  int64_t files() const { return std::distance(fs::directory_iterator(folder_), fs::directory_iterator()); }

  template <class Write>
  static std::string failure_of(Write write) {
    try {
      write();
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path(), path_ = folder_ / "model.pt2";
};

TEST_F(AtomicFile, HoldsWhatWasWrittenAndNothingElseIsLeft) {
  std::string content;
  for (int i = 0; i < 100'000; ++i) content += std::to_string(i) + '\0';
  write_atomically(path_, content);
  EXPECT_EQ(read(path_), content);
  write_atomically(path_, [](std::ostream& stream) { stream << "width " << 16 << '\n'; });
  EXPECT_EQ(read(path_), "width 16\n");
  EXPECT_EQ(files(), 1);
}

TEST_F(AtomicFile, MixesSmallAndLargeWritesInOrder) {
  const std::string large(200'000, 'x');
  write_atomically(path_, [&](std::ostream& stream) { stream << 'a' << large << 'b' << large << 'c'; });
  EXPECT_EQ(read(path_), "a" + large + "b" + large + "c");
}

TEST_F(AtomicFile, WritesToNoFileThatIsThereAlready) {
  const fs::path planted = path_.string() + ".tmp-" + std::to_string(getpid());
  write_atomically(planted, "another's");
  write_atomically(path_, "mine");
  EXPECT_EQ(read(planted), "another's");
  EXPECT_EQ(read(path_), "mine");
  EXPECT_EQ(files(), 2);
}

TEST_F(AtomicFile, TwoWritesOfOneFileDoNotMeet) {
  write_atomically(path_, [&](std::ostream& stream) {
    stream << std::string(100'000, 'a');
    write_atomically(path_, "inner");
    EXPECT_EQ(read(path_), "inner");
    stream << 'b';
  });
  EXPECT_EQ(read(path_), std::string(100'000, 'a') + 'b');
  EXPECT_EQ(files(), 1);
}

TEST_F(AtomicFile, KeepsTheOldContentWhenTheWriterThrows) {
  write_atomically(path_, "old");
  EXPECT_THROW(write_atomically(path_,
                                [](std::ostream& stream) {
                                  stream << std::string(100'000, 'n');
                                  throw std::out_of_range("mine");
                                }),
               std::out_of_range);
  EXPECT_EQ(read(path_), "old");
  EXPECT_EQ(files(), 1);
}

TEST_F(AtomicFile, KeepsTheOldContentWhenThereIsNoRoom) {
  write_atomically(path_, "old");
  rlimit old_limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  signal(SIGXFSZ, SIG_IGN);
  rlimit limit = old_limit;
  limit.rlim_cur = 4096;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const std::string reason = failure_of([&] { write_atomically(path_, std::string(1 << 20, 'n')); });
  setrlimit(RLIMIT_FSIZE, &old_limit);
  signal(SIGXFSZ, SIG_DFL);
  EXPECT_THAT(reason, AllOf(HasSubstr(path_.string()), HasSubstr("File too large")));
  EXPECT_EQ(read(path_), "old");
  EXPECT_EQ(files(), 1);
}

TEST_F(AtomicFile, NamesThePathAndTheReason) {
  EXPECT_EQ(failure_of([&] { write_atomically(folder_ / "no" / "file", "x"); }),
            "[core] File '" + (folder_ / "no" / "file").string() +
                "': cannot be written: No such file or directory.");
  EXPECT_EQ(failure_of([&] { write_atomically(folder_, "x"); }),
            "[core] File '" + folder_.string() + "': cannot be written: it is a folder.");
  EXPECT_EQ(failure_of([&] { write_atomically("/dev/null", "x"); }),
            "[core] File '/dev/null': cannot be written: it is not a regular file.");
  EXPECT_THAT(failure_of([&] { write_atomically("", "x"); }), HasSubstr("is not a file name"));
}

TEST_F(AtomicFile, RefusesAReadOnlyFolder) {
  write_atomically(path_, "old");
  fs::permissions(folder_, fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read |
                               fs::perms::others_exec);
  const bool is_root = geteuid() == 0;  // who may write everywhere
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(is_root ? seteuid(kNobody) : 0, 0);
  const std::string reason = failure_of([&] { write_atomically(path_, "new"); });
  ASSERT_EQ(is_root ? seteuid(0) : 0, 0);
  fs::permissions(folder_, fs::perms::owner_all);
  EXPECT_THAT(reason, AllOf(HasSubstr(path_.string()), HasSubstr("Permission denied")));
  EXPECT_EQ(read(path_), "old");
}

TEST_F(AtomicFile, ReplacesTheFileBehindALinkAndKeepsItsPermissions) {
  write_atomically(path_, "old");
  fs::permissions(path_, fs::perms::owner_read | fs::perms::owner_write);
  const fs::path link = folder_ / "latest";
  fs::create_symlink(path_, link);
  write_atomically(link, "new");
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(read(path_), "new");
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

}  // namespace
}  // namespace inn
