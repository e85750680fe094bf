(function_declaration name: (_) @name body: (_) @body) @item
(generator_function_declaration name: (_) @name body: (_) @body) @item
(method_definition name: (_) @name body: (_) @body) @item
(class_declaration name: (_) @name body: (_) @body) @item
(variable_declarator
  name: (identifier) @name
  value: [
    (arrow_function body: (_) @body)
    (function_expression body: (_) @body)
  ]) @item
(statement_block) @block
(class_body) @block
(arguments) @arguments
(formal_parameters) @arguments
