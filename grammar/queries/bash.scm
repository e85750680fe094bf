(function_definition name: (_) @name body: (_) @body) @item
(compound_statement) @block
(do_group) @block
