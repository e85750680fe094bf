-- For vim.lsp.enable('lacuna') (Neovim 0.11 and later), with or without require('lacuna').setup().
return require('lacuna.client').server_config()
