(method_declaration name: (_) @name body: (_) @body) @item
(constructor_declaration name: (_) @name body: (_) @body) @item
(class_declaration name: (_) @name body: (_) @body) @item
(interface_declaration name: (_) @name body: (_) @body) @item
(enum_declaration name: (_) @name body: (_) @body) @item
(record_declaration name: (_) @name body: (_) @body) @item
(block) @block
(constructor_body) @block
(class_body) @block
(argument_list) @arguments
(formal_parameters) @arguments
