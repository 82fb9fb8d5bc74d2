#include "inn/report/html_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace inn {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;
using Json = nlohmann::ordered_json;

Json comparison() {
  return {{"source", {{"accuracy", 0.9}, {"correct", 900}, {"count", 1000}, {"macs", 4.0e7}}},
          {"results",
           {{{"method", "l1"}, {"keep", 0.5}, {"accuracy", 0.75}, {"macs", 2.0e7}},
            {{"method", "quadrature"}, {"keep", 0.5}, {"accuracy", 0.85}, {"macs", 2.0e7}}}},
          {"run", {{"command", "inn compare net.pt2"}, {"seconds", 12.5}}}};
}

TEST(HtmlReport, ShowsEveryNumberInTablesWithoutScripts) {
  const auto page = html_report("A title", {{comparison().dump()}});
  for (const char* text : {"<title>A title</title>", "<h2>inn compare net.pt2</h2>", ">90.00 %<", ">40.0 M<",
                           ">quadrature<", ">85.00 %<", ">12.5<"})
    EXPECT_THAT(page, HasSubstr(text));
}

TEST(HtmlReport, RequestsNothingAndAllowsItsOwnScriptsAlone) {
  const auto page = html_report("A title", {{comparison().dump()}});
  EXPECT_THAT(page, HasSubstr("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-"));
  for (const char* text : {" src=", "<link", "@import", "url(", "fetch(", "XMLHttpRequest"})
    EXPECT_THAT(page, Not(HasSubstr(text)));
}

TEST(HtmlReport, NamesAreShownLiterally) {
  const std::string evil = "</script><script>alert(\"1\")</script>&'<b>";
  Json document = comparison();
  document["results"][0]["method"] = evil;
  document["run"]["command"] = evil;
  document["groups"] = {
      {{"name", evil}, {"source_width", 8}, {"width", 4}, {"pinned", nullptr}, {evil, evil}}};
  const auto page = html_report(evil, {{document.dump()}});
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, Not(HasSubstr("<b>")));
  EXPECT_THAT(page,
              HasSubstr("&lt;/script&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;'&lt;b&gt;"));
  // The data within is the document again.
  const auto begin = page.find("id=\"runs\">") + 10, end = page.find("</script>", begin);
  const auto data = Json::parse(page.substr(begin, end - begin));
  EXPECT_EQ(data[0]["results"][0]["method"], evil);
}

TEST(HtmlReport, TenThousandGroupsAreLessThanFiveMegabytes) {
  Json groups = Json::array();
  for (int g = 0; g < 10'000; ++g) {
    const auto name = fmt::format("decoder.layers.{}.mlp.gate_proj", g);
    Json members = Json::array();
    for (const char* end : {".weight", ".bias", ".running_mean", ".running_var"})
      members.push_back({{"tensor", name + end}, {"axis", 0}, {"role", "produce"}});
    groups.push_back({{"name", name}, {"width", 64}, {"pinned", nullptr}, {"members", members}});
  }
  EXPECT_LT(html_report("large", {{Json{{"groups", groups}}.dump()}}).size(), 5u << 20);
}

TEST(HtmlReport, OtherThanObjectsIsRefused) {
  for (const char* json : {"", "[1]", "{", "3"})
    EXPECT_THAT(
        [&] {
          html_report("t", {{"{}"}, {json}});
        },
        ThrowsMessage<std::invalid_argument>(HasSubstr("Run 2: must be a JSON object")));
  EXPECT_THROW(html_report("t", {}), std::invalid_argument);
}

}  // namespace
}  // namespace inn
