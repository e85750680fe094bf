(function_item name: (_) @name body: (_) @body) @item
(struct_item name: (_) @name body: (_) @body) @item
(enum_item name: (_) @name body: (_) @body) @item
(trait_item name: (_) @name body: (_) @body) @item
(mod_item name: (_) @name body: (_) @body) @item
(impl_item type: (_) @name body: (_) @body) @item
(block) @block
(declaration_list) @block
(arguments) @arguments
(parameters) @arguments
(match_block) @block
