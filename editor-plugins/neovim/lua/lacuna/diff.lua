-- A proposal beside the buffer, in a window of its own, as Neovim's diff mode shows it.
local M = {}

local api = vim.api

---@param bufnr integer the buffer that the proposal is for; it is in the current window
---@param lines string[] the whole proposal
---@return {window: integer, buffer: integer, origin: integer}
function M.open(bufnr, lines)
  local origin = api.nvim_get_current_win()
  local scratch = api.nvim_create_buf(false, true)
  api.nvim_buf_set_lines(scratch, 0, -1, false, lines)
  vim.bo[scratch].filetype = vim.bo[bufnr].filetype
  vim.bo[scratch].modifiable = false
  vim.bo[scratch].bufhidden = 'wipe'
  local name = vim.fn.fnamemodify(api.nvim_buf_get_name(bufnr), ':t')
  pcall(api.nvim_buf_set_name, scratch, ('lacuna://%d/%s'):format(scratch, name))
  vim.cmd('belowright vertical split')
  local window = api.nvim_get_current_win()
  api.nvim_win_set_buf(window, scratch)
  vim.cmd.diffthis()
  api.nvim_set_current_win(origin)
  vim.cmd.diffthis()
  return { window = window, buffer = scratch, origin = origin }
end

function M.close(view)
  if api.nvim_win_is_valid(view.origin) then
    api.nvim_win_call(view.origin, function()
      vim.cmd.diffoff()
    end)
  end
  if api.nvim_buf_is_valid(view.buffer) then
    pcall(api.nvim_buf_delete, view.buffer, { force = true })
  end
end

return M
