if vim.g.loaded_lacuna then
  return
end
vim.g.loaded_lacuna = true

if vim.fn.has('nvim-0.10') == 0 then
  vim.notify('lacuna: needs Neovim 0.10 or later', vim.log.levels.WARN)
  return
end

vim.api.nvim_create_user_command('Lacuna', function(command)
  require('lacuna.commands').run(command)
end, {
  nargs = '*',
  range = true,
  bang = true,
  desc = 'Fill, rewrite, suggestions on and off: see :help lacuna-commands',
  complete = function(lead, line)
    return require('lacuna.commands').complete(lead, line)
  end,
})

-- vim.g.lacuna is enough to start; without it setup() or vim.lsp.enable('lacuna') does.
if vim.g.lacuna then
  require('lacuna').setup()
end
