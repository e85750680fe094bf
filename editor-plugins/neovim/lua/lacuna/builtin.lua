-- The same functions as ghost.lua on top of Neovim's own inline completion (0.12): inline = 'builtin'.
local client_of = require('lacuna.client')
local state = require('lacuna.state')

local M = {}

local api = vim.api
local attached = {} ---@type table<integer, integer> client of a buffer

function M.attach(client, bufnr)
  if not vim.lsp.inline_completion then
    state.tell("inline = 'builtin' needs Neovim 0.12; the plugin draws itself", vim.log.levels.WARN)
    require('lacuna.config').current.inline = 'plugin'
    require('lacuna.ghost').attach(client, bufnr)
    return
  end
  attached[bufnr] = client.id
  vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
end

function M.detach(bufnr)
  if attached[bufnr] then
    attached[bufnr] = nil
    if api.nvim_buf_is_valid(bufnr) then
      vim.lsp.inline_completion.enable(false, { bufnr = bufnr })
    end
  end
end

function M.visible(bufnr)
  local namespace = api.nvim_get_namespaces()['nvim.lsp.inline_completion']
  return namespace ~= nil and #api.nvim_buf_get_extmarks(bufnr, namespace, 0, -1, { limit = 1 }) > 0
end

--- Inserts the next word or line of an item; what is left comes with the next answer of the server.
local function accept_part(item, kind)
  local row, column = unpack(api.nvim_win_get_cursor(0))
  local start = item.range and select(2, item.range:to_extmark()) or column
  local typed = api.nvim_get_current_line():sub(start + 1, column)
  local rest = item.insert_text:sub(#typed + 1)
  local piece = kind == 'line' and rest:match('^\n?[^\n]*')
    or vim.fn.matchstr(rest, [=[^\_s*\%(\k\+\|[^[:keyword:][:space:]]\+\|$\)]=])
  if piece == rest or not vim.startswith(item.insert_text, typed) then
    return item
  end
  local lines = vim.split(piece, '\n', { plain = true })
  api.nvim_buf_set_text(0, row - 1, column, row - 1, column, lines)
  local last = #lines[#lines] + (#lines == 1 and column or 0)
  api.nvim_win_set_cursor(0, { row + #lines - 1, last })
  local client = client_of.get(api.nvim_get_current_buf())
  if client then
    client_of.notify(client, 'textDocument/didPartiallyAcceptCompletion', {
      item = { insertText = item.insert_text, command = item.command },
      acceptedLength = vim.str_utfindex(typed .. piece, 'utf-16'),
    })
  end
end

function M.apply(kind)
  vim.lsp.inline_completion.get({
    on_accept = function(item)
      state.event('LacunaSuggestionAccepted', { kind = kind })
      if kind == 'all' or type(item.insert_text) ~= 'string' then
        return item
      end
      return accept_part(item, kind)
    end,
  })
end

function M.accept(kind)
  if not M.visible(api.nvim_get_current_buf()) then
    return false
  end
  local keys = '<C-g>u<Cmd>lua require("lacuna.builtin").apply("%s")<CR>'
  api.nvim_feedkeys(vim.keycode(keys:format(kind)), 'ni', false)
  return true
end

function M.cycle(count)
  vim.lsp.inline_completion.select({ count = count })
  return true
end

--- Neovim has no function for this: switching it off for a moment takes the text away.
function M.dismiss(bufnr)
  bufnr = bufnr or api.nvim_get_current_buf()
  local visible = M.visible(bufnr)
  if visible then
    vim.lsp.inline_completion.enable(false, { bufnr = bufnr })
    vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
  end
  return visible
end

--- Neovim asks by itself only.
function M.trigger()
  return false
end

return M
