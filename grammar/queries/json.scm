(pair key: (string (string_content) @name) value: (object) @body) @item
(pair key: (string (string_content) @name) value: (array) @body) @item
(array) @arguments
(object) @arguments
