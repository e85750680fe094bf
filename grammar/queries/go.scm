(function_declaration name: (_) @name body: (_) @body) @item
(method_declaration name: (_) @name body: (_) @body) @item
(type_spec name: (_) @name type: (struct_type (field_declaration_list) @body)) @item
(type_spec name: (_) @name type: (interface_type) @body) @item
(block) @block
(argument_list) @arguments
(parameter_list) @arguments
(statement_list) @block
