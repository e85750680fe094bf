(abstract_class_declaration name: (_) @name body: (_) @body) @item
(interface_declaration name: (_) @name body: (_) @body) @item
(internal_module name: (_) @name body: (_) @body) @item
(interface_body) @block
