#include "cli/help.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "cli/format.h"
#include "cli/text_width.h"

namespace lacuna::cli {
namespace {

constexpr int kNameWidth = 24;  // of the left column

// "--at LINE:COL", "-h, --help", "FILE".
std::string left_of(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name(true);
  std::string text;
  for (const std::string& name : option.get_snames()) text += ", -" + name;
  for (const std::string& name : option.get_lnames()) text += ", --" + name;
  text.erase(0, 2);
  const bool takes_value = option.get_items_expected_max() > 0;
  if (takes_value) text += " " + option.get_type_name();
  return text;
}

std::string row(const std::string& left, const std::string& right, int width) {
  std::string text = pad_right("  " + left, kNameWidth);
  if (display_width(text) > kNameWidth) text += "\n" + std::string(kNameWidth, ' ');
  return text + fold_words(right, kNameWidth, width) + "\n";
}

std::string options_of(const CLI::App& app, const std::string& group, int width) {
  std::string text;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group() != group) continue;
    text += row(left_of(*option), option->get_description(), width);
  }
  return text;
}

std::string first_sentence(const std::string& text) {
  const std::size_t end = std::min(text.find(". "), text.find(".\n"));
  std::string sentence = text.substr(0, std::min(end, text.find(':')));
  if (!sentence.empty() && sentence.back() == '.') sentence.pop_back();
  return sentence;
}

std::string usage_of(const CLI::App& app, const std::string& path) {
  std::string text = "Usage: " + path;
  const bool has_commands = !app.get_subcommands([](const CLI::App*) { return true; }).empty();
  if (has_commands) text += " COMMAND";
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    text +=
        option->get_required() ? " " + option->get_name(true) : " [" + option->get_name(true) + "]";
  }
  return text + " [OPTIONS]\n";
}

// Paragraphs are folded, examples (lines that begin with a space) are not.
std::string paragraphs(std::string_view text, int width) {
  std::string folded;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    folded += line.substr(0, 1) == " " ? std::string(line) : fold_words(line, 0, width);
    folded += '\n';
  }
  return folded;
}

}  // namespace

std::string fold_words(std::string_view text, int indent, int width) {
  std::string folded;
  int used = indent;
  while (!text.empty()) {
    const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    text.remove_prefix(end);
    if (word.empty()) break;
    const int length = display_width(word);
    if (used > indent && used + 1 + length > width) {
      folded += "\n" + std::string(static_cast<std::size_t>(indent), ' ');
      used = indent;
    } else if (used > indent) {
      folded += ' ';
      ++used;
    }
    folded += word;
    used += length;
  }
  return folded;
}

std::string help_text(const CLI::App& app, const std::string& path, int width) {
  std::string text = usage_of(app, path);
  text += "\n" + paragraphs(app.get_description(), width);
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  if (!commands.empty()) text += "\nCommands:\n";
  for (const CLI::App* command : commands) {
    text += row(command->get_name(), first_sentence(command->get_description()), width);
  }
  for (const std::string& group : app.get_groups()) {
    const std::string options = options_of(app, group, width);
    if (!options.empty()) text += "\n" + group + ":\n" + options;
  }
  if (const std::string footer = app.get_footer(); !footer.empty()) {
    text += "\n" + paragraphs(footer, width);
  }
  return text;
}

}  // namespace lacuna::cli
