#include "grammar/python_rules.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>

#include <tree_sitter/api.h>

namespace lacuna::grammar {
namespace {

Span span_of(TSNode node) { return {ts_node_start_byte(node), ts_node_end_byte(node)}; }

bool is_async(TSNode node) {
  return ts_node_child_count(node) > 0 &&
         std::string_view(ts_node_type(ts_node_child(node, 0))) == "async";
}

// ts_node_named_child() goes through all that stand before.
std::vector<TSNode> named_children(TSNode node) {
  std::vector<TSNode> children;
  TSTreeCursor cursor = ts_tree_cursor_new(node);
  for (bool more = ts_tree_cursor_goto_first_child(&cursor); more;
       more = ts_tree_cursor_goto_next_sibling(&cursor)) {
    const TSNode child = ts_tree_cursor_current_node(&cursor);
    if (ts_node_is_named(child)) children.push_back(child);
  }
  ts_tree_cursor_delete(&cursor);
  return children;
}

// Where a statement stands: what the rules ask about.
struct Scope {
  enum class Kind : std::uint8_t { Module, Class, Function, Lambda };
  Kind kind = Kind::Module;
  bool async = false;
  bool in_loop = false;

  bool takes_return() const { return kind == Kind::Function; }
  bool takes_yield() const { return kind == Kind::Function || kind == Kind::Lambda; }
  bool takes_await() const { return kind == Kind::Function && async; }
};

constexpr std::string_view kTypes[] = {"argument_list",
                                       "await",
                                       "break_statement",
                                       "class_definition",
                                       "continue_statement",
                                       "exec_statement",
                                       "for_statement",
                                       "function_definition",
                                       "generator_expression",
                                       "import_from_statement",
                                       "lambda",
                                       "lambda_parameters",
                                       "nonlocal_statement",
                                       "parameters",
                                       "print_statement",
                                       "return_statement",
                                       "while_statement",
                                       "wildcard_import",
                                       "with_statement",
                                       "yield"};

class Rules {
 public:
  Rules(std::string_view text, const SyntaxTree& tree)
      : text_(text), matters_(ts_language_symbol_count(ts_tree_language(tree.get()))) {}

  std::vector<RuleError> errors(const SyntaxTree& tree) {
    // For each node on the way down, the scope of its body and that of its other children.
    struct Frame {
      Scope outer, body;
    };
    std::vector<Frame> frames{{}};
    TSTreeCursor cursor = ts_tree_cursor_new(ts_tree_root_node(tree.get()));
    for (bool done = false; !done;) {
      const TSNode node = ts_tree_cursor_current_node(&cursor);
      const std::string_view type = type_of(node);
      const char* field = ts_tree_cursor_current_field_name(&cursor);
      const bool is_body = field != nullptr && std::string_view(field) == "body";
      Scope scope = is_body ? frames.back().body : frames.back().outer;
      // A generator may wait wherever it stands.
      if (type == "generator_expression") scope = {Scope::Kind::Function, true, false};
      // A keyword has the name of what it begins.
      if (!type.empty() && ts_node_is_named(node)) check(node, type, scope);
      if (ts_tree_cursor_goto_first_child(&cursor)) {
        frames.push_back({scope, scope_of_body(node, type, scope)});
        continue;
      }
      while (!ts_tree_cursor_goto_next_sibling(&cursor)) {
        frames.pop_back();
        if (!ts_tree_cursor_goto_parent(&cursor)) {
          done = true;
          break;
        }
      }
    }
    ts_tree_cursor_delete(&cursor);
    return std::move(errors_);
  }

 private:
  // Empty for those that no rule asks about, which are most.
  std::string_view type_of(TSNode node) {
    const TSSymbol symbol = ts_node_symbol(node);
    if (symbol >= matters_.size()) return {};  // an error
    const std::string_view type = ts_node_type(node);
    std::optional<bool>& matters = matters_[symbol];
    if (!matters)
      matters = std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
    return *matters ? type : std::string_view();
  }

  static Scope scope_of_body(TSNode node, std::string_view type, const Scope& scope) {
    if (type == "function_definition") return {Scope::Kind::Function, is_async(node), false};
    if (type == "lambda") return {Scope::Kind::Lambda, false, false};
    if (type == "class_definition") return {Scope::Kind::Class, false, false};
    Scope body = scope;
    // The `else` of a loop is no part of its body.
    if (type == "for_statement" || type == "while_statement") body.in_loop = true;
    return body;
  }

