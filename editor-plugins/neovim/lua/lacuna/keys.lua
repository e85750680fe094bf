-- The keys of insert mode, in the buffers that have the server. A key without a suggestion does what it did before.
local config = require('lacuna.config')

local M = {}

local api = vim.api
local saved = {} ---@type table<integer, table<string, table>> by buffer and key: the mapping of the buffer before ours

local function find_global(key)
  local wanted = vim.keycode(key)
  for _, mapping in ipairs(api.nvim_get_keymap('i')) do
    if vim.keycode(mapping.lhs) == wanted then
      return mapping
    end
  end
end

--- The keys to type for what `mapping` does; for a plain function it is run soon after.
local function as_keys(mapping, key)
  if not mapping or vim.tbl_isempty(mapping) then
    return vim.keycode(key)
  end
  if mapping.expr == 1 then
    local result = mapping.callback and mapping.callback() or api.nvim_eval(mapping.rhs)
    if type(result) ~= 'string' then
      return ''
    end
    return mapping.replace_keycodes == 1 and vim.keycode(result) or result
  end
  if mapping.callback then
    vim.schedule(mapping.callback)
    return ''
  end
  local rhs = vim.keycode((mapping.rhs or ''):gsub('<SID>', ('<SNR>%d_'):format(mapping.sid)))
  api.nvim_feedkeys(rhs, mapping.noremap == 1 and 'ni' or 'mi', false)
  return ''
end

local actions = {
  accept = function(inline)
    return inline.accept('all')
  end,
  accept_word = function(inline)
    return inline.accept('word')
  end,
  accept_line = function(inline)
    return inline.accept('line')
  end,
  next = function(inline)
    return inline.visible(api.nvim_get_current_buf()) and inline.cycle(1)
  end,
  previous = function(inline)
    return inline.visible(api.nvim_get_current_buf()) and inline.cycle(-1)
  end,
  dismiss = function(inline)
    return inline.dismiss()
  end,
  trigger = function(inline)
    return inline.trigger()
  end,
}

function M.map(bufnr)
  M.unmap(bufnr)
  saved[bufnr] = {}
  local inline = require('lacuna').inline()
  for name, key in pairs(config.current.keys) do
    if key then
      local before = api.nvim_buf_call(bufnr, function()
        return vim.fn.maparg(key, 'i', false, true)
      end)
      before = before.buffer == 1 and before or {}
      saved[bufnr][key] = before
      vim.keymap.set('i', key, function()
        if name ~= 'trigger' and vim.fn.pumvisible() == 1 or not actions[name](inline) then
          return as_keys(next(before) and before or find_global(key), key)
        end
        return ''
      end, { buffer = bufnr, expr = true, replace_keycodes = false, desc = 'lacuna: ' .. name:gsub('_', ' ') })
    end
  end
end

function M.unmap(bufnr)
  local keys = saved[bufnr]
  saved[bufnr] = nil
  if not keys or not api.nvim_buf_is_valid(bufnr) then
    return
  end
  for key, before in pairs(keys) do
    pcall(vim.keymap.del, 'i', key, { buffer = bufnr })
    if next(before) then
      api.nvim_buf_call(bufnr, function()
        vim.fn.mapset('i', false, before)
      end)
    end
  end
end

return M
