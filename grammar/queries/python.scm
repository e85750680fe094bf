(function_definition name: (_) @name body: (_) @body) @item
(class_definition name: (_) @name body: (_) @body) @item
(block) @block
(argument_list) @arguments
(parameters) @arguments
