#include "daemon/session.h"

#include <gtest/gtest.h>

#include "tests/daemon/session_fixture.h"
#include "tests/helpers/temporary_folder.h"

namespace lacuna::daemon {
namespace {

TEST_F(SessionTest, RequestsBeforeInitializeAreErrors) {
  EXPECT_EQ(error(request("lacuna/status", Json::object())), -32002);
  notify("textDocument/didOpen", Json::object());
  EXPECT_EQ(sent_.size(), 1U);
}

TEST_F(SessionTest, InitializeComesOnce) {
  initialize();
  EXPECT_EQ(error(request("initialize", Json::object())), -32600);
}

TEST_F(SessionTest, NothingIsSentBeforeTheAnswerToInitialize) {
  initialize({{"capabilities", {{"experimental", {{"lacuna", Json::object()}}}}}});
  ASSERT_GE(sent_.size(), 2U);
  EXPECT_TRUE(sent_[0].contains("result"));
  EXPECT_EQ(sent_[1].value("method", ""), "didChangeStatus");
}

TEST_F(SessionTest, UnknownRequestsAreErrorsAndUnknownNotificationsAreNot) {
  initialize();
  const std::size_t before = sent_.size();
  notify("$/unknown", Json::object());
  notify("unknown/thing", Json::object());
  EXPECT_EQ(sent_.size(), before);
  EXPECT_EQ(error(request("$/unknown", Json::object())), -32601);
}

TEST_F(SessionTest, AfterShutdownOnlyExitCounts) {
  initialize();
  EXPECT_TRUE(result(request("shutdown", nullptr)).is_null());
  EXPECT_EQ(error(request("lacuna/status", Json::object())), -32600);
  EXPECT_FALSE(session_->has_exited());
  notify("exit", nullptr);
  EXPECT_TRUE(session_->has_exited());
  EXPECT_EQ(session_->exit_code(), 0);
}

TEST_F(SessionTest, ExitWithoutShutdownIsExitCodeOne) {
  notify("exit", nullptr);
  EXPECT_TRUE(session_->has_exited());
  EXPECT_EQ(session_->exit_code(), 1);
}

TEST_F(SessionTest, ShutdownAnswersWhatIsOpen) {
  initialize();
  open(kUri, "x = \n");
  const int waits = complete(kUri, 0, 4);
  request("shutdown", nullptr);
  run();
  EXPECT_EQ(error(waits), -32800);
}

TEST_F(SessionTest, ThePositionEncodingIsUtf16UnlessTheClientHasOnlyOthers) {
  const auto chosen = [&](Json encodings) {
    session_ = make("s");
    sent_.clear();
    initialize({{"capabilities", {{"general", {{"positionEncodings", encodings}}}}}});
    return sent_.front()["result"]["capabilities"]["positionEncoding"];
  };
  EXPECT_EQ(chosen({"utf-8", "utf-16", "utf-32"}), "utf-16");
  EXPECT_EQ(chosen(Json::array()), "utf-16");
  EXPECT_EQ(chosen({"utf-8"}), "utf-8");
  EXPECT_EQ(chosen({"utf-7", "utf-32"}), "utf-32");
}

TEST_F(SessionTest, MessagesThatAreNoneAreAnsweredWithErrors) {
  initialize();
  sent_.clear();
  session_->receive("{");
  session_->receive("[]");
  ASSERT_EQ(sent_.size(), 2U);
  EXPECT_EQ(sent_[0]["error"]["code"], -32700);
  EXPECT_EQ(sent_[1]["error"]["code"], -32600);
}

TEST_F(SessionTest, ASuggestionIsAnInsertionAtTheCursor) {
  initialize();
  open(kUri, "\U0001F600 = \n");
  const int id = complete(kUri, 0, 5);
  finish(answer_of({"a + b"}));
  const Json item = result(id)["items"][0];
  EXPECT_EQ(item["insertText"], "a + b");
  EXPECT_EQ(item["range"]["start"], item["range"]["end"]);
  EXPECT_EQ(item["range"]["start"]["character"], 5);
  EXPECT_EQ(item["command"]["command"], "lacuna.didAccept");
  EXPECT_EQ(fills_.history().front().holes.front().begin, std::string("\U0001F600 = ").size());
}

TEST_F(SessionTest, ANewerRequestAnswersTheOlderOneWithNull) {
  initialize();
  open(kUri, "x = \n");
  const int old = complete(kUri, 0, 4);
  EXPECT_TRUE(answer(old).is_null());
  const int fresh = complete(kUri, 0, 3);
  EXPECT_TRUE(answer(old).contains("result"));
  EXPECT_TRUE(result(old).is_null());
  finish(answer_of({"y"}));
  run();
  EXPECT_EQ(result(fresh)["items"].size(), 1U);
  EXPECT_TRUE(result(old).is_null());
}

TEST_F(SessionTest, AChangeAnswersAnOpenSuggestionWithNullAtOnce) {
  initialize();
  open(kUri, "x = \n");
  const int id = complete(kUri, 0, 4);
  type(kUri, 0, 4, "q");
  EXPECT_TRUE(answer(id).contains("result"));
  EXPECT_TRUE(result(id).is_null());
  EXPECT_TRUE(fills_.open().begin()->second.cancelled);
}

TEST_F(SessionTest, ACancelledRequestIsAnsweredOnceAsCancelled) {
  initialize();
  open(kUri, "x = \n");
  const int id = complete(kUri, 0, 4);
  notify("$/cancelRequest", {{"id", id}});
  EXPECT_EQ(error(id), -32800);
  run();
  EXPECT_EQ(error(id), -32800);
  notify("$/cancelRequest", {{"id", 999}});
}

TEST_F(SessionTest, AFailedSuggestionIsNullAndExplained) {
  initialize();
  open(kUri, "x = \n");
  const int id = complete(kUri, 0, 4);
  finish(fail(ErrorCode::Unavailable, "there is no model"));
  EXPECT_TRUE(answer(id).contains("result"));
  EXPECT_TRUE(result(id).is_null());
  EXPECT_EQ(outcome(), "there is no model");
}

TEST_F(SessionTest, TypingThroughASuggestionNeedsNoEngine) {
  settings_.values.speculate = false;
  session_ = make("s");
  initialize();
  open(kUri, "x = \n");
  complete(kUri, 0, 4);
  finish(answer_of({"value"}));
  type(kUri, 0, 4, "va");
  EXPECT_EQ(result(complete(kUri, 0, 6))["items"][0]["insertText"], "lue");
  const Json from = {{"line", 0}, {"character", 5}};
  const Json to = {{"line", 0}, {"character", 6}};
  notify("textDocument/didChange",
         {{"textDocument", {{"uri", kUri}, {"version", 9}}},
          {"contentChanges", {{{"range", {{"start", from}, {"end", to}}}, {"text", ""}}}}});
  EXPECT_EQ(result(complete(kUri, 0, 5))["items"][0]["insertText"], "alue");
  EXPECT_EQ(fills_.history().size(), 1U);
  type(kUri, 0, 5, "x");
  complete(kUri, 0, 6);
  EXPECT_EQ(fills_.history().size(), 2U);
}

TEST_F(SessionTest, AskingByCommandGivesAlternatives) {
  initialize();
  open(kUri, "x = \n");
  complete(kUri, 0, 4);
  EXPECT_EQ(fills_.history().back().alternatives, 1);
  const int id = complete(kUri, 0, 4, 1);
  EXPECT_EQ(fills_.history().back().alternatives, 3);
  FillAnswer filled = answer_of({"a"});
  filled.alternatives.push_back(result_of({"b"}));
  filled.alternatives.push_back(result_of({"a "}));  // the same when it is shown
  finish(std::move(filled));
  EXPECT_EQ(result(id)["items"].size(), 2U);
}

TEST_F(SessionTest, AnItemOfTheMenuIsExtended) {
  initialize();
  open(kUri, "foo.pr\n");
  const Json range = {{"start", {{"line", 0}, {"character", 4}}},
                      {"end", {{"line", 0}, {"character", 6}}}};
  const int id = request(
      "textDocument/inlineCompletion",
      {{"textDocument", {{"uri", kUri}}},
       {"position", {{"line", 0}, {"character", 6}}},
       {"context",
        {{"triggerKind", 2}, {"selectedCompletionInfo", {{"range", range}, {"text", "print"}}}}}});
  EXPECT_EQ(fills_.history().back().text, "foo.print\n");
  finish(answer_of({"(x)"}));
  EXPECT_EQ(result(id)["items"][0]["insertText"], "print(x)");
  EXPECT_EQ(result(id)["items"][0]["range"], range);
}

TEST_F(SessionTest, WhatFollowsAnAcceptedSuggestionIsComputedAhead) {
  initialize();
  open(kUri, "x = \n");
  complete(kUri, 0, 4);
  finish(answer_of({"f("}));
  ASSERT_EQ(fills_.history().size(), 2U);
  EXPECT_EQ(fills_.history().back().priority, Priority::Background);
  EXPECT_EQ(fills_.history().back().text, "x = f(\n");
  finish(answer_of({"y)"}));
  type(kUri, 0, 4, "f(");
  EXPECT_EQ(result(complete(kUri, 0, 6))["items"][0]["insertText"], "y)");
}

TEST_F(SessionTest, WhyNothingIsShownIsTold) {
  settings_.values.languages = {{"*", true}, {"markdown", false}};
  settings_.values.exclude = {"generated/"};
  session_ = make("s");
  initialize({{"rootUri", "file:///w"}});
  const auto asked = [&](std::string uri, std::string text, std::string language) {
    open(uri, text, language);
    const int id = complete(uri, 0, 0);
    EXPECT_TRUE(answer(id).contains("result") && result(id).is_null()) << uri;
    return outcome();
  };
  EXPECT_NE(asked("file:///w/.env", "A=", "ini").find("secrets"), std::string::npos);
  EXPECT_NE(asked("file:///w/generated/a.py", "", "python").find("exclude"), std::string::npos);
  EXPECT_NE(asked("file:///w/a.md", "", "markdown").find("language markdown"), std::string::npos);
  EXPECT_NE(asked("file:///w/a.bin", std::string(1, '\0'), "x").find("not text"),
            std::string::npos);
  EXPECT_NE(asked("file:///w/b.js", std::string(30000, 'x'), "javascript").find("line has more"),
            std::string::npos);
  EXPECT_NE(asked("file:///w/c.js", std::string(5 << 20, '\n'), "javascript").find("4 MiB"),
            std::string::npos);
  const int unknown = complete("file:///w/never.py", 0, 0);
  EXPECT_TRUE(result(unknown).is_null());
  EXPECT_EQ(outcome(), "the document is not open");
  EXPECT_TRUE(fills_.history().empty());
}

TEST_F(SessionTest, SecretsAndIgnoredFilesAreNoContextForOthers) {
  const test::TemporaryFolder folder;
  folder.write(".lacunaignore", "private.py\n");
  const std::string root = "file://" + folder.path().string();
  initialize({{"rootUri", root}});
  open(root + "/.env", "compute_total = 1\n");
  open(root + "/private.py", "compute_total = 2\n");
  open(root + "/public.py", "compute_total = 3\n");
  open(root + "/a.py", "compute_total\n");
  complete(root + "/a.py", 0, 13);
  const auto& context = fills_.history().back().context;
  ASSERT_EQ(context.size(), 1U);
  EXPECT_EQ(context[0].path, "public.py");
}

TEST_F(SessionTest, FilesOfTheSameFolderAreContextOnceTheyAreRead) {
  const test::TemporaryFolder folder;
  folder.write(".lacunaignore", "private.py\n");
  folder.write("private.py", "compute_total = 2\n");
  folder.write("secrets.json", "compute_total\n");
  folder.write("other.py", "def compute_total(items):\n");
  folder.write("other.js", "compute_total();\n");
  folder.write("a.py", "compute_total = 'as it is on disk'\n");
  const std::string root = "file://" + folder.path().string();
  initialize({{"rootUri", root}});
  open(root + "/a.py", "compute_total\n");
  complete(root + "/a.py", 0, 13);
  EXPECT_TRUE(fills_.history().back().context.empty());
  run();  // they have been read
  complete(root + "/a.py", 0, 12);
  const auto& context = fills_.history().back().context;
  ASSERT_EQ(context.size(), 1U);
  EXPECT_EQ(context[0].path, "other.py");
  EXPECT_EQ(context[0].text, "def compute_total(items):\n");
  notify("workspace/didChangeConfiguration",
         {{"settings", {{"lacuna", {{"context", {{"folder", false}}}}}}}});
  complete(root + "/a.py", 0, 11);
  EXPECT_TRUE(fills_.history().back().context.empty());
}

TEST_F(SessionTest, AFileAloneDoesNotMakeItsFolderContext) {
  const test::TemporaryFolder folder;
  folder.write("other.py", "compute_total = 1\n");
  initialize();
  const std::string uri = "file://" + (folder.path() / "a.py").string();
  open(uri, "compute_total\n");
  complete(uri, 0, 13);
  run();
  complete(uri, 0, 12);
  EXPECT_TRUE(fills_.history().back().context.empty());
}

TEST_F(SessionTest, AnEditFarFromTheCursorIsContext) {
  initialize();
  std::string text = "def first():\n    pass\n";
  for (int i = 0; i < 1000; ++i) text += "filler_" + std::to_string(i) + " = 0\n";
  open(kUri, text + "compute_total\n");
  complete(kUri, 1002, 13);
  EXPECT_TRUE(fills_.history().back().context.empty());
  type(kUri, 1, 4, "return compute_total\n    ");
  complete(kUri, 1003, 13);
  const auto& context = fills_.history().back().context;
  ASSERT_EQ(context.size(), 1U);
  EXPECT_EQ(context[0].path, "w/a.py");
  EXPECT_TRUE(context[0].text.starts_with("def first():\n    return compute_total\n"));
  complete(kUri, 2, 0);  // here it stands on the canvas
  EXPECT_TRUE(fills_.history().back().context.empty());
}

TEST_F(SessionTest, AnEditIsFoundAlsoWhereTheWholeTextIsSent) {
  initialize();
  std::string filler;
  for (int i = 0; i < 1000; ++i) filler += "filler_" + std::to_string(i) + " = 0\n";
  open(kUri, "def first():\n    pass\n" + filler + "compute_total\n");
  const std::string after = "def first():\n    return compute_total\n" + filler + "compute_total\n";
  notify("textDocument/didChange", {{"textDocument", {{"uri", kUri}, {"version", 2}}},
                                    {"contentChanges", {{{"text", after}}}}});
  complete(kUri, 1002, 13);
  const auto& context = fills_.history().back().context;
  ASSERT_EQ(context.size(), 1U);
  EXPECT_TRUE(context[0].text.starts_with("def first():\n    return compute_total\n"));
}

TEST_F(SessionTest, SwitchedOffMeansNoRequestOfTheEngine) {
  initialize({{"initializationOptions", {{"enable", false}}}});
  open(kUri, "x = \n");
  complete(kUri, 0, 4);
  EXPECT_TRUE(fills_.history().empty());
  notify("workspace/didChangeConfiguration", {{"settings", {{"lacuna", {{"enable", true}}}}}});
  complete(kUri, 0, 4);
  EXPECT_EQ(fills_.history().size(), 1U);
}

TEST_F(SessionTest, SettingsArePulledWhereTheClientHasThem) {
  initialize({{"capabilities", {{"workspace", {{"configuration", true}}}}}});
  const auto asked = std::find_if(sent_.begin(), sent_.end(), [](const Json& message) {
    return message.value("method", "") == "workspace/configuration";
  });
  ASSERT_NE(asked, sent_.end());
  const Json id = (*asked)["id"];
  session_->receive(lsp::response(id, {{{"enable", false}, {"profile", "nonsense"}}}));
  EXPECT_EQ(sent("window/logMessage").size(), 1U);
  open(kUri, "x = \n");
  complete(kUri, 0, 4);
  EXPECT_TRUE(fills_.history().empty());
}

TEST_F(SessionTest, LacunaFillFillsSeveralHolesAndTellsEveryStep) {
  initialize({{"capabilities", {{"workspace", {{"workspaceEdit", {{"documentChanges", true}}}}}}}});
  open(kUri, "a = \u27E6?\u27E7\nb = \u27E6?: two\u27E7\n");
  const int id = request("lacuna/fill", {{"textDocument", {{"uri", kUri}, {"version", 1}}},
                                         {"partialResultToken", "p"}});
  const FillId fill = fills_.open().begin()->first;
  EXPECT_EQ(fills_.history().back().holes[1].hint, "two");
  FillStep step;
  step.holes = {{.hole = 0, .tokens = {{.masked = false, .text = "1", .probability = 0.5F}}},
                {.hole = 1, .tokens = {{.masked = true, .text = "", .probability = 0}}}};
  step.masks_left = 1;
  step.masks_total = 2;
  fills_.step(fill, step);
  fills_.finish(fill, answer_of({"1", "2"}));
  const auto progress = sent("$/progress");
  ASSERT_EQ(progress.size(), 1U);
  EXPECT_EQ(progress[0]["token"], "p");
  EXPECT_EQ(progress[0]["value"]["holes"][0]["tokens"][0]["text"], "1");
  EXPECT_EQ(progress[0]["value"]["holes"][1]["tokens"][0]["masked"], true);
  EXPECT_EQ(result(id)["holes"][1]["newText"], "2");
  EXPECT_EQ(result(id)["holes"][1]["range"]["end"]["character"], 12);
  EXPECT_EQ(result(id)["edit"]["documentChanges"][0]["textDocument"]["version"], 1);
}

TEST_F(SessionTest, AFillOfADocumentThatChangesIsRefused) {
  initialize();
  open(kUri, "a = \u27E6?\u27E7\n");
  const int stale = request("lacuna/fill", {{"textDocument", {{"uri", kUri}, {"version", 0}}}});
  EXPECT_EQ(error(stale), -32801);
  const int id = request("lacuna/fill", {{"textDocument", {{"uri", kUri}}}});
  type(kUri, 1, 0, "x");
  EXPECT_EQ(error(id), -32801);
  run();
  EXPECT_EQ(error(id), -32801);
}

TEST_F(SessionTest, HolesThatMakeNoSenseAreInvalidParams) {
  initialize();
  open(kUri, "abc\n");
  const auto fill = [&](Json extra) {
    Json params = {{"textDocument", {{"uri", kUri}}}};
    params.update(extra);
    return error(request("lacuna/fill", params));
  };
  const auto range = [](int from, int to) {
    return Json{{"start", {{"line", 0}, {"character", from}}},
                {"end", {{"line", 0}, {"character", to}}}};
  };
  EXPECT_EQ(fill(Json::object()), -32602);
  EXPECT_EQ(fill({{"ranges", 5}}), -32602);
  EXPECT_EQ(fill({{"ranges", {range(2, 1)}}}), -32602);
  EXPECT_EQ(fill({{"ranges", {range(0, 2), range(1, 3)}}}), -32602);
  EXPECT_EQ(fill({{"holes", {Json::object()}}}), -32602);
  EXPECT_EQ(fill({{"ranges", Json::array()}}), -32602);
  EXPECT_TRUE(fills_.history().empty());
}

TEST_F(SessionTest, CodeActionsFillMarkersWhenTheyAreResolved) {
  initialize({{"capabilities",
               {{"workspace", {{"workspaceEdit", {{"documentChanges", true}}}}},
                {"textDocument",
                 {{"codeAction",
                   {{"dataSupport", true}, {"resolveSupport", {{"properties", {"edit"}}}}}}}}}}});
  open(kUri, "a = \u27E6?\u27E7\nb = \u27E6?\u27E7\n");
  const Json at = {{"line", 1}, {"character", 5}};
  const int list =
      request("textDocument/codeAction", {{"textDocument", {{"uri", kUri}}},
                                          {"range", {{"start", at}, {"end", at}}},
                                          {"context", {{"diagnostics", Json::array()}}}});
  ASSERT_EQ(result(list).size(), 2U);
  EXPECT_EQ(result(list)[0]["title"], "Fill this hole");
  EXPECT_EQ(result(list)[1]["title"], "Fill all 2 holes of this file");
  const int one = request("codeAction/resolve", result(list)[0]);
  EXPECT_EQ(fills_.history().back().holes.size(), 1U);
  finish(answer_of({"2"}));
  const Json edits = result(one)["edit"]["documentChanges"][0]["edits"];
  EXPECT_EQ(edits[0]["range"]["start"]["line"], 1);
  EXPECT_EQ(edits[0]["newText"], "2");
  type(kUri, 0, 0, "#");
  EXPECT_EQ(error(request("codeAction/resolve", result(list)[1])), -32801);
}

TEST_F(SessionTest, ClientsThatCannotResolveGetACommandThatAppliesAVersionedEdit) {
  initialize(
      {{"capabilities",
        {{"workspace", {{"applyEdit", true}, {"workspaceEdit", {{"documentChanges", true}}}}}}}});
  open(kUri, "a = \u27E6?\u27E7\n");
  const Json at = {{"line", 0}, {"character", 5}};
  const int list = request("textDocument/codeAction", {{"textDocument", {{"uri", kUri}}},
                                                       {"range", {{"start", at}, {"end", at}}},
                                                       {"context", {{"only", {"quickfix"}}}}});
  const Json command = result(list)[1]["command"];
  const int id = request("workspace/executeCommand", {{"command", command["command"]},
                                                      {"arguments", command["arguments"]},
                                                      {"workDoneToken", "w"}});
  finish(answer_of({"1"}));
  EXPECT_TRUE(answer(id).is_null());
  const auto asked = std::find_if(sent_.begin(), sent_.end(), [](const Json& message) {
    return message.value("method", "") == "workspace/applyEdit";
  });
  ASSERT_NE(asked, sent_.end());
  EXPECT_EQ((*asked)["params"]["edit"]["documentChanges"][0]["textDocument"]["version"], 1);
  const Json ask_id = (*asked)["id"];
  type(kUri, 0, 4, "1");  // what applying it does
  session_->receive(lsp::response(ask_id, {{"applied", true}}));
  EXPECT_EQ(result(id)["applied"], true);
  EXPECT_EQ(sent("$/progress").front()["value"]["kind"], "begin");
  EXPECT_EQ(sent("$/progress").back()["value"]["kind"], "end");
}

// Of the holes of an answer those that no fill was found for.
FillAnswer withholding(FillAnswer answer, const std::vector<bool>& withheld) {
  answer.syntax.resize(1);
  for (const bool is_withheld : withheld) {
    HoleSyntax syntax;
    syntax.state = is_withheld ? SyntaxState::Withheld : SyntaxState::Parses;
    if (is_withheld) syntax.reason = "missing `)`";
    answer.syntax[0].push_back(syntax);
  }
  return answer;
}

TEST_F(SessionTest, OfSeveralHolesThoseAreAppliedThatParse) {
  initialize({{"capabilities", {{"workspace", {{"applyEdit", true}}}}}});
  open(kUri, "a = \u27E6?\u27E7\nb = \u27E6?\u27E7\n");
  const int id = request("workspace/executeCommand",
                         {{"command", "lacuna.fillHoles"}, {"arguments", {{{"uri", kUri}}}}});
  finish(withholding(answer_of({"1", "("}), {false, true}));
  const auto asked = std::find_if(sent_.begin(), sent_.end(), [](const Json& message) {
    return message.value("method", "") == "workspace/applyEdit";
  });
  ASSERT_NE(asked, sent_.end());
  const Json edits = (*asked)["params"]["edit"]["changes"][kUri];
  ASSERT_EQ(edits.size(), 1U);
  EXPECT_EQ(edits[0]["newText"], "1");
  const Json ask_id = (*asked)["id"];
  session_->receive(lsp::response(ask_id, {{"applied", true}}));
  EXPECT_EQ(result(id)["reason"],
            "1 of 2 holes were left as they were: no fill was found that parses: missing `)`");
}

TEST_F(SessionTest, ACommandThatWouldFillNothingSaysWhy) {
  initialize({{"capabilities", {{"workspace", {{"applyEdit", true}}}}}});
  open(kUri, "a = \u27E6?\u27E7\n");
  const int id = request("workspace/executeCommand",
                         {{"command", "lacuna.fillHoles"}, {"arguments", {{{"uri", kUri}}}}});
  finish(withholding(answer_of({"("}), {true}));
  EXPECT_EQ(error(id), -32803);
  EXPECT_EQ(answer(id)["error"]["message"],
            "the hole was left as it was: no fill was found that parses: missing `)`");
  EXPECT_TRUE(sent("workspace/applyEdit").empty());
  EXPECT_EQ(outcome(), answer(id)["error"]["message"]);
}

TEST_F(SessionTest, AHoleThatTheModelDidNotFinishIsWithheldAlone) {
  initialize();
  open(kUri, "a = \u27E6?\u27E7\nb = \u27E6?\u27E7\n");
  const int id = request("lacuna/fill", {{"textDocument", {{"uri", kUri}}}});
  FillAnswer filled = answer_of({"1", "half"});
  filled.alternatives[0].fills[1].masks_left = 2;
  finish(std::move(filled));
  EXPECT_EQ(result(id)["holes"][0]["newText"], "1");
  EXPECT_EQ(result(id)["holes"][1]["newText"], "\u27E6?\u27E7");
  EXPECT_EQ(result(id)["holes"][1]["withheld"], true);
  EXPECT_EQ(result(id)["edit"]["changes"][kUri].size(), 1U);
}

TEST_F(SessionTest, SyntaxIsCheckedUnlessItIsSwitchedOff) {
  initialize();
  open(kUri, "x = \n");
  complete(kUri, 0, 4);
  EXPECT_TRUE(fills_.history().back().syntax);
  notify("workspace/didChangeConfiguration", {{"settings", {{"lacuna", {{"syntax", false}}}}}});
  complete(kUri, 0, 4);
  EXPECT_FALSE(fills_.history().back().syntax);
}

TEST_F(SessionTest, LoadingIsShownAsProgressToWhoWaits) {
  fills_.set_phase(ModelPhase::Unloaded);
  initialize({{"capabilities", {{"window", {{"workDoneProgress", true}}}}}});
  open(kUri, "x = \n");
  fills_.set_phase(ModelPhase::Loading);
  EXPECT_TRUE(sent("window/workDoneProgress/create").empty());
  complete(kUri, 0, 4);
  ASSERT_EQ(sent("window/workDoneProgress/create").size(), 1U);
  EXPECT_TRUE(sent("$/progress").empty());
  const auto create = std::find_if(sent_.begin(), sent_.end(), [](const Json& message) {
    return message.value("method", "") == "window/workDoneProgress/create";
  });
  const Json id = (*create)["id"];
  session_->receive(lsp::response(id, nullptr));
  EXPECT_EQ(sent("$/progress").back()["value"]["kind"], "begin");
  EXPECT_EQ(sent("$/progress").back()["value"]["percentage"], 0);
  fills_.set_phase(ModelPhase::Loading, "", 40);
  EXPECT_EQ(sent("$/progress").back()["value"], Json({{"kind", "report"}, {"percentage", 40}}));
  EXPECT_EQ(sent("window/workDoneProgress/create").size(), 1U);
  fills_.set_phase(ModelPhase::Ready);
  EXPECT_EQ(sent("$/progress").back()["value"]["kind"], "end");
}

TEST_F(SessionTest, AModelThatCannotBeLoadedIsToldOnce) {
  initialize();
  fills_.set_phase(ModelPhase::Failed, "there is no model 'x'");
  fills_.set_phase(ModelPhase::Failed, "there is no model 'x'");
  ASSERT_EQ(sent("window/logMessage").size(), 1U);
  EXPECT_EQ(sent("window/logMessage")[0]["type"], 1);
}

TEST_F(SessionTest, TheCompletionMenuIsAnOption) {
  initialize();
  open(kUri, "x = va\n");
  const Json params = {{"textDocument", {{"uri", kUri}}},
                       {"position", {{"line", 0}, {"character", 6}}}};
  EXPECT_TRUE(result(request("textDocument/completion", params)).is_null());
  notify("workspace/didChangeConfiguration",
         {{"settings", {{"lacuna", {{"completion", {{"enable", true}}}}}}}});
  const int id = request("textDocument/completion", params);
  finish(answer_of({"lue"}));
  const Json item = result(id)["items"][0];
  EXPECT_EQ(item["label"], "value");
  EXPECT_EQ(item["textEdit"]["range"]["start"]["character"], 4);
  EXPECT_EQ(item["textEdit"]["range"]["end"]["character"], 6);
}

TEST_F(SessionTest, TheStatusSaysThatTheFocusedDocumentIsExcluded) {
  initialize({{"capabilities", {{"experimental", {{"lacuna", Json::object()}}}}}});
  open("file:///w/.env", "KEY=1\n");
  open(kUri, "x = 1\n");
  const auto focus = [&](const std::string& uri) {
    notify("textDocument/didFocus", {{"textDocument", {{"uri", uri}}}});
    return sent("didChangeStatus").back();
  };
  EXPECT_EQ(focus(kUri)["kind"], "Normal");
  const Json excluded = focus("file:///w/.env");
  EXPECT_EQ(excluded["kind"], "Inactive");
  EXPECT_NE(excluded["message"].get<std::string>().find("secrets"), std::string::npos);
  complete(kUri, 0, 5);  // who asks there looks there
  EXPECT_EQ(sent("didChangeStatus").back()["kind"], "Normal");
  notify("workspace/didChangeConfiguration", {{"settings", {{"lacuna", {{"exclude", {"*.py"}}}}}}});
  EXPECT_EQ(sent("didChangeStatus").back()["kind"], "Inactive");
}

TEST_F(SessionTest, NothingIsSentAfterTheSessionIsGone) {
  initialize();
  open(kUri, "x = \n");
  complete(kUri, 0, 4);
  const std::size_t before = sent_.size();
  session_.reset();
  run();
  EXPECT_EQ(sent_.size(), before);
  EXPECT_TRUE(fills_.open().empty());
}

TEST_F(SessionTest, AnEditThatCannotBeReadStopsSuggestionsUntilTheDocumentIsOpenedAgain) {
  initialize();
  open(kUri, "x = \n");
  notify("textDocument/didChange", {{"textDocument", {{"uri", kUri}, {"version", 2}}},
                                    {"contentChanges", {{{"range", 5}, {"text", ""}}}}});
  complete(kUri, 0, 4);
  EXPECT_NE(outcome().find("open the document again"), std::string::npos);
  open(kUri, "x = \n");
  complete(kUri, 0, 4);
  EXPECT_EQ(fills_.history().size(), 1U);
}

}  // namespace
}  // namespace lacuna::daemon
