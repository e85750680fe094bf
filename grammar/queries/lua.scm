(function_declaration name: (_) @name) @item
(function_declaration body: (_) @body) @item
(assignment_statement
  (variable_list . name: (_) @name)
  (expression_list . value: (function_definition body: (_) @body))) @item
(block) @block
(arguments) @arguments
(parameters) @arguments
