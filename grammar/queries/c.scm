; A declarator may be wrapped in pointers.
(function_definition
  declarator: [
    (function_declarator declarator: (_) @name)
    (_ declarator: (function_declarator declarator: (_) @name))
    (_ declarator: (_ declarator: (function_declarator declarator: (_) @name)))
  ]
  body: (_) @body) @item
(struct_specifier name: (_) @name body: (_) @body) @item
(union_specifier name: (_) @name body: (_) @body) @item
(enum_specifier name: (_) @name body: (_) @body) @item
(compound_statement) @block
(field_declaration_list) @block
(argument_list) @arguments
(parameter_list) @arguments