  void check(TSNode node, std::string_view type, const Scope& scope) {
    if (type == "return_statement" && !scope.takes_return()) {
      report(node, "'return' outside function");
    } else if (type == "yield" && !scope.takes_yield()) {
      report(node, "'yield' outside function");
    } else if (type == "await" && !scope.takes_await()) {
      report(node,
             scope.takes_yield() ? "'await' outside async function" : "'await' outside function");
    } else if (type == "for_statement" && is_async(node) && !scope.takes_await()) {
      report(node, "'async for' outside async function");
    } else if (type == "with_statement" && is_async(node) && !scope.takes_await()) {
      report(node, "'async with' outside async function");
    } else if (type == "break_statement" && !scope.in_loop) {
      report(node, "'break' outside loop");
    } else if (type == "continue_statement" && !scope.in_loop) {
      report(node, "'continue' not properly in loop");
    } else if (type == "nonlocal_statement" && scope.kind == Scope::Kind::Module) {
      report(node, "nonlocal declaration not allowed at module level");
    } else if (type == "wildcard_import" && scope.kind != Scope::Kind::Module) {
      report(node, "import * only allowed at module level");
    } else if (type == "import_from_statement") {
      check_imported(node);
    } else if (type == "parameters" || type == "lambda_parameters") {
      check_parameters(node);
    } else if (type == "argument_list") {
      check_arguments(node);
    } else if (type == "print_statement" || type == "exec_statement") {
      report(node, "a statement of Python 2");
    }
  }

  // The grammar takes `from a import b.c`.
  void check_imported(TSNode statement) {
    const TSNode module = ts_node_child_by_field_name(statement, "module_name", 11);
    for (TSNode name : named_children(statement)) {
      if (ts_node_eq(name, module)) continue;
      if (std::string_view(ts_node_type(name)) == "aliased_import") {
        name = ts_node_child_by_field_name(name, "name", 4);
      }
      if (ts_node_is_null(name) || std::string_view(ts_node_type(name)) != "dotted_name") continue;
      if (ts_node_named_child_count(name) > 1) report(name, "a dot in an imported name");
    }
  }

  // The identifier of a parameter; null where it has none, as `*` and `/`, and in broken text.
  static TSNode name_of(TSNode parameter) {
    if (ts_node_is_null(parameter)) return parameter;
    const std::string_view type = ts_node_type(parameter);
    if (type == "identifier") return parameter;
    if (type == "default_parameter" || type == "typed_default_parameter") {
      return ts_node_child_by_field_name(parameter, "name", 4);
    }
    if (type == "typed_parameter") return name_of(ts_node_child(parameter, 0));
    if (type == "list_splat_pattern" || type == "dictionary_splat_pattern") {
      return ts_node_named_child(parameter, 0);
    }
    return {};
  }

  void check_parameters(TSNode list) {
    std::set<std::string_view> names;
    bool defaults = false;
    bool after_star = false;
    for (const TSNode parameter : named_children(list)) {
      const std::string_view type = ts_node_type(parameter);
      const TSNode name = name_of(parameter);
      if (!ts_node_is_null(name) && !names.insert(text_of(name)).second) {
        report(name, "duplicate argument in function definition");
      }
      const bool typed_star =
          type == "typed_parameter" &&
          std::string_view(ts_node_type(ts_node_child(parameter, 0))) != "identifier";
      if (type == "default_parameter" || type == "typed_default_parameter") {
        defaults = true;
      } else if (type == "keyword_separator" || type == "list_splat_pattern" || typed_star) {
        after_star = true;
      } else if ((type == "identifier" || type == "typed_parameter") && defaults && !after_star) {
        report(parameter, "non-default argument follows default argument");
      }
    }
  }

  void check_arguments(TSNode list) {
    std::set<std::string_view> names;
    bool by_name = false;
    bool dictionary = false;
    for (const TSNode argument : named_children(list)) {
      const std::string_view type = ts_node_type(argument);
      if (ts_node_is_extra(argument)) continue;  // a comment or a backslash
      if (type == "keyword_argument") {
        const TSNode name = ts_node_child_by_field_name(argument, "name", 4);
        if (!ts_node_is_null(name) && !names.insert(text_of(name)).second) {
          report(argument, "keyword argument repeated");
        }
        by_name = true;
      } else if (type == "dictionary_splat") {
        dictionary = true;
      } else if (dictionary) {
        report(argument, type == "list_splat"
                             ? "iterable argument unpacking follows keyword argument unpacking"
                             : "positional argument follows keyword argument unpacking");
      } else if (by_name && type != "list_splat") {
        report(argument, "positional argument follows keyword argument");
      }
    }
  }

  std::string_view text_of(TSNode node) const {
    const Span span = span_of(node);
    return text_.substr(span.begin, span.size());
  }

  void report(TSNode node, const char* what) { errors_.push_back({span_of(node), what}); }

  std::string_view text_;
  std::vector<std::optional<bool>> matters_;  // by the symbol of a node's type
  std::vector<RuleError> errors_;
};

}  // namespace

std::vector<RuleError> python_rule_errors(std::string_view text, const SyntaxTree& tree) {
  return Rules(text, tree).errors(tree);
}

}  // namespace lacuna::grammar
