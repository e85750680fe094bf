(function_definition
  declarator: (reference_declarator (function_declarator declarator: (_) @name))
  body: (_) @body) @item
(class_specifier name: (_) @name body: (_) @body) @item
(namespace_definition name: (_) @name body: (_) @body) @item
(declaration_list) @block
(template_argument_list) @arguments
